/// The frame of planners that choose the segments of each workload by itself and then place them all.
///
/// Pools that no workload can tell apart are one here. The others take their turns in order, and what one of them cannot
/// serve whole goes on to the next.
struct GreedyPlanning {
  struct Refusal: Error {
    /// Nil where the pool has no offer for the workload.
    var unserved: Unserved?
  }

  /// Segments of one workload on one pool, without places, or why there are none.
  let match: @Sendable (_ workload: Int, _ pool: Int, _ market: Market) -> Result<[DraftSegment], Refusal>
  /// GPUs of the pool that hold these segments, given workload by workload in order of the input.
  let allocate: @Sendable (_ segments: [DraftSegment], _ pool: Int, _ market: Market) -> [DraftGPU]

  func plan(_ market: Market, planner: String) -> Plan {
    var unserved = Array(market.input.workloads.indices)
    var reasons: [Int: Unserved] = [:]
    var draft: [DraftGPU] = []
    for pool in market.input.pools.indices where !unserved.isEmpty {
      let (gpus, refused) = fill(pool, with: unserved, market)
      draft += gpus
      // A pool that is too small says more than one that the workload cannot use.
      for (workload, refusal) in refused where refusal?.code == .noStock || reasons[workload] == nil {
        reasons[workload] = refusal
      }
      unserved = refused.map(\.workload)
    }
    return market.finish(
      draft, planner: planner, unplaced: unserved.map { reasons[$0] ?? market.unserviceable($0) })
  }

  /// Serves what it can of the workloads on one pool. Where that has fewer GPUs than they need, workloads are dropped from
  /// the end of the order of service until it suffices. O(log of the workloads dropped) allocations where each round
  /// frees what it asks for.
  ///
  /// - Returns: the workloads that are left, in order, each with the reason; nil where the pool has no offer.
  private func fill(
    _ pool: Int, with workloads: [Int], _ market: Market
  ) -> (draft: [DraftGPU], refused: [(workload: Int, reason: Unserved?)]) {
    var refused: [Int: Unserved?] = [:]
    var segments = [[DraftSegment]](repeating: [], count: market.input.workloads.count)
    for workload in workloads {
      switch match(workload, pool, market) {
      case .success(let matched): segments[workload] = matched
      case .failure(let refusal): refused[workload] = .some(refusal.unserved)
      }
    }
    let limit = market.input.pools[pool].count ?? Int.max
    var served = StockLimit.order(workloads.filter { !segments[$0].isEmpty }, pool, market)
    var draft = allocate(served.sorted().flatMap { segments[$0] }, pool, market)
    while draft.count > limit, !served.isEmpty {
      // Each round drops at least one workload and never more than the GPUs in excess ask for.
      let excess = draft.count - limit
      let dropped = served.suffix(StockLimit.workloads(served, segments, pool, market, toFree: excess))
      served.removeLast(dropped.count)
      for workload in dropped { refused[workload] = StockLimit.refusal(workload, needs: draft.count, pool, market) }
      draft = allocate(served.sorted().flatMap { segments[$0] }, pool, market)
    }
    return (draft, workloads.compactMap { workload in refused[workload].map { (workload, $0) } })
  }
}
