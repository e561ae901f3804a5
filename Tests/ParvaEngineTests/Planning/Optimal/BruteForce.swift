import ParvaEngine

/// Least cost by trying every plan; only for a few workloads that need a few instances each.
///
/// Works with what a GPU can hold (any subset of a maximal set of placements), instance by instance, and knows nothing
/// of prices, bounds or minimal covers beyond this: an instance that neither the rate nor a spread needs can go.
enum BruteForce {
  private struct Side {
    var weight: Double
    var stock: Int
    /// Counts per kind of every maximal set of placements.
    var cuts: [[Int]]
    var kinds: [Int]
  }

  /// Number of GPUs, or nil when the stock cannot hold the demand.
  static func leastGPUs(_ input: PlanningInput) -> Int? { leastCost(input).map { Int($0.rounded()) } }

  /// In units of the objective, or nil when the stock cannot hold the demand. Constraints are not looked at, except the
  /// choice of pools.
  static func leastCost(_ input: PlanningInput) -> Double? {
    let sides = sides(input)
    let width = sides.reduce(0) { $0 + $1.kinds.count }
    var totals: Set<[Int]> = [[Int](repeating: 0, count: width)]
    for workload in input.workloads {
      let options = covers(workload, input, sides)
      var next: Set<[Int]> = []
      for total in totals {
        for option in options { next.insert(zip(total, option).map { $0 + $1 }) }
      }
      totals = undominated(next)
    }
    var memos = [[Int: Int]](repeating: [:], count: sides.count)
    var best: Double?
    for total in totals {
      var offset = 0
      var sum: Double? = 0
      for (index, side) in sides.enumerated() {
        let own = Array(total[offset..<(offset + side.kinds.count)])
        offset += side.kinds.count
        let needed = gpus(own, side.cuts, &memos[index])
        sum = needed <= side.stock ? sum.map { $0 + side.weight * Double(needed) } : nil
      }
      if let sum { best = min(best ?? .infinity, sum) }
    }
    return best
  }

  private static func sides(_ input: PlanningInput) -> [Side] {
    input.pools.map { pool in
      let table = CutTable(pool.product)
      let cuts = Set(
        table.maximalPlacements.map { set in table.kinds.map { kind in set.count { $0.profile == kind } } })
      let weight = input.options.objective.weight(of: pool)
      return Side(
        weight: weight ?? 1, stock: pool.count ?? .max, cuts: cuts.sorted { $0.lexicographicallyPrecedes($1) },
        kinds: table.kinds)
    }
  }

  /// Totals that ask for more of everything than others are never better.
  private static func undominated(_ totals: Set<[Int]>) -> Set<[Int]> {
    let ordered = totals.sorted { ($0.reduce(0, +)) < ($1.reduce(0, +)) }
    var kept: [[Int]] = []
    for total in ordered where !kept.contains(where: { zip($0, total).allSatisfy { $0 <= $1 } }) { kept.append(total) }
    return Set(kept)
  }

  /// The best that each kind of each pool can do, side after side.
  static func capacities(_ workload: Workload, _ input: PlanningInput) -> [[Int: Double]] {
    input.pools.map { pool in
      guard workload.constraints.allows(pool) else { return [:] }
      let points = input.profiles.profile(model: workload.model, product: pool.product.name)?.points ?? []
      var best: [Int: Double] = [:]
      for point in points
      where point.processes <= input.options.maxProcesses && point.latencyMs < 0.45 * workload.sloLatencyMs {
        best[point.profile] = max(best[point.profile] ?? 0, point.throughput)
      }
      return best
    }
  }

  private static func covers(_ workload: Workload, _ input: PlanningInput, _ sides: [Side]) -> [[Int]] {
    let best = capacities(workload, input)
    let capacities = zip(sides, best).flatMap { side, known in side.kinds.map { known[$0] ?? 0 } }
    var found: [[Int]] = []
    var chosen = [Int](repeating: 0, count: capacities.count)
    func extend(_ kind: Int, _ rest: Double) {
      if rest <= 0 { return found.append(chosen) }
      guard kind < capacities.count else { return }
      let capacity = capacities[kind]
      let most = capacity > 0 ? Int((rest / capacity).rounded(.up)) : 0
      for count in 0...most {
        chosen[kind] = count
        extend(kind + 1, rest - Double(count) * capacity)
      }
      chosen[kind] = 0
    }
    extend(0, workload.rate * (1 - 1e-9))
    return Array(undominated(Set(found)))
  }

  private static func gpus(_ counts: [Int], _ cuts: [[Int]], _ memo: inout [Int: Int]) -> Int {
    guard let kind = counts.lastIndex(where: { $0 > 0 }) else { return 0 }
    // No count comes near 64 here.
    let key = counts.reduce(0) { $0 * 64 + $1 }
    if let known = memo[key] { return known }
    var best = Int.max - 1
    for cut in cuts where cut[kind] > 0 {
      best = min(best, gpus(zip(counts, cut).map { max(0, $0 - $1) }, cuts, &memo))
    }
    memo[key] = best + 1
    return best + 1
  }
}
