/// The frame of planners that choose the segments of each workload by itself and then place them all on the first pool.
struct GreedyPlanning {
  struct Refusal: Error {
    var unplaced: Unserved
  }

  /// Segments of one workload, without places, or why there are none.
  let match: @Sendable (_ workload: Int, _ market: Market) -> Result<[DraftSegment], Refusal>
  /// GPUs that hold these segments, given workload by workload in order of the input.
  let allocate: @Sendable (_ segments: [DraftSegment], _ market: Market) -> [DraftGPU]

  /// Where the stock holds fewer GPUs than the demand needs, workloads are dropped from the end of the order of service
  /// until it does. O(log of the workloads dropped) allocations where each round frees what it asks for.
  func plan(_ market: Market, planner: String) -> Plan {
    var unplaced: [Int: Unserved] = [:]
    var segments: [[DraftSegment]] = []
    for workload in market.input.workloads.indices {
      switch match(workload, market) {
      case .success(let matched): segments.append(matched)
      case .failure(let reason):
        segments.append([])
        unplaced[workload] = reason.unplaced
      }
    }
    let limit = market.input.pools[0].count ?? Int.max
    var served = StockLimit.order(market.input.workloads.indices.filter { !segments[$0].isEmpty }, market)
    var draft = allocate(served.sorted().flatMap { segments[$0] }, market)
    while draft.count > limit, !served.isEmpty {
      // Each round drops at least one workload and never more than the GPUs in excess ask for.
      let dropped = served.suffix(max(1, StockLimit.workloads(served, segments, market, toFree: draft.count - limit)))
      served.removeLast(dropped.count)
      for workload in dropped { unplaced[workload] = StockLimit.refusal(workload, needs: draft.count, market) }
      draft = allocate(served.sorted().flatMap { segments[$0] }, market)
    }
    return market.finish(draft, planner: planner, unplaced: unplaced.sorted { $0.key < $1.key }.map(\.value))
  }
}
