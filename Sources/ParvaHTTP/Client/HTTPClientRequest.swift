package import Foundation

/// One request to another server.
package struct HTTPClientRequest: Sendable {
  /// Upper case, for example `POST`.
  package var method: String
  /// Absolute, `http` or `https`; redirects are not followed.
  package var url: String
  package var headers: HTTPHeaders
  package var body: Data
  /// For the whole exchange, retries and pauses included; nil: the client's.
  package var timeout: Duration?
  /// Takes the body of a response of status 200 as it comes, on a thread that must not be kept, instead of the response; false
  /// ends the transfer.
  package var receive: (@Sendable (Data) -> Bool)?
  /// Whether it is never sent twice, not even where a kept connection ends without an answer.
  package var isSentOnce = false
  /// Whether the receiver knows a repetition by something in the request, whatever the method.
  package var isIdempotent = false

  package init(
    method: String, url: String, headers: HTTPHeaders = HTTPHeaders(), body: Data = Data(), timeout: Duration? = nil
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeout = timeout
  }

  /// Whether sending it twice does what sending it once does (RFC 9110, section 9.2.2), or a key makes it so.
  package var isRepeatable: Bool {
    if isSentOnce { return false }
    return isIdempotent || ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].contains(method)
      || headers["Idempotency-Key"] != nil
  }
}
