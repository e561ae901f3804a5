/// Who is served when a pool has fewer GPUs than the demand needs: higher priority first, then most demand per slice.
enum StockLimit {
  /// `workloads` in the order in which they are served. O(n log n).
  static func order(_ workloads: [Int], _ pool: Int, _ market: Market) -> [Int] {
    func density(_ workload: Int) -> Double {
      market.poolColumns[pool].map { market.capacity(workload, $0) / Double(market.columns[$0].computeSlices) }.max()
        ?? 0
    }
    let ranked = workloads.map { (workload: $0, density: density($0)) }
    return ranked.sorted { a, b in
      let (x, y) = (market.input.workloads[a.workload].priority, market.input.workloads[b.workload].priority)
      return x != y ? x > y : a.density != b.density ? a.density > b.density : a.workload < b.workload
    }.map(\.workload)
  }

  /// How many workloads from the end of `served` hold the slices of `excess` GPUs, at least 1.
  static func workloads(
    _ served: [Int], _ segments: [[DraftSegment]], _ pool: Int, _ market: Market, toFree excess: Int
  ) -> Int {
    var slices = excess * market.cuts[pool].product.computeSlices
    var count = 0
    for workload in served.reversed() {
      slices -= segments[workload].reduce(0) { $0 + market.columns[$1.column].computeSlices }
      guard slices >= 0 else { break }
      count += 1
    }
    return max(1, count)
  }

  static func refusal(_ workload: Int, needs: Int, _ number: Int, _ market: Market) -> Unserved {
    let pool = market.input.pools[number]
    let missing = max(1, needs - (pool.count ?? needs))
    return Unserved(
      workload: market.input.workloads[workload].id, code: .noStock,
      message: "pool \(pool.name) has \(pool.count ?? 0) \(pool.product.name) and "
        + (number == 0 ? "the demand" : "what the other pools leave of the demand")
        + " needs \(needs); \(missing) more would serve everything")
  }
}
