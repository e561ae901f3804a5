/// Settles what a plan says of itself beyond what ``PlanChecker`` sees in it: who made it and how, that nothing costs less, and
/// that nobody was refused who could be served.
///
/// Sums and comparisons are its own. What no certificate proves is settled by a search from the beginning, which is the
/// planner's own code: it tells a plan that was changed on its way, not a fault of the planner.
public struct PlanAudit {
  /// What came of it.
  public struct Findings: Hashable, Sendable {
    public var violations: [PlanViolation] = []
    /// What the plan's certificate proves; nil without one.
    public var proof: CertificateVerdict?
    /// What could neither be verified nor refuted.
    public var reservations: [PlanReservation] = []
    /// Whether a search from the beginning proved what the plan says of its cost.
    public var isProvenAgain = false
  }

  private let plan: Plan
  /// What the claims are about: the demand, and the options that the plan names.
  private let input: PlanningInput
  private let proof: CertificateVerdict?
  private let search: () -> PlanningContext

  /// Reasons that lie outside demand, pools and profiles.
  private static let foreign: Set<Unserved.Code> = [.notPlanned, .quotaExceeded, .unsupportedConstraint]

  /// Everything that can be found of a plan, its own words against demand, pools, profiles and rule of `input`.
  ///
  /// - Parameters:
  ///   - maxProcesses: most processes on an instance that the plan may have and its claims are about; nil for what it says.
  ///   - context: lends cores and patience, anew to the judge and to each of at most two searches.
  /// - Complexity: O(segments + workloads) beside what the rule takes to judge; where no certificate settles what the plan
  ///   says, or somebody is refused, as long as planning twice.
  public static func findings(
    of plan: Plan, against input: PlanningInput, maxProcesses: Int? = nil, _ context: @escaping () -> PlanningContext
  ) -> Findings {
    var asked = input
    asked.options.maxProcesses = maxProcesses ?? plan.maxProcesses ?? .max
    asked.options.margin = plan.margin ?? 0
    var bare = plan
    bare.certificate = nil
    var found = Findings()
    found.violations = PlanChecker.violations(of: bare, against: asked, context()) + violations(inWordsOf: plan)
    found.proof = plan.certificate.map { CertificateChecker(asked, plan).judge($0) }
    found.violations += found.proof?.violations ?? []
    let isSound = found.violations.isEmpty
    let audit = PlanAudit(plan, asked, found.proof, maxProcesses, context)
    audit.checkFigures(&found)
    audit.reserve(&found)
    if isSound { audit.settle(&found) }
    return found
  }

  private init(
    _ plan: Plan, _ input: PlanningInput, _ proof: CertificateVerdict?, _ maxProcesses: Int?,
    _ search: @escaping () -> PlanningContext
  ) {
    (self.plan, self.proof, self.search) = (plan, proof, search)
    let used = plan.gpus.flatMap(\.segments).map(\.processes).max() ?? 1
    var input = input
    input.options.objective = plan.objective ?? plan.certificate?.objective ?? .gpus
    input.options.maxProcesses =
      maxProcesses ?? plan.maxProcesses ?? plan.certificate?.maxProcesses
      ?? max(used, PlanningOptions().maxProcesses)
    (input.options.certificate, input.options.headroom) = (false, false)
    (input.options.maxExtraGPUs, input.options.moveCost) = (0, 0)
    input.current = nil
    self.input = input
  }

  // MARK: - Words and figures

  /// What the plan says about how it came about, against what there is: planner, rule, margin, processes, status. O(segments).
  public static func violations(inWordsOf plan: Plan) -> [PlanViolation] {
    var found: [PlanViolation] = []
    func wrong(_ message: String) { found.append(PlanViolation(.wrongClaim, message)) }
    let hasBound = plan.summary.lowerBound != nil || plan.status == .optimal
    let known: [any Planner] = Planners.all + [StandingPlanner()]
    if let planner = known.first(where: { $0.name == plan.planner }) {
      if planner.provesBound, plan.summary.lowerBound == nil {
        wrong("planner \(planner.name) gives a bound, the plan has none")
      }
      if !planner.provesBound, hasBound || plan.objective != nil {
        wrong("planner \(planner.name) minimises nothing and proves no bound, the plan says that it does")
      }
    } else {
      wrong("there is no planner \"\(plan.planner)\"")
    }
    if let rule = AdmissionRule.named(plan.admission) {
      if plan.margin != nil, !rule.takesMargin {
        wrong("rule \(rule.name) keeps no margin, the plan says \(plan.margin ?? 0)")
      }
    } else {
      wrong("there is no admission rule \"\(plan.admission)\"")
    }
    let used = plan.gpus.flatMap(\.segments).map(\.processes).max() ?? 0
    if let most = plan.maxProcesses, used > most {
      wrong("the plan says at most \(most) processes on an instance and has \(used)")
    }
    if plan.status == .feasible, plan.summary.gap == 0, plan.partial.isEmpty {
      found.append(PlanViolation(.wrongStatus, "a plan of gap 0 that serves all is optimal, not feasible"))
    }
    return found
  }

