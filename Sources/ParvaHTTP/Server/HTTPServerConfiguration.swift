import Foundation

/// Everything that bounds a server, with defaults for a public port.
package struct HTTPServerConfiguration: Sendable {
  /// Certificates for the TCP listeners; Unix sockets stay plain.
  package struct TLS: Sendable {
    /// PEM chain, the server's own certificate first.
    package var certificateFile: String
    package var keyFile: String
    /// PEM of the authorities that client certificates must come from; nil: clients are not asked for one.
    package var clientCAFile: String?
    /// Whether a client without a certificate is refused in the handshake.
    package var clientRequired: Bool
    /// Whether the kernel may take over the encryption of records (kTLS).
    package var kernel: Bool

    package init(
      certificateFile: String, keyFile: String, clientCAFile: String? = nil, clientRequired: Bool = true,
      kernel: Bool = true
    ) {
      self.certificateFile = certificateFile
      self.keyFile = keyFile
      self.clientCAFile = clientCAFile
      self.clientRequired = clientRequired
      self.kernel = kernel
    }
  }

  /// `host:port`, `[v6]:port`, `*:port` (both families), `unix:PATH` or `systemd` (socket activation). Port 0 takes a
  /// free one.
  package var addresses: [String]
  package var tls: TLS?
  /// Event loops, each a thread.
  package var loops = max(1, ProcessInfo.processInfo.activeProcessorCount)
  /// Connections the kernel queues before they are accepted.
  package var backlog = 1024
  /// Open connections; beyond, the one that has waited longest for its request to be complete makes room.
  package var maxConnections = 16_384
  /// Open connections of one IPv4 address or one IPv6 /64; more are closed at once.
  package var maxConnectionsPerAddress = 4_096
  package var maxRequestsPerConnection = 1_000_000
  /// From a request's first byte, or from accepting, to the end of its head.
  package var headerTimeout = Duration.seconds(10)
  /// For a body, on top of the time that it takes at `minimumRate`.
  package var bodyTimeout = Duration.seconds(15)
  /// Between two requests.
  package var idleTimeout = Duration.seconds(75)
  /// For output that the client does not take, on top of the time that it takes at `minimumRate`.
  package var writeTimeout = Duration.seconds(30)
  /// For the client to read an answer that closes its connection while it still sends.
  package var lingerTimeout = Duration.seconds(5)
  /// Bytes per second below which a client is too slow in either direction.
  package var minimumRate = 1_024
  /// Bytes of a request target, answered 414 beyond.
  package var maxTargetBytes = 8_192
  /// Bytes of a request line and all fields, at most 32,768; answered 431 beyond.
  package var maxHeadBytes = 16_384
  /// Header fields, at most 128; answered 431 beyond.
  package var maxFields = 100
  package var maxChunkExtensionBytes = 4_096
  package var maxTrailerBytes = 4_096
  /// Bytes of all request bodies together that are larger than `smallBodyBytes`, from their first byte until what they asked for is
  /// done; answered 503 beyond.
  package var maxBodyMemory = 512 << 20
  /// Of these of one caller, by the credentials of one namespace together, or one credential that is for all; answered 429 beyond.
  package var maxBodyMemoryPerCaller = 128 << 20
  package var smallBodyBytes = 65_536
  /// Bytes that wait for a slow reader of a streamed response before its producer waits too.
  package var streamHighWater = 65_536
  /// Whether every request leaves a line in the log, at level `info`.
  package var accessLog = false

  package init(addresses: [String] = ["127.0.0.1:8080"], tls: TLS? = nil) {
    self.addresses = addresses
    self.tls = tls
  }
}
