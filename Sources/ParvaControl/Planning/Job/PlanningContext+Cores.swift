import Dispatch
package import ParvaEngine
import Synchronization

extension PlanningContext {
  /// How long a planner may search within a time limit: nine tenths of it, and for very many workloads less, since what follows
  /// a search takes some microseconds for each; half of it at least.
  package static func patience(within limit: Duration, workloads: Int) -> Duration {
    max(limit * 0.5, limit * 0.9 - Duration.nanoseconds(5000) * workloads)
  }

  /// All cores of the machine, and patience for so long from the first time that the planner asks; half of it for what has to be
  /// worked out before there is a plan, such as capacities.
  ///
  /// A plan depends on the patience only where the planner was still improving it when time ran out.
  ///
  /// - Parameter preparation: time of its own for what is worked out before, in place of that half; patience then begins behind it.
  package static func allCores(patience: Duration, preparation: Duration? = nil) -> PlanningContext {
    let clock = FirstQuestion()
    let (before, limit) = (preparation == nil ? clock : FirstQuestion(), preparation ?? patience * 0.5)
    return PlanningContext(
      forEach: { count, body in
        if count < 2 {
          for index in 0..<count { body(index) }
        } else {
          DispatchQueue.concurrentPerform(iterations: count, execute: body)
        }
      },
      shouldStop: { clock.isPast(patience) }, shouldHurry: { before.isPast(limit) },
      shouldSettle: { clock.isPast(patience * 0.5) })
  }

  /// Time that passes from the first question on.
  private final class FirstQuestion: Sendable {
    private let start = Mutex<ContinuousClock.Instant?>(nil)

    func isPast(_ limit: Duration) -> Bool {
      let now = ContinuousClock.now
      let first = start.withLock { start in
        let first = start ?? now
        start = first
        return first
      }
      return now >= first + limit
    }
  }
}
