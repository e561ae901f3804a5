import ParvaEngine

/// Least number of GPUs by trying everything; only for a few workloads that need a few instances each.
enum BruteForce {
  private struct Side {
    var stock: Int
    /// Counts per kind of every maximal set of placements.
    var cuts: [[Int]]
    var kinds: [Int]
  }

  /// Zero or more GPUs, or `Int.max` when the stock cannot hold the demand.
  static func leastGPUs(_ input: PlanningInput) -> Int {
    let sides = input.pools.map { pool in
      let table = CutTable(pool.product)
      let cuts = Set(
        table.maximalPlacements.map { set in table.kinds.map { kind in set.count { $0.profile == kind } } })
      return Side(stock: pool.count ?? .max, cuts: cuts.sorted { $0.lexicographicallyPrecedes($1) }, kinds: table.kinds)
    }
    let width = sides.reduce(0) { $0 + $1.kinds.count }
    var totals: Set<[Int]> = [[Int](repeating: 0, count: width)]
    for workload in input.workloads {
      let options = covers(workload, input, sides)
      totals = Set(totals.flatMap { total in options.map { zip(total, $0).map { $0 + $1 } } })
    }
    var memo: [[Int]: Int] = [:]
    return totals.map { total in
      var offset = 0
      var sum = 0
      for side in sides {
        let own = Array(total[offset..<(offset + side.kinds.count)])
        offset += side.kinds.count
        let needed = gpus(own, side.cuts, &memo)
        guard needed <= side.stock else { return Int.max }
        sum += needed
      }
      return sum
    }.min() ?? 0
  }

  private static func covers(_ workload: Workload, _ input: PlanningInput, _ sides: [Side]) -> [[Int]] {
    var capacities: [Double] = []
    for (pool, side) in zip(input.pools, sides) {
      let points = input.profiles.profile(model: workload.model, product: pool.product.name)?.points ?? []
      for kind in side.kinds {
        let best = points.filter {
          $0.profile == kind && $0.processes <= input.options.maxProcesses
            && $0.latencyMs < 0.45 * workload.sloLatencyMs
        }.map(\.throughput).max()
        capacities.append(best ?? 0)
      }
    }
    var found: [[Int]] = []
    func extend(_ chosen: [Int], _ rest: Double) {
      if rest <= 0 { return found.append(chosen + [Int](repeating: 0, count: capacities.count - chosen.count)) }
      guard chosen.count < capacities.count else { return }
      let capacity = capacities[chosen.count]
      let most = capacity > 0 ? Int((rest / capacity).rounded(.up)) : 0
      for count in 0...most { extend(chosen + [count], rest - Double(count) * capacity) }
    }
    extend([], workload.rate * (1 - 1e-9))
    return found
  }

  private static func gpus(_ counts: [Int], _ cuts: [[Int]], _ memo: inout [[Int]: Int]) -> Int {
    guard let kind = counts.lastIndex(where: { $0 > 0 }) else { return 0 }
    // Pools of different products have different cuts, so they are part of the key.
    let key = counts + [-1] + cuts[0]
    if let known = memo[key] { return known }
    var best = Int.max - 1
    for cut in cuts where cut[kind] > 0 {
      best = min(best, gpus(zip(counts, cut).map { max(0, $0 - $1) }, cuts, &memo))
    }
    memo[key] = best + 1
    return best + 1
  }
}
