import ParvaEngine
package import ParvaServing
import Synchronization

/// What has become of plannings since this process began.
package final class PlanningCounters: Sendable {
  package struct Totals: Sendable {
    /// Seconds from the demand to a stored plan.
    package var durations = Histogram(bounds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10])
    package var failures = 0
    /// Plans that differed from the one before them.
    package var revisions = 0
    /// What they were to change of the plans before them.
    package var churn = Churn()
    /// Planning processes that ended without being told to, by ``WorkerEnd/code``.
    package var workerEnds: [String: Int] = [:]
    /// Loads that were tried at points to find capacities, see ``CapacityNews/trials``.
    package var triedLoads = 0
  }

  /// MIG instances, as plans have them.
  package struct Churn: Hashable, Sendable {
    package var created = 0
    package var destroyed = 0
    package var kept = 0
  }

  private let state = Mutex(Totals())

  package init() {}

  package var totals: Totals { state.withLock { $0 } }

  func planned(in elapsed: Duration) { state.withLock { $0.durations.add(elapsed.seconds) } }

  /// A plan has got a revision of its own.
  ///
  /// - Parameter change: from the plan before it; nil where there was none.
  func published(_ change: PlanDiff?) {
    state.withLock { totals in
      totals.revisions += 1
      guard let change else { return }
      totals.churn.created += change.instancesCreated
      totals.churn.destroyed += change.instancesDestroyed
      totals.churn.kept += change.instancesKept
    }
  }

  func workerEnded(_ end: WorkerEnd) { state.withLock { $0.workerEnds[end.code, default: 0] += 1 } }

  func triedLoads(_ count: Int) { state.withLock { $0.triedLoads += count } }

  func failed() { state.withLock { $0.failures += 1 } }
}