  /// What a plan says that is judged without its demand.
  public static func reservation(without plan: Plan) -> PlanReservation {
    PlanReservation(
      claim: plan.summary.lowerBound == nil ? "capacity" : "lowerBound",
      reason: "capacities, coverage, sums, bounds and refusals are judged against demand, profiles and pools alone")
  }

  /// The cost, less the gap, is the least that the bound allows.
  private func checkFigures(_ found: inout Findings) {
    guard let bound = plan.summary.lowerBound, let gap = plan.summary.gap else { return }
    let objective = CheckedObjective(input.options.objective, input.pools)
    let (cost, least) = (objective.cost(of: plan), objective.least(from: bound))
    guard (cost - gap - least).magnitude > tolerance(cost) else { return }
    found.violations.append(
      PlanViolation(
        .wrongSummary,
        "the plan costs \(cost) (\(input.options.objective.name)); its bound \(bound) allows \(least), its gap \(gap) says "
          + "\(cost - gap)"))
  }

  /// Names what only others could know.
  private func reserve(_ found: inout Findings) {
    let listed = Set(input.pools.lazy.filter { !$0.nodes.isEmpty }.map(\.name))
    let foreign = plan.gpus.count { $0.node != nil && !listed.contains($0.pool) }
    if foreign > 0 {
      found.reservations.append(
        PlanReservation(claim: "node", reason: "\(foreign) GPUs name a node, and their pools list none"))
    }
    if plan.gpus.contains(where: { $0.uuid != nil }) {
      found.reservations.append(PlanReservation(claim: "uuid", reason: "only the nodes know which GPUs they have"))
    }
    if plan.summary.isCutShort {
      found.reservations.append(PlanReservation(claim: "cutShort", reason: "the plan says that time was over"))
    }
    if Planners.named(plan.planner)?.provesBound != true {
      found.reservations.append(PlanReservation(claim: "planner", reason: "a plan without a bound can be anybody's"))
    }
  }

  // MARK: - Search

  /// Whether there is something to prove, and no certificate has done so.
  private var isOpen: Bool {
    guard plan.summary.lowerBound != nil || plan.status == .optimal else { return false }
    guard let proof, proof.violations.isEmpty, proof.maxProcesses >= input.options.maxProcesses,
      let bound = proof.verifiedBound,
      let least = proof.verifiedLeast
    else { return true }
    return (plan.summary.lowerBound ?? 0) > bound + tolerance(proof.cost)
      || proof.cost - (plan.summary.gap ?? 0) > least + tolerance(proof.cost)
  }

  private func settle(_ found: inout Findings) {
    let foreign = Set(plan.unplaced.lazy.filter { Self.foreign.contains($0.code) }.map(\.workload))
    let held = Dictionary(
      plan.partial.lazy.filter { Self.foreign.contains($0.code) }.map { ($0.workload, $0.served) },
      uniquingKeysWith: { first, _ in first })
    if !foreign.isEmpty || !held.isEmpty {
      found.reservations.append(
        PlanReservation(
          claim: "unplaced",
          reason: "\(foreign.count + held.count) refusals have reasons outside demand, pools and profiles"))
    }
    let isWhole = plan.unplaced.count == foreign.count && plan.partial.count == held.count
    guard isOpen || !isWhole else { return }
    var demand = input
    demand.workloads = demand.workloads.compactMap { workload in
      guard !foreign.contains(workload.id) else { return nil }
      guard let rate = held[workload.id] else { return workload }
      return Self.settled(workload, at: rate)
    }
    let again = Planners.default.plan(demand, search())
    if !isWhole { compareService(with: again, demand, held, &found) }
    guard isOpen else { return }
    if serves(the: again, held) {
      prove(by: again, &found)
    } else {
      let refused = Set(plan.unplaced.map(\.workload))
      let rates = Dictionary(plan.partial.map { ($0.workload, $0.served) }, uniquingKeysWith: { first, _ in first })
      demand.workloads = input.workloads.filter { !refused.contains($0.id) }.map { workload in
        rates[workload.id].map { Self.settled(workload, at: $0) } ?? workload
      }
      prove(by: Planners.default.plan(demand, search()), &found)
    }
  }

