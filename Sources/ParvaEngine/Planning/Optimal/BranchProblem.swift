/// What ``BranchSearch`` decides: covers for some workloads of several price models, whose GPUs come from one stock.
///
/// A *side* is what one tenant takes from pools that differ in nothing but price and stock: GPUs of its own, cut as it
/// needs, the cheapest first. Its *tiers* are those pools. Sides that use the same pool share its stock. Workloads beside
/// the *core* keep the covers they have.
struct BranchProblem: Sendable {
  struct Tier: Sendable {
    var side: Int
    var weight: Double
    /// Of the market.
    var pool: Int
    /// Its columns within the model.
    var columns: Range<Int>
  }

  struct Side: Sendable {
    var model: Int
    /// Rows of its columns.
    var rows: Range<Int>
    var table: CutTable
    /// Indices into ``BranchProblem/tiers``, cheapest first.
    var tiers: [Int]
  }

  struct Item: Sendable {
    var model: Int
    /// Index into the model's workloads.
    var workload: Int
  }

  let models: [PriceModel]
  /// Covers of all workloads, of which those of the core are to be replaced.
  let start: [CoverAssignment]
  let core: [Item]
  private(set) var sides: [Side] = []
  private(set) var tiers: [Tier] = []
  /// First row of each model, and how many it has.
  private(set) var firstRow: [Int] = []
  private(set) var widths: [Int] = []
  private(set) var rowCount = 0
  /// Instances that the workloads beside the core hold, by row.
  private(set) var base: [Int] = []
  /// GPUs in stock by pool of the market; nil without a limit.
  let stock: [Int?]
  /// Per workload of the core its capacities by row of its model.
  private(set) var capacities: [[Double]] = []
  /// Per model the row, within the model's own, of each column.
  private var rowOf: [[Int]] = []

  /// O(workloads x columns).
  init(_ models: [PriceModel], start: [CoverAssignment], core: [Item], stock: [Int?]) {
    self.models = models
    self.start = start
    self.core = core
    self.stock = stock
    for index in models.indices { addSides(index) }
    capacities = core.map { item in
      let model = models[item.model]
      let row = item.workload * model.columns.count
      var own = [Double](repeating: 0, count: widths[item.model])
      for (column, place) in rowOf[item.model].enumerated() { own[place] = model.capacities[row + column] }
      return own
    }
    base = [Int](repeating: 0, count: rowCount)
    for (index, assignment) in start.enumerated() {
      for (column, total) in assignment.totals.enumerated() { base[firstRow[index] + rowOf[index][column]] += total }
    }
    for item in core {
      for (row, count) in reduced(start[item.model].covers, item).enumerated() {
        base[firstRow[item.model] + row] -= Int(count)
      }
    }
  }

  private mutating func addSides(_ index: Int) {
    let model = models[index]
    let first = rowCount
    var rows = [Int](repeating: 0, count: model.columns.count)
    var own: [Int] = []
    for (pool, side) in model.pools.enumerated() {
      let twin = own.first { isAlike(model, sides[$0], pool) }
      let number = twin ?? sides.count
      if twin == nil {
        own.append(number)
        sides.append(
          Side(model: index, rows: rowCount..<rowCount + side.columns.count, table: side.table, tiers: []))
        rowCount += side.columns.count
      }
      for (kind, column) in side.columns.enumerated() { rows[column] = sides[number].rows.lowerBound - first + kind }
      sides[number].tiers.append(tiers.count)
      tiers.append(Tier(side: number, weight: side.weight, pool: side.marketPool, columns: side.columns))
    }
    let tiers = tiers
    for number in own { sides[number].tiers.sort { (tiers[$0].weight, $0) < (tiers[$1].weight, $1) } }
    firstRow.append(first)
    widths.append(rowCount - first)
    rowOf.append(rows)
  }

  /// Whether every workload of a model can do the same on a pool as on those of a side.
  private func isAlike(_ model: PriceModel, _ side: Side, _ pool: Int) -> Bool {
    let other = model.pools[pool]
    guard side.table.product == other.table.product, side.table.kinds == other.table.kinds, model.spreads.isEmpty
    else { return false }
    let columns = tiers[side.tiers[0]].columns
    let width = model.columns.count
    return model.rates.indices.allSatisfy { workload in
      zip(columns, other.columns).allSatisfy {
        model.capacities[workload * width + $0] == model.capacities[workload * width + $1]
      }
    }
  }

  /// The instances of a workload by row of its model.
  func reduced(_ covers: [Int32], _ item: Item) -> [Int32] {
    let rows = rowOf[item.model]
    var own = [Int32](repeating: 0, count: widths[item.model])
    for (column, row) in rows.enumerated() { own[row] += covers[item.workload * rows.count + column] }
    return own
  }

  func rate(_ item: Item) -> Double { models[item.model].rates[item.workload] }

  func rule(_ item: Item) -> CoverRule { models[item.model].rule(item.workload) }

  /// GPUs that hold a segment of the workload at least: it stands on as many domains.
  func leastGPUs(_ item: Item) -> Int { models[item.model].spreads[item.workload]?.atLeast ?? 1 }

  /// Instances of all workloads by row, with these covers for the core.
  func totals(_ covers: [[Int32]]) -> [Int] {
    var totals = base
    for (item, cover) in zip(core, covers) {
      for (row, count) in cover.enumerated() { totals[firstRow[item.model] + row] += Int(count) }
    }
    return totals
  }

