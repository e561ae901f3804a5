package import Foundation

/// One response: its body whole, or produced piece by piece.
package struct HTTPResponse: Sendable {
  package typealias Stream = @Sendable (HTTPBodyWriter) async throws -> Void

  package var status: Int
  package var headers: HTTPHeaders
  package var body: Data
  /// Where `body` is sent many times: its gzip is kept there.
  package private(set) var cached: CachedBody?
  /// Produces the body after the head was sent; `body` is then ignored. Returning ends the response.
  package var stream: Stream?

  package init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: Data = Data()) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A body of one media type.
  package init(status: Int, contentType: String, body: Data, headers: HTTPHeaders = HTTPHeaders()) {
    self.init(status: status, headers: headers, body: body)
    // Room for what the router adds, so that the list is allocated once.
    self.headers.reserveCapacity(headers.fields.count + 4)
    self.headers["Content-Type"] = contentType
  }

  /// A body that is sent many times.
  package init(status: Int, contentType: String, cached: CachedBody, headers: HTTPHeaders = HTTPHeaders()) {
    self.init(status: status, contentType: contentType, body: cached.plain, headers: headers)
    self.cached = cached
  }

  /// A body of unknown length that is produced while it is sent, for example `text/event-stream`.
  package init(
    status: Int, contentType: String, headers: HTTPHeaders = HTTPHeaders(), stream: @escaping Stream
  ) {
    self.init(status: status, headers: headers)
    self.headers["Content-Type"] = contentType
    self.stream = stream
  }
}
