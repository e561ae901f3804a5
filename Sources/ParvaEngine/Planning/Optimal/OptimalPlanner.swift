/// Plans of proven least cost: prices give a lower bound, covers bought at those prices a plan, and where the two meet
/// nothing better exists.
///
/// Linear in the number of workloads apart from sorting; with too few GPUs in stock a logarithmic number of such runs.
public struct OptimalPlanner: Planner {
  public let name = "optimal"
  public let summary = "least GPUs, money or watts, with a proof of the minimum"

  public init() {}

  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    let market = Market(input)
    var refusals: [Int: Unplaced] = [:]
    var serviceable: [Int] = []
    for workload in input.workloads.indices {
      if let refusal = market.refusal(workload) { refusals[workload] = refusal } else { serviceable.append(workload) }
    }
    let optimizer = CoverOptimizer(market, weights: input.weights, context)
    let choice = ScarcitySearch(market, optimizer, context).serve(serviceable)
    for (workload, refusal) in choice.refusals { refusals[workload] = refusal }
    let unplaced = refusals.sorted { $0.key < $1.key }.map(\.value)
    guard let outcome = choice.outcome else {
      return market.finish([], planner: name, unplaced: unplaced, lowerBound: 0, gap: 0)
    }
    return market.finish(
      CutPlacement.place(outcome.packed, outcome.model, market), planner: name, unplaced: unplaced,
      lowerBound: outcome.bound, gap: max(0, outcome.packed.cost - outcome.least))
  }
}
