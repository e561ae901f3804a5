extension ParvaGPUPlanner {
  /// Optimal triplet decision and demand matching of one workload on one pool. O(kinds + segments).
  @Sendable static func match(
    _ workload: Int, _ pool: Int, _ market: Market
  ) -> Result<[DraftSegment], GreedyPlanning.Refusal> {
    let demand = market.input.workloads[workload]
    var optimal: (column: Int, perSlice: Double)?
    for column in market.poolColumns[pool] {
      let perSlice = market.capacity(workload, column) / Double(market.columns[column].computeSlices)
      if perSlice > optimal?.perSlice ?? 0 { optimal = (column, perSlice) }
    }
    guard let best = optimal?.column else {
      return .failure(GreedyPlanning.Refusal(unserved: nil))
    }
    let throughput = market.capacity(workload, best)
    guard demand.rate / throughput < Double(SegmentLimit.perWorkload) else {
      return .failure(GreedyPlanning.Refusal(unserved: SegmentLimit.refusal(demand, throughput: throughput)))
    }
    var count = Int(demand.rate / throughput)
    var rest = demand.rate - Double(count) * throughput
    if count > 0, rest <= demand.rate * Tolerance.relative {
      count -= 1
      rest = throughput
    }
    // `best` itself covers any remainder, so there is always such a kind.
    let last = market.poolColumns[pool].first { market.capacity(workload, $0) >= rest } ?? best
    let segment = DraftSegment(workload: workload, column: best, start: 0)
    return .success(
      [DraftSegment](repeating: segment, count: count) + [DraftSegment(workload: workload, column: last, start: 0)])
  }
}
