import ParvaEngine

/// One planning from input to judged plan, wherever it runs.
enum PlanningDuty {
  /// A plan that ``PlanChecker`` accepts and that serves no less than the plan in force would, its loads made those of this
  /// demand: then the plan in force is the better one and comes back. As slow as the planner.
  ///
  /// What quotas of GPUs do not leave in the demand is unserved, and namespaces take turns by weight; all that is said here is about
  /// the demand that comes of it.
  static func perform(_ job: PlanningJob) throws(PlanningFault) -> Plan {
    let patience = PlanningContext.patience(within: job.patience, workloads: job.input.workloads.count)
    // One clock for all that is to be known of capacities, whoever asks first.
    let context = PlanningContext.allCores(patience: patience, preparation: preparation)
    guard !job.input.quotas.isEmpty || job.input.shares.count > 1 else { return try performed(job, context) }
    let cut = QuotaCut(job.input, context)
    var rest = job
    rest.input.workloads = cut.kept
    let share = FairShare(rest.input, context)
    rest.input.workloads = share.workloads
    rest.input.current = job.input.current.map(FairShare.plain)
    // What a quota left out before is no reason of today.
    if let current = job.input.current, current.unplaced.contains(where: { $0.code == .quotaExceeded }) {
      rest.input.current?.unplaced.removeAll { $0.code == .quotaExceeded }
      if rest.input.current?.unplaced.isEmpty == true { rest.input.current?.status = .feasible }
    }
    return cut.joined(to: share.joined(to: try performed(rest, context)))
  }

  /// Capacities are worked out once, and then known: they may take longer than a plan, well below what a process is allowed.
  private static let preparation = Duration.seconds(20)

  private static func performed(_ job: PlanningJob, _ context: PlanningContext) throws(PlanningFault) -> Plan {
    let input = job.input
    let plan = job.planner.plan(input, context)
    if job.isResort { return try better(of: plan, or: StandingPlanner().plan(input, .serial), job) }
    try judge(plan, job)
    // What it says nothing of, it serves whole: it was judged.
    guard input.current != nil, !plan.unplaced.isEmpty || !plan.partial.isEmpty else { return plan }
    let served = ServedDemand(by: plan, of: input.workloads)
    var standing = StandingPlanner().plan(input, .serial)
    // Why it leaves something out, the planner knows better.
    let reasons = Dictionary(plan.unplaced.map { ($0.workload, $0) }, uniquingKeysWith: { first, _ in first })
    if standing != input.current { standing.unplaced = standing.unplaced.map { reasons[$0.workload] ?? $0 } }
    guard served < ServedDemand(by: standing, of: input.workloads),
      PlanChecker.violations(of: standing, against: input).isEmpty
    else { return plan }
    return standing
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
