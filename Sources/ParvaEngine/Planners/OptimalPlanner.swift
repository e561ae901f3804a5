/// Plans of proven least cost: prices give a lower bound, covers bought at those prices a plan, and where the two meet
/// nothing better exists.
///
/// Linear in the number of workloads apart from sorting; with too few GPUs in stock a logarithmic number of such runs.
public struct OptimalPlanner: Planner {
  public let name = PlannerNames.default
  public let summary = "least GPUs, money or watts, with a proof of the minimum"
  public let provesBound = true

  /// Times that a plan is planned from again to see that it is settled.
  private static let settlingLimit = 4

  public init() {}

  public func plan(_ input: PlanningInput, _ lent: PlanningContext) -> Plan {
    let (context, hasStopped) = lent.watched()
    // A clock begins at the first question, which ends nothing.
    _ = lent.shouldHurry()
    let market = Market(input, support: .everything, context)
    // Where there was nothing to hurry with, the clock begins here.
    _ = lent.shouldStop()
    var refusals: [Int: Unserved] = [:]
    var serviceable: [Int] = []
    for workload in input.workloads.indices {
      if let refusal = market.refusal(workload) ?? market.spreadRefusal(workload) {
        refusals[workload] = refusal
      } else {
        serviceable.append(workload)
      }
    }
    let weights = market.input.weights
    let optimizer = CoverOptimizer(market, weights: weights, context)
    let choice = ScarcitySearch(market, TenantSolver(market, optimizer, context), context).serve(serviceable)
    for (workload, refusal) in choice.refusals { refusals[workload] = refusal }
    var rates = input.workloads.map(\.rate)
    for (workload, service) in choice.partial { rates[workload] = service.served }
    var fleet = choice.fleet
    if let found = fleet { fleet = TieBreak(market, context).broken(found, rates: rates) }
    if let generous = market.generous, let found = fleet {
      let served = serviceable.filter { refusals[$0] == nil }
      fleet = found.proven(in: generous, served, rates: choice.partial.mapValues(\.served), context)
    }
    let fresh = fleet?.draft ?? []
    let prices = fleet?.prices(market)
    var draft = PlanFinish.finish(fresh, market, rates: rates, prices: prices, context)
    let unplaced = refusals.sorted { $0.key < $1.key }.map(\.value)
    let partial = choice.partial.sorted { $0.key < $1.key }.map(\.value)
    func named(_ draft: [DraftGPU]) -> Plan {
      let cost = draft.reduce(0) { $0 + weights[$1.pool] }
      return market.finish(
        draft, planner: name, unplaced: unplaced, partial: partial, lowerBound: fleet?.bound ?? 0,
        gap: fleet.map { cost - $0.least > 1e-9 * max(1, cost) ? cost - $0.least : 0 } ?? 0)
    }
    var plan = named(draft)
    // Where moving has a price, a plan is settled when planning from it again moves nothing more.
    if market.hasMoveCost, let current = input.current, !current.gpus.isEmpty {
      for _ in 0..<Self.settlingLimit where !context.shouldStop() {
        var settling = market
        settling.input.current = plan
        draft = PlanFinish.finish(fresh, settling, rates: rates, prices: prices, context)
        let next = named(draft)
        guard next != plan else { break }
        plan = next
      }
    }
    plan.summary.isCutShort = hasStopped()
    if input.options.certificate { plan.certificate = PlanCertificate(fleet, market) }
    return plan
  }
}
