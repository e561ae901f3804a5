/// Plans of proven least cost: prices give a lower bound, covers bought at those prices a plan, and where the two meet
/// nothing better exists.
///
/// Linear in the number of workloads apart from sorting.
public struct OptimalPlanner: Planner {
  public let name = "optimal"
  public let summary = "least GPUs with a proof: price bound, exact covers, exact packing"

  public init() {}

  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    let market = Market(input)
    var unplaced: [Unplaced] = []
    var served: [Int] = []
    for workload in input.workloads.indices {
      if market.isServiceable(workload) {
        served.append(workload)
      } else {
        unplaced.append(Unserviceable.reason(input.workloads[workload], input))
      }
    }
    guard !served.isEmpty else { return market.finish([], planner: name, unplaced: unplaced) }
    let model = PriceModel(market, workloads: served, weights: input.pools.map { _ in 1 })
    let ascent = PriceAscent(model, tolerance: 0.01, limit: 60, context)
    let assignment = CoverAssignment(model, ascent)
    let packings = model.pools.map { pool in CutPacking(Array(assignment.totals[pool.columns]), pool.table) }
    let draft = CutPlacement.place(assignment, packings, model, market)
    let least = (ascent.bound - 1e-6).rounded(.up)
    return market.finish(
      draft, planner: name, unplaced: unplaced, lowerBound: ascent.bound, gap: Double(draft.count) - least)
  }
}
