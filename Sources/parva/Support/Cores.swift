import Dispatch
import ParvaEngine

extension PlanningContext {
  /// All cores of the machine, and patience for `deadline` from now.
  ///
  /// A plan depends on the deadline only where the planner was still improving it when time ran out.
  static func allCores(deadline: Duration) -> PlanningContext {
    let end = ContinuousClock.now + deadline
    return PlanningContext(
      forEach: { count, body in
        if count < 2 {
          for index in 0..<count { body(index) }
        } else {
          DispatchQueue.concurrentPerform(iterations: count, execute: body)
        }
      }, shouldStop: { ContinuousClock.now >= end })
  }
}
