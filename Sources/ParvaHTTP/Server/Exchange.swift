import CHTTPServer
import Foundation
import Synchronization

/// One request whose answer takes a while: its task, its arriving body, its departing stream.
///
/// The C side holds one reference from `on_request` to `on_done`, which it calls exactly once.
final class Exchange: Sendable {
  private let core: ServerCore
  private let token: Token
  private let request: HTTPRequest
  private let began: ContinuousClock.Instant?

  /// `@unchecked Sendable`: plain integers, imported from C without the conformance.
  private struct Token: @unchecked Sendable { var raw: chs_exchange }

  private enum BodyState {
    case waiting(CheckedContinuation<Data?, any Error>?)
    case chunk(Data)
    case ended
    case broken
  }

  private struct State {
    var task: Task<Void, Never>?
    var body = BodyState.waiting(nil)
    var writers: [CheckedContinuation<Void, any Error>] = []
    var over = false
  }

  private let state = Mutex(State())

  init(core: ServerCore, token: chs_exchange, request: HTTPRequest, began: ContinuousClock.Instant?) {
    self.core = core
    self.token = Token(raw: token)
    self.request = request
    self.began = began
  }

  static func of(_ user: UnsafeMutableRawPointer?) -> Exchange {
    Unmanaged<Exchange>.fromOpaque(user!).takeUnretainedValue()
  }

  /// Runs the handler on the worker pool, or the rest of what has begun.
  func run(route index: Int, from beginning: Route.Beginning?, streamed: Bool) {
    var rest: Route.Rest?
    if case .rest(let work)? = beginning { rest = work }
    start { [rest] in
      let body = streamed ? HTTPBodyStream { try await self.pull() } : nil
      let answer = await self.core.router.run(index, self.request, rest: rest, body: body)
      let response = self.core.router.finish(answer, of: self.request)
      await self.answer(response)
    }
  }

  /// Takes over a response that an inline handler made and that has to be streamed or compressed.
  func finish(_ response: HTTPResponse) {
    start { await self.answer(self.core.router.finish(response, of: self.request)) }
  }

  private func start(_ work: @escaping @Sendable () async -> Void) {
    let task = Task { await work() }
    // The connection may have died before the task was noted.
    if state.withLock({
      $0.task = task; return $0.over
    }) {
      task.cancel()
    }
  }

  private func answer(_ response: HTTPResponse) async {
    core.send(response, token.raw)
    core.log(request, response, began)
    guard let stream = response.stream else { return }
    var complete = false
    if core.enter(self) {
      do {
        try await stream(HTTPBodyWriter { try await self.write($0) })
        complete = true
      } catch {
        // Cut short by a drain, the stream ends cleanly and its client comes back elsewhere.
        complete = core.isDraining
      }
      core.leave(self)
    } else {
      complete = true
    }
    chs_stream_end(core.server, token.raw, complete)
  }

  // MARK: Request body

  private func pull() async throws -> Data? {
    try await withCheckedThrowingContinuation { continuation in
      let ready: Result<Data?, any Error>? = state.withLock { state in
        switch state.body {
        case .waiting:
          state.body = .waiting(continuation)
          return nil
        case .chunk(let data):
          state.body = .waiting(nil)
          return .success(data)
        case .ended:
          return .success(nil)
        case .broken:
          return .failure(Self.brokenBody)
        }
      }
      guard let ready else { return }
      if case .success(.some) = ready { chs_body_resume(core.server, token.raw) }
      continuation.resume(with: ready)
    }
  }

  /// On the loop: a piece of the body has come.
  func take(_ bytes: UnsafeRawBufferPointer, last: Bool) {
    let data = bytes.isEmpty ? nil : Data(bytes)
    let reader: CheckedContinuation<Data?, any Error>? = state.withLock { state in
      guard case .waiting(let reader) = state.body else { return nil }
      if last {
        state.body = .ended
      } else if reader != nil {
        state.body = .waiting(nil)
      } else if let data {
        state.body = .chunk(data)
      }
      return reader
    }
    guard let reader else { return }
    if !last { chs_body_resume(core.server, token.raw) }
    reader.resume(returning: data)
  }

  private static let brokenBody = ProblemDetails(
    status: 400, code: "body_incomplete", detail: "The request body broke off or was refused.")

  // MARK: Response stream

  private func write(_ bytes: Data) async throws {
    try await withCheckedThrowingContinuation { (writer: CheckedContinuation<Void, any Error>) in
      let over = state.withLock { state in
        if !state.over { state.writers.append(writer) }
        return state.over
      }
      guard !over else { return writer.resume(throwing: CancellationError()) }
      bytes.withUnsafeBytes { chs_stream_write(core.server, token.raw, $0.baseAddress, $0.count) }
    }
  }

  /// On the loop: what was written has been taken.
  func resumeWriters() {
    let writers = state.withLock { state in
      defer { state.writers = [] }
      return state.writers
    }
    for writer in writers { writer.resume() }
  }

  /// The server drains: the producer is to stop, the connection stays for the end of the body.
  func cancelForDrain() {
    close()
  }

  /// The last call of C for this exchange.
  func end(completed: Bool) {
    if completed {
      state.withLock { $0.over = true }
      resumeWriters()
    } else {
      close()
    }
  }

  private func close() {
    let (task, reader, writers) = state.withLock { state in
      state.over = true
      var reader: CheckedContinuation<Data?, any Error>?
      if case .waiting(let waiting) = state.body { reader = waiting }
      state.body = .broken
      defer { state.writers = [] }
      return (state.task, reader, state.writers)
    }
    task?.cancel()
    reader?.resume(throwing: Self.brokenBody)
    for writer in writers { writer.resume(throwing: CancellationError()) }
  }
}
