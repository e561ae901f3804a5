/// Plans of proven least cost: prices give a lower bound, covers bought at those prices a plan, and where the two meet
/// nothing better exists.
///
/// Linear in the number of workloads apart from sorting; with too few GPUs in stock a logarithmic number of such runs.
public struct OptimalPlanner: Planner {
  public let name = PlannerNames.default
  public let summary = "least GPUs, money or watts, with a proof of the minimum"

  public init() {}

  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    let market = Market(input, support: .everything, context)
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
    let fleet = choice.fleet
    var rates = input.workloads.map(\.rate)
    for (workload, service) in choice.partial { rates[workload] = service.served }
    let draft = PlanFinish.finish(fleet?.draft ?? [], market, rates: rates, context)
    let cost = draft.reduce(0) { $0 + weights[$1.pool] }
    var plan = market.finish(
      draft, planner: name, unplaced: refusals.sorted { $0.key < $1.key }.map(\.value),
      partial: choice.partial.sorted { $0.key < $1.key }.map(\.value), lowerBound: fleet?.bound ?? 0,
      gap: fleet.map { max(0, cost - $0.least) } ?? 0)
    if input.options.certificate { plan.certificate = PlanCertificate(fleet, market) }
    return plan
  }
}