  private static func settled(_ workload: Workload, at rate: Double) -> Workload {
    var workload = workload
    (workload.rate, workload.allowsPartial) = (rate, false)
    return workload
  }

  /// Whether both serve the same workloads at the same rates.
  private func serves(the again: Plan, _ held: [String: Double]) -> Bool {
    let own = plan.partial.filter { held[$0.workload] == nil }
    let rates = Dictionary(again.partial.map { ($0.workload, $0.served) }, uniquingKeysWith: { first, _ in first })
    return Set(again.unplaced.map(\.workload))
      == Set(plan.unplaced.lazy.filter { !Self.foreign.contains($0.code) }.map(\.workload))
      && own.count == again.partial.count
      && own.allSatisfy { part in rates[part.workload].map { PlanChecker.same($0, part.served) } ?? false }
  }

  /// Who is refused must be so in a plan made anew, and for the same reason.
  private func compareService(
    with again: Plan, _ demand: PlanningInput, _ held: [String: Double], _ found: inout Findings
  ) {
    var own = plan
    own.partial.removeAll { held[$0.workload] != nil }
    let (served, most) = (ServedDemand(by: own, of: demand.workloads), ServedDemand(by: again, of: demand.workloads))
    // Who promises nothing of the kind may refuse more: heuristics, a search whose time was over, and shares of namespaces.
    let isBound =
      Planners.named(plan.planner)?.provesBound == true && !plan.summary.isCutShort
      && Set(input.workloads.map(\.namespace)).count < 2
    if served < most {
      let reached = Set(again.unplaced.map(\.workload))
      let example =
        plan.unplaced.first { !reached.contains($0.workload) }?.workload ?? plan.partial.first?.workload ?? ""
      let reason = "a plan made anew serves more, \(example) for one"
      if isBound {
        found.violations.append(PlanViolation(.wrongRefusal, workload: example, reason))
      } else {
        found.reservations.append(PlanReservation(claim: "unplaced", reason: reason))
      }
      return
    }
    if most < served || again.summary.isCutShort {
      found.reservations.append(PlanReservation(claim: "unplaced", reason: "a search anew does not come to an end"))
    }
    guard isBound, !again.summary.isCutShort else { return }
    let codes = Dictionary(
      again.unplaced.map { ($0.workload, $0.code) } + again.partial.map { ($0.workload, $0.code) },
      uniquingKeysWith: { first, _ in first })
    let reasons = plan.unplaced.map { ($0.workload, $0.code) } + own.partial.map { ($0.workload, $0.code) }
    for (workload, code) in reasons {
      guard !Self.foreign.contains(code), let other = codes[workload], other != code else { continue }
      found.violations.append(
        PlanViolation(
          .wrongRefusal, workload: workload,
          "\(workload) is said to be refused as \(code.rawValue), the reason is \(other.rawValue)"))
    }
  }

  /// Compares what the plan says of its cost with a plan of the same service.
  private func prove(by again: Plan, _ found: inout Findings) {
    let objective = CheckedObjective(input.options.objective, input.pools)
    let (cost, other) = (objective.cost(of: plan), objective.cost(of: again))
    let slack = tolerance(cost)
    let isLeast = plan.status == .optimal || plan.summary.gap == 0
    let claimed = isLeast ? cost : cost - (plan.summary.gap ?? cost)
    let bound = plan.summary.lowerBound ?? 0
    let isSame = again.unplaced.isEmpty || serves(the: again, [:])
    if isSame, other < max(claimed, bound) - slack {
      let claim = isLeast ? "this one \(cost)" : "this one says that none costs less than \(max(claimed, bound))"
      found.violations.append(PlanViolation(.notOptimal, "a plan for the same demand costs \(other), \(claim)"))
      return
    }
    let least = isSame ? other - (again.summary.gap ?? other) : 0
    if least >= claimed - slack, max(least, again.summary.lowerBound ?? 0) >= bound - slack {
      found.isProvenAgain = true
      return
    }
    let reason =
      "there is no certificate that does, and a search anew proves no more than \(least) (\(input.options.objective.name)"
      + (plan.objective == nil ? "; the plan does not say what it minimises)" : ")")
    if isLeast {
      found.violations.append(PlanViolation(.unproven, "nothing proves that no plan costs less: \(reason)"))
    } else {
      found.reservations.append(PlanReservation(claim: "lowerBound", reason: reason))
    }
  }

  /// Difference below which two amounts of an objective are the same.
  private func tolerance(_ cost: Double) -> Double { 1e-6 * max(1, cost) }
}
