/// How many GPUs to cut in which way so that given numbers of instances of each kind find a place.
///
/// The linear relaxation fixes most GPUs; what its fractions leave over - a few GPUs - is packed by exact search. So the
/// result is minimal whenever it meets the relaxation rounded up, which is nearly always.
struct CutPacking: Sendable {
  /// GPUs per cut of ``CutTable/maximalCuts``.
  var multiplicities: [Int]
  var gpuCount: Int
  /// Smallest number of GPUs that the relaxation allows.
  var leastCount: Int
  /// Prices per kind that prove it: no cut is worth more than 1, the counts are worth `leastCount` or a fraction less.
  var prices: [Double]
  /// Whether fewer than `gpuCount` GPUs are proven not to hold the counts.
  var isMinimal = true

  private static let nodeLimit = 4000

  /// Packs `counts` instances per kind of `table`. Polynomial in the kinds and cuts, independent of the counts.
  init(_ counts: [Int], _ table: CutTable) {
    multiplicities = [Int](repeating: 0, count: table.maximalCuts.count)
    gpuCount = 0
    leastCount = 0
    prices = [Double](repeating: 0, count: counts.count)
    guard counts.contains(where: { $0 > 0 }) else { return }
    let relaxation = CutPacking.relax(counts, table)
    leastCount = relaxation.least
    prices = relaxation.prices
    var best: [Int]?
    var bestCount = Int.max
    isMinimal = false
    // Giving back a GPU of each cut in use lets the search undo what the relaxation fixed too early.
    for returned in 0..<3 where bestCount > leastCount {
      let base = relaxation.multiplicities.map { max(0, $0 - returned) }
      let rest = CutPacking.rest(counts, after: base, table)
      let fixed = base.reduce(0, +)
      var search = ResidualSearch(table, prices: relaxation.prices)
      let ceiling = bestCount == .max ? fixed + rest.reduce(0, +) : bestCount - 1
      var limit = max(0, leastCount - fixed)
      while fixed + limit <= ceiling {
        if let found = search.pack(rest, limit: limit, nodes: CutPacking.nodeLimit) {
          best = zip(base, found).map { $0 + $1 }
          bestCount = fixed + found.reduce(0, +)
          break
        }
        limit += 1
      }
      if fixed == 0, !search.ranOut { isMinimal = true }
    }
    if bestCount == leastCount { isMinimal = true }
    multiplicities = best ?? multiplicities
    gpuCount = multiplicities.reduce(0, +)
  }

  private static func relax(
    _ counts: [Int], _ table: CutTable
  ) -> (multiplicities: [Int], least: Int, prices: [Double]) {
    let scale = Double(counts.max() ?? 1)
    var program = LinearProgram(rightHandSide: counts.map { Double($0) / scale })
    for cut in table.maximalCuts { program.addColumn(cost: 1, cut.counts.map { Double($0) }) }
    for kind in counts.indices {
      program.addColumn(cost: 0, counts.indices.map { $0 == kind ? -1 : 0 })
    }
    guard let solution = program.minimum() else {
      return ([Int](repeating: 0, count: table.maximalCuts.count), 0, [Double](repeating: 0, count: counts.count))
    }
    let multiplicities = table.maximalCuts.indices.map { Int(solution.x[$0] * scale + 1e-7) }
    let least = Int((solution.value * scale - 1e-6).rounded(.up))
    return (multiplicities, least, solution.duals.map { max(0, $0) })
  }

  private static func rest(_ counts: [Int], after multiplicities: [Int], _ table: CutTable) -> [Int] {
    var rest = counts
    for (cut, times) in zip(table.maximalCuts, multiplicities) where times > 0 {
      for kind in rest.indices { rest[kind] -= cut.counts[kind] * times }
    }
    return rest.map { max(0, $0) }
  }
}

/// Depth-first search for a packing of a few GPUs: the largest kind left over must stand somewhere, so one of the cuts
/// that hold it is used next.
private struct ResidualSearch {
  private let table: CutTable
  /// Legal price vectors; each gives a lower bound on the GPUs that any counts need.
  private var prices: [[Double]]
  /// Most GPUs within which these counts are known not to fit.
  private var failed: [[Int]: Int] = [:]
  private var nodes = 0
  /// Whether some answer was "no" for want of nodes.
  private(set) var ranOut = false

  init(_ table: CutTable, prices: [Double]) {
    self.table = table
    let product = table.product
    let slices = table.kinds.map { Double(product.profiles[$0].computeSlices) / Double(product.computeSlices) }
    let units = table.kinds.map { Double(product.profiles[$0].placementSize) / Double(product.axisLength) }
    self.prices = [prices, slices, units]
  }

  /// Multiplicities per cut with at most `limit` GPUs, or nil.
  mutating func pack(_ counts: [Int], limit: Int, nodes: Int) -> [Int]? {
    self.nodes = nodes
    var used = [Int](repeating: 0, count: table.maximalCuts.count)
    if descend(counts, limit, &used) { return used }
    if self.nodes <= 0 { ranOut = true }
    return nil
  }

  private mutating func descend(_ counts: [Int], _ limit: Int, _ used: inout [Int]) -> Bool {
    guard let kind = counts.lastIndex(where: { $0 > 0 }) else { return true }
    guard limit > 0, nodes > 0, failed[counts] ?? -1 < limit else { return false }
    for price in prices {
      let least = zip(counts, price).reduce(0) { $0 + Double($1.0) * $1.1 }
      guard least <= Double(limit) + 1e-6 else { return false }
    }
    nodes -= 1
    for (index, cut) in table.maximalCuts.enumerated().reversed() where cut.counts[kind] > 0 {
      used[index] += 1
      if descend(zip(counts, cut.counts).map { max(0, $0 - $1) }, limit - 1, &used) { return true }
      used[index] -= 1
    }
    if nodes > 0 { failed[counts] = max(failed[counts] ?? 0, limit) }
    return false
  }
}
