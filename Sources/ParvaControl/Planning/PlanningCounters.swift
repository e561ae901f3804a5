package import ParvaServing
import Synchronization

/// What has become of plannings since this process began.
package final class PlanningCounters: Sendable {
  package struct Totals: Sendable {
    /// Seconds from the demand to a stored plan.
    package var durations = Histogram(bounds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10])
    package var failures = 0
    /// Planning processes that ended without being told to, by ``WorkerEnd/code``.
    package var workerEnds: [String: Int] = [:]
  }

  private let state = Mutex(Totals())

  package init() {}

  package var totals: Totals { state.withLock { $0 } }

  func planned(in elapsed: Duration) { state.withLock { $0.durations.add(elapsed.seconds) } }

  func workerEnded(_ end: WorkerEnd) { state.withLock { $0.workerEnds[end.code, default: 0] += 1 } }

  func failed() { state.withLock { $0.failures += 1 } }
}
