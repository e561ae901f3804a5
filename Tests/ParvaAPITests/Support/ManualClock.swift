import Synchronization

/// Time that passes when a test says so.
final class ManualClock: Sendable {
  private let state = Mutex(ContinuousClock.now)

  var now: ContinuousClock.Instant { state.withLock { $0 } }

  func advance(by duration: Duration) { state.withLock { $0 += duration } }
}
