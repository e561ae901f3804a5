/// The published method: optimal triplets, demand matching, segment relocation and allocation optimization
/// (SC'24, arXiv 2409.14447, sections 3 and 4), with legal placements on any geometry.
///
/// O(pools x segments x occupancy states).
public struct ParvaGPUPlanner: Planner {
  public let name = "parvagpu"
  public let summary = "the published SC'24 heuristic, pool by pool"

  public init() {}

  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    ParvaGPUPlanner.method.plan(Market(input, context), planner: name)
  }

  /// Demand matching, relocation, then the optimization step where the options ask for it.
  static let method = GreedyPlanning(
    match: ParvaGPUPlanner.match,
    allocate: { segments, pool, market in
      var relocation = SegmentRelocation(market, pool)
      relocation.place(segments)
      return market.input.options.allocationOptimization
        ? AllocationOptimization.run(relocation, pool, market) : relocation.gpus
    })
}
