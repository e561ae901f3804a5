/// Everything that bounds a client.
package struct HTTPClientConfiguration: Sendable {
  /// Trust and identity of a client; files are PEM.
  package struct TLS: Sendable {
    /// Authorities to trust instead of the system's.
    package var caFile: String?
    /// Our certificate for mutual TLS, with its key.
    package var certificateFile: String?
    package var keyFile: String?

    package init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
      self.caFile = caFile
      self.certificateFile = certificateFile
      self.keyFile = keyFile
    }
  }

  package var tls = TLS()
  /// A Unix socket to connect to, whatever host the URL names.
  package var unixSocketPath: String?
  package var connectTimeout = Duration.seconds(5)
  /// For a whole exchange, unless the request says otherwise.
  package var timeout = Duration.seconds(30)
  /// Bytes of a response body, after decompression.
  package var maxResponseBytes = 64 << 20
  /// A body that is larger is cut there, and the status counts; else such a response is an error.
  package var cutsBodies = false
  /// Where connections may go; nil: everywhere.
  package var targets: TargetGuard?
  /// Whether `http_proxy` and its like lead somewhere else. Without it a request goes to its host and nowhere else.
  package var followsProxies = true
  /// Further attempts where a repetition can do no harm.
  package var retries = 2
  /// Before the first retry, doubled each time; what is waited is drawn from nothing up to this.
  package var retryPause = Duration.milliseconds(200)
  package var maxConnectionsPerHost = 8

  package init() {}
}
