import Synchronization

/// Lets a bounded number of requests run at a time, in order of arrival.
final class RequestLimit: Sendable {
  private struct State {
    var free: Int
    var queue: [CheckedContinuation<Void, Never>] = []
  }

  private let state: Mutex<State>

  init(_ most: Int) { state = Mutex(State(free: max(1, most))) }

  func run<Value: Sendable, Failure: Error>(
    _ body: @Sendable () async throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        guard state.free > 0 else {
          state.queue.append(continuation)
          return false
        }
        state.free -= 1
        return true
      }
      if isFree { continuation.resume() }
    }
    defer { leave() }
    return try await body()
  }

  private func leave() {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if state.queue.isEmpty {
        state.free += 1
        return nil
      }
      return state.queue.removeFirst()
    }
    next?.resume()
  }
}
