/// One entry of the route table.
package struct Route: Sendable {
  package enum Handler: Sendable {
    /// Runs on the event loop: for answers that need no waiting and microseconds of work.
    case inline(@Sendable (HTTPRequest) throws -> HTTPResponse)
    /// Runs the first closure on the event loop, and where it has nothing ready (nil) the second on the worker pool.
    case ready(
      @Sendable (HTTPRequest) throws -> HTTPResponse?,
      otherwise: @Sendable (HTTPRequest) async throws -> HTTPResponse)
    /// Runs on Swift's worker pool, with the whole body in memory.
    case async(@Sendable (HTTPRequest) async throws -> HTTPResponse)
    /// Runs on the worker pool while the body still arrives; `request.body` is empty and the limit counts all chunks.
    case streaming(@Sendable (HTTPRequest, HTTPBodyStream) async throws -> HTTPResponse)
  }

  package var method: String
  /// Path with `{name}` for a single segment, for example `/v1/workloads/{id}`.
  package var pattern: String
  /// Largest request body in bytes; more is answered 413 before it is read.
  package var bodyLimit: Int
  /// Most requests that this route answers at a time, streams until their end; more are answered 503. Nil: no bound
  /// of its own. Has no effect on inline handlers, which are never two on a loop.
  package var concurrency: Int?
  package var handler: Handler

  package init(
    _ method: String, _ pattern: String, bodyLimit: Int = 1 << 20, concurrency: Int? = nil, _ handler: Handler
  ) {
    self.method = method
    self.pattern = pattern
    self.bodyLimit = bodyLimit
    self.concurrency = concurrency
    self.handler = handler
  }
}
