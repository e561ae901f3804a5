import Synchronization

/// Lets one in at a time, in order of arrival. An actor alone lets another in while the first waits for the store.
final class SerialGate: Sendable {
  private struct State {
    var isBusy = false
    var queue: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  func enter() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.isBusy {
          state.queue.append(continuation)
          return false
        }
        state.isBusy = true
        return true
      }
      if isFree { continuation.resume() }
    }
  }

  func leave() {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if state.queue.isEmpty {
        state.isBusy = false
        return nil
      }
      return state.queue.removeFirst()
    }
    next?.resume()
  }
}
