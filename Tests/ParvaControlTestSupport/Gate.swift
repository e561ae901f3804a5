import Synchronization

/// Holds back who comes to it while it is shut, and lets a test wait for the first.
package final class Gate: Sendable {
  private struct State {
    var isOpen: Bool
    var held: [CheckedContinuation<Void, Never>] = []
    var watchers: [CheckedContinuation<Void, Never>] = []
  }

  private let state: Mutex<State>

  package init(isOpen: Bool) { state = Mutex(State(isOpen: isOpen)) }

  /// Returns at once where the gate is open, else when those held are let go.
  package func pass() async {
    await withCheckedContinuation { continuation in
      let (passes, watchers) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
        if state.isOpen { return (true, []) }
        state.held.append(continuation)
        defer { state.watchers = [] }
        return (false, state.watchers)
      }
      if passes { continuation.resume() }
      for watcher in watchers { watcher.resume() }
    }
  }

  /// Returns once somebody waits at the shut gate.
  package func untilHeld() async {
    await withCheckedContinuation { continuation in
      let isHeld = state.withLock { state in
        if state.held.isEmpty { state.watchers.append(continuation) }
        return !state.held.isEmpty
      }
      if isHeld { continuation.resume() }
    }
  }

  package func shut() { state.withLock { $0.isOpen = false } }

  package func open() {
    state.withLock { $0.isOpen = true }
    release()
  }

  /// Lets go who is held; the gate stays as it is.
  package func release() {
    let held = state.withLock { state in
      defer { state.held = [] }
      return state.held
    }
    for continuation in held { continuation.resume() }
  }
}
