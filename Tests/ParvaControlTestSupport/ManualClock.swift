import Synchronization

/// Time that passes when a test says so.
package final class ManualClock: Sendable {
  private let state = Mutex(ContinuousClock.now)

  package init() {}

  package var now: ContinuousClock.Instant { state.withLock { $0 } }

  package func advance(by duration: Duration) { state.withLock { $0 += duration } }
}
