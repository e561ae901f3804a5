/// Turns the divisible plans of ``BranchSearch`` into real ones and says what they cost.
struct BranchRounding {
  private let problem: BranchProblem
  private var known: [[[Int32]]: Double?] = [:]
  private var packings: [[Int]: CutPacking] = [:]
  private static let memory = 4000

  init(_ problem: BranchProblem) { self.problem = problem }

  /// Covers for the workloads of the core that follow the mixes.
  func candidates(_ master: BranchMaster) -> [[[Int32]]] {
    let mixes = master.mixes()
    guard mixes.allSatisfy({ !$0.isEmpty }) else { return [] }
    let largest = mixes.map { mix in mix.max { $0.share < $1.share }?.cover ?? [] }
    var found = [following(mixes, master)]
    if largest != found[0] { found.append(largest) }
    let summed = summed(mixes, found[0])
    if !found.contains(summed) { found.append(summed) }
    if problem.core.count <= 12 {
      let whole = completed(mixes, master)
      if !found.contains(whole) { found.append(whole) }
    }
    return found
  }

  /// Workload by workload the cover that keeps the running totals closest to the mixed ones, weighed by price.
  private func following(_ mixes: [[(cover: [Int32], share: Double)]], _ master: BranchMaster) -> [[Int32]] {
    let prices = problem.models.indices.map { master.prices($0).map { $0 + 1e-3 } }
    var errors = problem.widths.map { [Double](repeating: 0, count: $0) }
    return mixes.enumerated().map { item, mix in
      let model = problem.core[item].model
      var wanted = errors[model]
      for part in mix { for column in wanted.indices { wanted[column] += part.share * Double(part.cover[column]) } }
      var best = mix[0].cover
      var least = Double.infinity
      for part in mix {
        var distance = 0.0
        for column in wanted.indices {
          let off = (wanted[column] - Double(part.cover[column])) * prices[model][column]
          distance += off * off
        }
        if distance < least { (least, best) = (distance, part.cover) }
      }
      for column in wanted.indices { errors[model][column] = wanted[column] - Double(best[column]) }
      return best
    }
  }

  /// The mixes themselves where they are whole: covers that are mixed to whole numbers are a cover too. `others` are used
  /// elsewhere.
  private func summed(_ mixes: [[(cover: [Int32], share: Double)]], _ others: [[Int32]]) -> [[Int32]] {
    mixes.enumerated().map { index, mix in
      guard mix.count > 1 else { return others[index] }
      var sums = [Double](repeating: 0, count: others[index].count)
      for part in mix { for column in sums.indices { sums[column] += part.share * Double(part.cover[column]) } }
      let whole = sums.map { $0.rounded() }
      guard zip(sums, whole).allSatisfy({ ($0 - $1).magnitude < 1e-3 }) else { return others[index] }
      let carried = zip(whole, problem.capacities[index]).reduce(0) { $0 + $1.0 * $1.1 }
      let item = problem.core[index]
      let rule = problem.rule(item)
      guard rule.isCounted, carried >= problem.rate(item) * (1 - CoverSolver.slack),
        whole.reduce(0, +) >= Double(rule.atLeast)
      else { return others[index] }
      return whole.map { Int32($0) }
    }
  }

  /// The mixes in whole instances, and the cheapest ones for what that leaves uncovered.
  private func completed(_ mixes: [[(cover: [Int32], share: Double)]], _ master: BranchMaster) -> [[Int32]] {
    mixes.enumerated().map { index, mix in
      let item = problem.core[index]
      let row = problem.capacities[index][...]
      var cover = mix[0].cover
      for column in cover.indices {
        cover[column] = Int32(mix.reduce(0) { $0 + $1.share * Double($1.cover[column]) } + 1e-6)
      }
      let bounds = cover.enumerated().map { ($0.offset, BoundedCover.Bounds(low: $0.element)) }
      let whole = BoundedCover(
        capacities: row, rate: problem.rate(item), prices: master.prices(item.model).map { $0 + 1e-9 },
        rule: problem.rule(item), bounds: Dictionary(uniqueKeysWithValues: bounds))
      return whole.cover.isEmpty ? mix[0].cover : whole.cover
    }
  }

  /// What a plan with these covers costs; nil where it is not in stock.
  mutating func cost(_ covers: [[Int32]]) -> Double? {
    if let found = known[covers] { return found }
    if known.count > BranchRounding.memory { known = [:] }
    let cost = work(covers)
    known[covers] = .some(cost)
    return cost
  }

  private mutating func work(_ covers: [[Int32]]) -> Double? {
    if problem.models.contains(where: { !$0.spreads.isEmpty }) {
      let packed = zip(problem.assignments(covers), problem.models).map { PackedCovers($0, $1) }
      // Without twins each pool of a model is a tier of its own, in the same order.
      guard packed.allSatisfy(\.fitsStock), isInStock(packed.flatMap(\.counts)) else { return nil }
      return packed.reduce(0) { $0 + $1.cost }
    }
    let totals = problem.totals(covers)
    var counts: [Int] = []
    for (index, side) in problem.sides.enumerated() {
      let own = Array(totals[side.rows])
      let packing = packings[[index] + own] ?? CutPacking(own, side.table)
      if packings.count > BranchRounding.memory { packings = [:] }
      packings[[index] + own] = packing
      counts.append(packing.gpuCount)
    }
    guard let shares = problem.shares(counts) else { return nil }
    return zip(problem.tiers, shares).reduce(0) { $0 + $1.0.weight * Double($1.1) }
  }

  private func isInStock(_ counts: [Int]) -> Bool {
    var used = [Int](repeating: 0, count: problem.stock.count)
    for (tier, count) in zip(problem.tiers, counts) { used[tier.pool] += count }
    return zip(used, problem.stock).allSatisfy { $0 <= $1 ?? .max }
  }
}
