import Synchronization

/// Does one piece of work as often as it is asked for, one run at a time; those who ask while it runs share the next run.
///
/// It is how writes to the store are gathered: the more changes come, the more of them each commit carries.
final class SharedRun<Failure: Error>: Sendable {
  typealias Work = @Sendable () async -> Failure?

  private struct State {
    var isRunning = false
    /// The work of the next run, where one is asked for.
    var next: Work?
    var waiters: [CheckedContinuation<Failure?, Never>] = []
    /// Who waits for the end of the run that is under way.
    var watchers: [CheckedContinuation<Void, Never>] = []

    mutating func takeWatchers() -> [CheckedContinuation<Void, Never>] {
      defer { watchers = [] }
      return watchers
    }
  }

  private let state = Mutex(State())

  /// Asks for a run and returns at once.
  func request(_ work: @escaping Work) { ask(work, nil) }

  /// Returns when a run that began after this call has ended.
  func run(_ work: @escaping Work) async throws(Failure) {
    if let failure = await withCheckedContinuation({ ask(work, $0) }) { throw failure }
  }

  /// Returns when the run that is under way has ended, at once where there is none.
  func settle() async {
    await withCheckedContinuation { watcher in
      let isIdle = state.withLock { state in
        if state.isRunning { state.watchers.append(watcher) }
        return !state.isRunning
      }
      if isIdle { watcher.resume() }
    }
  }

  private func ask(_ work: @escaping Work, _ waiter: CheckedContinuation<Failure?, Never>?) {
    let isIdle = state.withLock { state in
      state.next = work
      if let waiter { state.waiters.append(waiter) }
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard isIdle else { return }
    // It is nobody's: whoever asks first asks for all that come while it runs, so nothing of that request goes with it.
    Task.detached { await self.runAll() }
  }

  private func runAll() async {
    while let (work, waiters) = next() {
      let failure = await work()
      for waiter in waiters { waiter.resume(returning: failure) }
      for watcher in state.withLock({ $0.takeWatchers() }) { watcher.resume() }
    }
    for watcher in state.withLock({ $0.isRunning ? [] : $0.takeWatchers() }) { watcher.resume() }
  }

  private func next() -> (Work, [CheckedContinuation<Failure?, Never>])? {
    state.withLock { state in
      guard let work = state.next else {
        state.isRunning = false
        return nil
      }
      defer { (state.next, state.waiters) = (nil, []) }
      return (work, state.waiters)
    }
  }
}
