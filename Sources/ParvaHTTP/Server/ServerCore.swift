import CHTTPServer
import Foundation
import Logging
import Synchronization

/// The Swift side of the C server: owns it, and answers its callbacks.
///
/// `@unchecked Sendable`: `server` is a pointer to C, set before the loops start and freed in `deinit`; what is called
/// on it here may be called from any thread (chttpserver.h).
final class ServerCore: @unchecked Sendable {
  private let slot: RouterSlot
  /// For requests that come now.
  var router: Router { slot.router }
  let logger: Logger
  let accessLog: Bool
  private let configuration: HTTPServerConfiguration
  private(set) var server: OpaquePointer?

  private struct State {
    var started = false
    var stopped = false
    var draining = false
    var waiters: [CheckedContinuation<Void, Never>] = []
    /// Streamed responses under way, which end early when the server drains.
    var streams: [ObjectIdentifier: Exchange] = [:]
  }

  private let state = Mutex(State())

  init(configuration: HTTPServerConfiguration, slot: RouterSlot, logger: Logger) {
    self.configuration = configuration
    self.slot = slot
    self.logger = logger
    accessLog = configuration.accessLog && logger.logLevel <= .info
  }

  deinit { if let server { chs_server_destroy(server) } }

  func start() throws(HTTPServerError) -> [String] {
    precondition(server == nil, "a server is started once")
    _ = chs_raise_descriptor_limit()
    let (made, message) = configuration.withC { cConfiguration in
      var callbacks = makeCallbacks()
      return withErrorText { text, size in chs_server_create(&cConfiguration, &callbacks, text, size) }
    }
    guard let made else { throw HTTPServerError(code: "cannot_listen", message: message) }
    server = made
    state.withLock { $0.started = true }
    // The loops hold an unretained pointer to this object; it lives at least until they have ended.
    let running = Unmanaged.passRetained(self)
    let failure = chs_server_start(made)
    guard failure == 0 else {
      chs_server_join(made)
      running.release()
      throw HTTPServerError(
        code: "cannot_listen", message: "cannot start threads: \(String(cString: strerror(failure)))")
    }
    return (0...).lazy.map { self.address($0) }.prefix { $0 != nil }.compactMap { $0 }
  }

  private func address(_ index: Int) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 160) { text in
      chs_server_address(server, index, text.baseAddress, text.count) ? String(cString: text.baseAddress!) : nil
    }
  }

  func shutdown(deadline: Duration) async {
    guard let server, state.withLock({ $0.started }) else { return }
    let (first, streams) = state.withLock { state in
      let first = !state.draining
      state.draining = true
      return (first, Array(state.streams.values))
    }
    chs_server_drain(server, deadline.milliseconds)
    for stream in streams { stream.cancelForDrain() }
    await withCheckedContinuation { waiter in
      let stopped = state.withLock { state in
        if !state.stopped { state.waiters.append(waiter) }
        return state.stopped
      }
      if stopped { waiter.resume() }
    }
    if first {
      chs_server_join(server)
      Unmanaged.passUnretained(self).release()
    }
  }

  func reloadCertificates() throws(HTTPServerError) {
    guard let server else { throw HTTPServerError(code: "cannot_reload", message: "the server has not started") }
    let (reloaded, message) = withErrorText { text, size in chs_server_reload_tls(server, text, size) }
    guard reloaded else { throw HTTPServerError(code: "cannot_reload", message: message) }
  }

  func setBodyMemory(_ bytes: Int, perCaller: Int) {
    if let server { chs_server_set_body_memory(server, UInt64(clamping: bytes), UInt64(clamping: perCaller)) }
  }

  /// What `on_request` has given.
  func releaseBody(_ held: HeldBody) {
    if held.raw.bytes > 0 { chs_body_release(server, held.raw) }
  }

  /// `@unchecked Sendable`: plain integers, imported from C without the conformance.
  struct HeldBody: @unchecked Sendable { let raw: chs_held }

  var statistics: HTTPServerStatistics {
    var stats = chs_stats()
    if let server { chs_server_stats(server, &stats) }
    return HTTPServerStatistics(
      connections: Int(stats.connections), accepted: Int(stats.accepted), requests: Int(stats.requests),
      refused: Int(stats.refused), evicted: Int(stats.evicted), turnedAway: Int(stats.turned_away),
      bodyBytes: Int(stats.body_bytes))
  }

  // MARK: Streams

  var isDraining: Bool { state.withLock { $0.draining } }

  /// False when the server drains already: the stream should not begin.
  func enter(_ stream: Exchange) -> Bool {
    state.withLock { state in
      if !state.draining { state.streams[ObjectIdentifier(stream)] = stream }
      return !state.draining
    }
  }

  func leave(_ stream: Exchange) { _ = state.withLock { $0.streams.removeValue(forKey: ObjectIdentifier(stream)) } }

  fileprivate func noteStopped() {
    let waiters = state.withLock { state in
      state.stopped = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}

extension ServerCore {
  /// The callbacks run on loop threads; `context` is the core, which outlives them.
  private func makeCallbacks() -> chs_callbacks {
    chs_callbacks(
      context: Unmanaged.passUnretained(self).toOpaque(),
      on_head: { context, request in ServerCore.of(context).verdict(on: request!.pointee) },
      on_request: { context, exchange, request in ServerCore.of(context).handle(request!.pointee, exchange) },
      on_refused: { context, exchange, error, peer in ServerCore.of(context).refuse(error, exchange, peer) },
      on_writable: { user in Exchange.of(user).resumeWriters() },
      on_done: { user, completed in
        Unmanaged<Exchange>.fromOpaque(user!).takeRetainedValue().end(completed: completed)
      },
      on_stopped: { context in ServerCore.of(context).noteStopped() })
  }

  private static func of(_ context: UnsafeMutableRawPointer?) -> ServerCore {
    Unmanaged<ServerCore>.fromOpaque(context!).takeUnretainedValue()
  }
}

/// Calls into C with room for a sentence about the failure.
private func withErrorText<Result>(_ body: (UnsafeMutablePointer<CChar>?, Int) -> Result) -> (Result, String) {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
    text[0] = 0
    let result = body(text.baseAddress, text.count)
    return (result, String(cString: text.baseAddress!))
  }
}
