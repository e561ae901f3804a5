/// Why a job gave no plan. The process that asked goes on in every case.
package enum PlanningFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The planner's plan broke a rule.
  case refused(PlanningFault)
  /// The process that planned came to its end; `isFresh` where this was its first job.
  case ended(WorkerEnd, isFresh: Bool)
  /// Nobody wants plans any more.
  case stopped

  /// Stable, for logs, metrics and clients.
  package var code: String {
    switch self {
    case .refused: "plan_refused"
    case .ended(let end, _): end.code
    case .stopped: "stopped"
    }
  }

  package var description: String {
    switch self {
    case .refused(let fault): fault.description
    case .ended(let end, _): end.description
    case .stopped: "the controller stops"
    }
  }

  /// Whether the same job may well succeed in a fresh process.
  ///
  /// Planners are deterministic but for the clock and what a process has gathered before: a trap in the first job of a
  /// process, too much memory there or too much time will come again.
  var mayBeTransient: Bool {
    switch self {
    case .refused, .stopped: false
    case .ended(let end, let isFresh):
      switch end {
      case .signal(let signal): !isFresh || !WorkerEnd.traps.contains(signal)
      case .status, .garbled, .notStarted: true
      case .tooMuchMemory: !isFresh
      case .tooLong: false
      }
    }
  }
}

/// A planner gave a plan that the checker refuses; it is a fault of the planner and the plan is not published.
package struct PlanningFault: Error, Sendable, Hashable, CustomStringConvertible {
  package var planner: String
  /// ``PlanViolation/Code`` of the first violation, and its sentence.
  package var code: String
  package var message: String
  package var count: Int

  package var description: String {
    "planner \(planner) broke \(count) rule\(count == 1 ? "" : "s"), first \(code): \(message)"
  }
}
