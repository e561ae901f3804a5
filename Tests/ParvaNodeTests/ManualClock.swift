import Synchronization

/// Time that passes when a test says so, and that tells who waits for it.
final class ManualClock: Clock, Sendable {
  typealias Duration = Swift.Duration

  struct Instant: InstantProtocol {
    typealias Duration = Swift.Duration
    var offset: Duration
    func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
    func duration(to other: Instant) -> Duration { other.offset - offset }
    static func < (a: Instant, b: Instant) -> Bool { a.offset < b.offset }
  }

  private struct State {
    var now = Duration.zero
    var serial = 0
    var sleepers: [Int: (end: Duration, continuation: CheckedContinuation<Void, any Error>)] = [:]
    var watchers: [(end: Duration, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state = Mutex(State())

  var now: Instant { Instant(offset: state.withLock(\.now)) }
  let minimumResolution = Duration.zero

  func sleep(until deadline: Instant, tolerance: Duration?) async throws {
    let id = state.withLock { state in
      state.serial += 1
      return state.serial
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let (isOver, watchers) =
          state.withLock { state in
            if Task.isCancelled || deadline.offset <= state.now { return (true, []) }
            state.sleepers[id] = (deadline.offset, continuation)
            let heard = state.watchers.filter { $0.end == deadline.offset }
            state.watchers.removeAll { $0.end == deadline.offset }
            return (false, heard)
          } as (Bool, [(end: Duration, continuation: CheckedContinuation<Void, Never>)])
        for watcher in watchers { watcher.continuation.resume() }
        if isOver { continuation.resume(with: Task.isCancelled ? .failure(CancellationError()) : .success(())) }
      }
    } onCancel: {
      state.withLock { $0.sleepers.removeValue(forKey: id) }?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Lets time pass up to `end` and wakes those who waited for no later.
  func advance(to end: Duration) {
    let woken = state.withLock { state in
      state.now = max(state.now, end)
      let due = state.sleepers.filter { $0.value.end <= end }
      for id in due.keys { state.sleepers[id] = nil }
      return due.values.map(\.continuation)
    }
    for continuation in woken { continuation.resume() }
  }

  /// Returns when somebody waits for exactly this time.
  func untilAwaited(_ end: Duration) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.sleepers.values.contains(where: { $0.end == end }) { return true }
        state.watchers.append((end, continuation))
        return false
      }
      if isThere { continuation.resume() }
    }
  }
}
