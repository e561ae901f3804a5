/// The published method: optimal triplets, demand matching, segment relocation and allocation optimization
/// (SC'24, arXiv 2409.14447, sections 3 and 4), with legal placements on any geometry.
///
/// It plans on the first pool. O(segments x occupancy states).
public struct ParvaGPUPlanner: Planner {
  public let name = "parvagpu"
  public let summary = "the published SC'24 heuristic on the first pool"

  public init() {}

  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    let market = Market(input)
    var unplaced: [Int: Unplaced] = [:]
    var segments: [[DraftSegment]] = []
    for workload in input.workloads.indices {
      switch ParvaGPUPlanner.match(workload, market) {
      case .success(let matched): segments.append(matched)
      case .failure(let reason):
        segments.append([])
        unplaced[workload] = reason.unplaced
      }
    }
    let limit = input.pools[0].count ?? Int.max
    var served = StockLimit.order(input.workloads.indices.filter { !segments[$0].isEmpty }, market)
    var draft = allocate(segments, served, market)
    while draft.count > limit, !served.isEmpty {
      // Each round drops at least one workload and never more than the GPUs in excess ask for.
      let dropped = served.suffix(max(1, StockLimit.workloads(served, segments, market, toFree: draft.count - limit)))
      served.removeLast(dropped.count)
      for workload in dropped { unplaced[workload] = StockLimit.refusal(workload, needs: draft.count, market) }
      draft = allocate(segments, served, market)
    }
    return market.finish(draft, planner: name, unplaced: unplaced.sorted { $0.key < $1.key }.map(\.value))
  }

  /// Relocation, then the optimization step where the options ask for it.
  private func allocate(_ segments: [[DraftSegment]], _ served: [Int], _ market: Market) -> [DraftGPU] {
    var relocation = SegmentRelocation(market)
    relocation.place(served.sorted().flatMap { segments[$0] })
    return market.input.options.allocationOptimization
      ? AllocationOptimization.run(relocation, market) : relocation.gpus
  }
}