  /// GPUs per tier for numbers of GPUs per side, in all as cheap as they can be; nil where the stock does not hold them.
  ///
  /// Side after side takes the cheapest, by way of others that give theirs up for another of their tiers: shortest augmenting paths
  /// of the transport problem (Ford and Fulkerson). O(sides) where no stock is short.
  func shares(_ counts: [Int]) -> [Int]? {
    var left = stock
    var shares = [Int](repeating: 0, count: tiers.count)
    for (side, count) in zip(sides, counts) {
      var rest = count
      while rest > 0 {
        let moved = take(rest, side, &left, &shares)
        guard moved > 0 else { return nil }
        rest -= moved
      }
    }
    return shares
  }

  /// Gives a side up to so many further GPUs along the cheapest path; how many it was.
  private func take(_ most: Int, _ side: Side, _ left: inout [Int?], _ shares: inout [Int]) -> Int {
    if let tier = side.tiers.first, left[tiers[tier].pool] ?? .max > 0 {
      let taken = min(most, left[tiers[tier].pool] ?? .max)
      shares[tier] += taken
      if let stock = left[tiers[tier].pool] { left[tiers[tier].pool] = stock - taken }
      return taken
    }
    // Per pool what one more GPU of it costs, the tier that takes it and the one that is left for it.
    var costs = [Double](repeating: .infinity, count: left.count)
    var steps = [(to: Int, from: Int?)?](repeating: nil, count: left.count)
    for tier in side.tiers where tiers[tier].weight < costs[tiers[tier].pool] {
      costs[tiers[tier].pool] = tiers[tier].weight
      steps[tiers[tier].pool] = (tier, nil)
    }
    var hasChanged = true
    for _ in left.indices where hasChanged {
      hasChanged = false
      for other in sides where other.tiers.count > 1 {
        for from in other.tiers where shares[from] > 0 && costs[tiers[from].pool] < .infinity {
          for to in other.tiers where to != from {
            let cost = costs[tiers[from].pool] + tiers[to].weight - tiers[from].weight
            guard cost < costs[tiers[to].pool] - 1e-9 else { continue }
            costs[tiers[to].pool] = cost
            steps[tiers[to].pool] = (to, from)
            hasChanged = true
          }
        }
      }
    }
    let free = left.indices.filter { left[$0] ?? 1 > 0 && costs[$0] < .infinity }
    guard let end = free.min(by: { (costs[$0], $0) < (costs[$1], $1) }) else { return 0 }
    var path: [(to: Int, from: Int?)] = []
    var pool: Int? = end
    while let here = pool, let step = steps[here], path.count <= left.count {
      path.append(step)
      pool = step.from.map { tiers[$0].pool }
    }
    // No path that ends is longer than there are pools.
    guard path.last?.from == nil else { return 0 }
    let moved = path.reduce(min(most, left[end] ?? most)) { min($0, $1.from.map { shares[$0] } ?? $0) }
    for step in path {
      shares[step.to] += moved
      if let from = step.from { shares[from] -= moved }
    }
    if let stock = left[end] { left[end] = stock - moved }
    return moved
  }

  /// The covers of all workloads with these for the core.
  func assignments(_ covers: [[Int32]]) -> [CoverAssignment] {
    var result = start
    for (item, cover) in zip(core, covers) {
      // In the first pool of each side; those of several are shared out below.
      let width = models[item.model].columns.count
      for column in 0..<width { result[item.model].covers[item.workload * width + column] = 0 }
      for side in sides where side.model == item.model {
        for (row, column) in zip(side.rows, tiers[side.tiers[0]].columns) {
          result[item.model].covers[item.workload * width + column] = cover[row - firstRow[item.model]]
        }
      }
    }
    let totals = totals(covers)
    let packings = sides.map { CutPacking(Array(totals[$0.rows]), $0.table) }
    if let shares = shares(packings.map(\.gpuCount)) {
      for (index, side) in sides.enumerated() where side.tiers.count > 1 {
        shareOut(side, packings[index], shares, &result[side.model])
      }
    }
    for (index, model) in models.enumerated() {
      let width = model.columns.count
      result[index].totals = [Int](repeating: 0, count: width)
      for workload in model.rates.indices {
        for column in 0..<width { result[index].totals[column] += Int(result[index].covers[workload * width + column]) }
      }
    }
    return result
  }

  /// Moves the instances of a side to the pools that hold its GPUs, workload after workload.
  private func shareOut(_ side: Side, _ packing: CutPacking, _ shares: [Int], _ result: inout CoverAssignment) {
    var cuts = zip(side.table.maximalCuts, packing.multiplicities).flatMap { [Cut](repeating: $0, count: $1) }[...]
    // Per tier and kind what its GPUs hold.
    let room = side.tiers.map { tier in
      var held = [Int](repeating: 0, count: side.rows.count)
      for cut in cuts.prefix(shares[tier]) { for kind in held.indices { held[kind] += cut.counts[kind] } }
      cuts = cuts.dropFirst(shares[tier])
      return held
    }
    let model = models[side.model]
    let width = model.columns.count
    for kind in 0..<side.rows.count {
      var left = room.map { $0[kind] }
      for workload in model.rates.indices {
        let columns = side.tiers.map { workload * width + tiers[$0].columns.lowerBound + kind }
        var rest = columns.reduce(0) { $0 + Int(result.covers[$1]) }
        for (tier, column) in columns.enumerated() {
          let taken = min(rest, left[tier])
          result.covers[column] = Int32(taken)
          left[tier] -= taken
          rest -= taken
        }
        if rest > 0 { result.covers[columns[0]] += Int32(rest) }
      }
    }
  }
}
