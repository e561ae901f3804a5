package import ParvaEngine

/// What is to be planned, and by whom.
package struct PlanningJob: Sendable {
  package var planner: any Planner
  package var input: PlanningInput
  /// How long the planner may look for a better plan once it has one.
  package var patience: Duration
  /// Whether the planner only stands in for another that failed: its plan then has to serve more than what stands.
  package var isResort = false

  package init(planner: any Planner, input: PlanningInput, patience: Duration) {
    self.planner = planner
    self.input = input
    self.patience = patience
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

/// One planning from input to judged plan, wherever it runs.
enum PlanningDuty {
  /// A plan that ``PlanChecker`` accepts and that serves no less than the plan in force, where that still stands for this
  /// demand on this fleet as it is: then the plan in force is the better one and comes back. As slow as the planner.
  static func perform(_ job: PlanningJob) throws(PlanningFault) -> Plan {
    let input = job.input
    let plan = job.planner.plan(input, .allCores(patience: job.patience))
    if job.isResort { return try better(of: plan, or: StandingPlanner().plan(input, .serial), job) }
    try judge(plan, job)
    guard let current = input.current else { return plan }
    let served = ServedDemand(by: plan, of: input.workloads)
    guard !served.isComplete, served < ServedDemand(by: current, of: input.workloads),
      PlanChecker.violations(of: current, against: input).isEmpty
    else { return plan }
    return current
  }

  /// What stands wins where it serves as much: it moves nothing.
  private static func better(of plan: Plan, or standing: Plan, _ job: PlanningJob) throws(PlanningFault) -> Plan {
    let workloads = job.input.workloads
    if ServedDemand(by: standing, of: workloads) < ServedDemand(by: plan, of: workloads) {
      try judge(plan, job)
      return plan
    }
    try judge(standing, job)
    return standing
  }

  private static func judge(_ plan: Plan, _ job: PlanningJob) throws(PlanningFault) {
    let violations = PlanChecker.violations(of: plan, against: job.input)
    guard let first = violations.first else { return }
    throw PlanningFault(
      planner: job.planner.name, code: first.code.rawValue, message: first.message, count: violations.count)
  }
}
