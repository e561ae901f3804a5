import CHTTPServer
import Foundation
import Synchronization

/// One request whose answer takes a while: its task and its departing stream.
///
/// The C side holds one reference from `on_request` to `on_done`, which it calls exactly once.
final class Exchange: Sendable {
  private let core: ServerCore
  /// The routes that were there when the request came.
  private let router: Router
  private let token: Token
  private let request: HTTPRequest
  /// Bytes of its body that count for all bodies together, for as long as somebody may have it.
  private let held: ServerCore.HeldBody
  private let began: ContinuousClock.Instant?

  /// `@unchecked Sendable`: plain integers, imported from C without the conformance.
  private struct Token: @unchecked Sendable { var raw: chs_exchange }

  private struct State {
    var task: Task<Void, Never>?
    var writers: [CheckedContinuation<Void, any Error>] = []
    var over = false
  }

  private let state = Mutex(State())

  init(
    core: ServerCore, router: Router, token: chs_exchange, request: HTTPRequest, held: ServerCore.HeldBody,
    began: ContinuousClock.Instant?
  ) {
    self.core = core
    self.router = router
    self.token = Token(raw: token)
    self.request = request
    self.held = held
    self.began = began
  }

  deinit { core.releaseBody(held) }

  static func of(_ user: UnsafeMutableRawPointer?) -> Exchange {
    Unmanaged<Exchange>.fromOpaque(user!).takeUnretainedValue()
  }

  /// Runs the handler on the worker pool, or the rest of what has begun.
  func run(route index: Int, from beginning: Route.Beginning?) {
    var rest: Route.Rest?
    if case .rest(let work)? = beginning { rest = work }
    start { [rest] in
      let answer = await self.router.run(index, self.request, rest: rest)
      let response = self.router.finish(answer, of: self.request)
      await self.answer(response, to: self.request)
    }
  }

  /// Answers what has to wait before the gate can judge it.
  func run(after wait: @escaping @Sendable () async -> Void) {
    start {
      let (request, response) = await self.router.respond(to: self.request, after: wait)
      await self.answer(response, to: request)
    }
  }

  /// Takes over a response that an inline handler made and that has to be streamed or compressed.
  func finish(_ response: HTTPResponse) {
    start { await self.answer(self.router.finish(response, of: self.request), to: self.request) }
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

  private func answer(_ response: HTTPResponse, to request: HTTPRequest) async {
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
    let (task, writers) = state.withLock { state in
      state.over = true
      defer { state.writers = [] }
      return (state.task, state.writers)
    }
    task?.cancel()
    for writer in writers { writer.resume(throwing: CancellationError()) }
  }
}
