/// Why there is no response. A response of status 400 or more is not an error here.
package struct HTTPClientError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Stable code; clients of the client branch on it.
  package enum Code: String, Sendable {
    /// The URL, method or a header cannot be sent.
    case badRequest = "bad_request"
    /// Name not found, connection refused or timed out: nothing was sent.
    case connectFailed = "connect_failed"
    /// Certificate refused, on either side, or no common TLS version.
    case tlsFailed = "tls_failed"
    case timeout
    /// The configuration allows no connection to the target's address: nothing was sent.
    case targetForbidden = "target_forbidden"
    /// The response is larger than the configuration allows.
    case bodyTooLarge = "body_too_large"
    case cancelled
    /// The client was shut down.
    case closed
    /// The connection broke, or the peer does not speak HTTP; the request may have had its effect.
    case transferFailed = "transfer_failed"
  }

  package var code: Code
  /// One sentence with the URL and the cause.
  package var message: String
  /// The cause alone, without the URL.
  package var cause = ""

  package var description: String { "\(code.rawValue): \(message)" }
}
