import Dispatch
package import ParvaEngine
import Synchronization

extension PlanningContext {
  /// How long a planner may search within a time limit: nine tenths of it, and for very many workloads less, since what follows
  /// a search takes some microseconds for each; half of it at least.
  package static func patience(within limit: Duration, workloads: Int) -> Duration {
    max(limit * 0.5, limit * 0.9 - Duration.nanoseconds(5000) * workloads)
  }

  /// All cores of the machine, and patience for so long from the first time that the planner asks, which is when it has
  /// a plan that it may improve. What has to be worked out before, such as capacities, does not count.
  ///
  /// A plan depends on the patience only where the planner was still improving it when time ran out.
  package static func allCores(patience: Duration) -> PlanningContext {
    let end = Mutex<ContinuousClock.Instant?>(nil)
    return PlanningContext(
      forEach: { count, body in
        if count < 2 {
          for index in 0..<count { body(index) }
        } else {
          DispatchQueue.concurrentPerform(iterations: count, execute: body)
        }
      },
      shouldStop: {
        let now = ContinuousClock.now
        let deadline = end.withLock { end in
          let deadline = end ?? now + patience
          end = deadline
          return deadline
        }
        return now >= deadline
      })
  }
}
