import Dispatch
import Foundation
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

/// What the process has used of the machine.
enum Cores {
  /// Seconds of processor time of all threads so far, user and system.
  static var processorSeconds: Double {
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    let seconds = { (time: timeval) in Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }
}
