import ParvaEngine

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
