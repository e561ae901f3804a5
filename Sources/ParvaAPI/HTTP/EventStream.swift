import ParvaHTTP

/// How many streams of one kind may be open at a time; each holds a connection for as long as its client likes.
package struct StreamLimits: Hashable, Sendable {
  package static let range = 1...100_000

  package var most: Int
  /// Of one namespace's credentials together, or of one credential that is for all.
  package var share: Int

  package init(most: Int = 1_000, share: Int = 250) { (self.most, self.share) = (most, share) }
}

/// What all streams of server-sent events have in common.
enum EventStream {
  /// Seconds of silence before a comment shows that the connection still stands.
  static let heartbeat = 15

  private static let mediaType = "text/event-stream"

  /// - Throws: 406 `not_acceptable` for a client that wants no event stream.
  static func accepted(by request: HTTPRequest) throws(ProblemDetails) {
    _ = try request.preferred([((), [mediaType])])
  }

  /// The answer whose events `body` sends.
  static func response(_ body: @escaping @Sendable (HTTPBodyWriter) async throws -> Void) -> HTTPResponse {
    HTTPResponse(status: 200, contentType: mediaType, headers: ["Cache-Control": "no-store"], stream: body)
  }

  /// The number in `Last-Event-ID`, or what stands for it where the client sends none.
  ///
  /// - Throws: 400 `invalid_last_event_id`.
  static func last(of request: HTTPRequest, default usual: Int) throws(ProblemDetails) -> Int {
    guard let last = request.headers["Last-Event-ID"].map(Int.init) ?? usual, last >= 0 else {
      throw ProblemDetails(
        status: 400, code: "invalid_last_event_id", detail: "Last-Event-ID must be the id of an event of this stream.")
    }
    return last
  }
}
