/// Proof by exhaustion for small demands: is there any plan that costs at most `ceiling`?
///
/// Depth first over the workloads, dearest first, each with all its minimal covers within the allowance. Every legal
/// price vector bounds a partial choice from below: what is chosen at those prices, and the cheapest for the rest.
struct ExactSearch {
  enum Answer {
    case found(PackedCovers)
    /// No such plan exists.
    case impossible
    /// The search was cut short.
    case unknown
  }

  static let workloadLimit = 24
  private static let nodeLimit = 60_000

  private let model: PriceModel
  private let ceiling: Double
  private let prices: [[Double]]
  /// Per price vector, what its stock prices take off the bound.
  private let offsets: [Double]
  /// In order of decision: workload, its covers, and per price vector the least cost of all workloads from there on.
  private let order: [Int]
  private let choices: [[[Int32]]]
  private var suffix: [[Double]] = []
  private var nodes = 0
  private var assignment: CoverAssignment
  private var triedTotals: Set<[Int]> = []
  /// Whether some leaf could not be decided.
  private var isUncertain = false
  private let context: PlanningContext

  /// Nil when the demand is too large, some workload has too many covers to list, or some must survive losses.
  init?(_ model: PriceModel, _ ascent: PriceAscent, ceiling: Double, _ context: PlanningContext) {
    guard model.rates.count <= ExactSearch.workloadLimit, !model.hasLosses else { return nil }
    self.model = model
    self.ceiling = ceiling
    self.context = context
    let best = zip(ascent.stockPrices, model.pools).reduce(0) { $0 + $1.0 * Double($1.1.stock ?? 0) }
    prices = [ascent.prices] + ascent.trials
    offsets = [best] + ascent.trialOffsets
    let width = model.columns.count
    var solver = CoverSolver(kinds: width)
    var least: [[Double]] = []
    var lists: [[[Int32]]] = []
    for workload in model.rates.indices {
      let row = model.capacities[workload * width..<(workload + 1) * width]
      least.append(
        prices.map { vector in
          _ = solver.solve(
            capacities: row, rate: model.rates[workload], prices: vector,
            rule: model.rule(workload))
          return solver.lowerBound
        })
    }
    let allowance = ceiling + best - least.reduce(0) { $0 + $1[0] }
    for workload in model.rates.indices {
      let list = CoverAlternatives(
        capacities: model.capacities[workload * width..<(workload + 1) * width], rate: model.rates[workload],
        prices: prices[0], least: least[workload][0], allowance: max(0, allowance), limit: 256,
        rule: model.rule(workload))
      guard list.isComplete else { return nil }
      lists.append(list.covers)
    }
    order = model.rates.indices.sorted { (-least[$0][0], $0) < (-least[$1][0], $1) }
    choices = order.map { lists[$0] }
    suffix = [[Double]](repeating: [Double](repeating: 0, count: prices.count), count: order.count + 1)
    for index in order.indices.reversed() {
      for vector in prices.indices { suffix[index][vector] = suffix[index + 1][vector] + least[order[index]][vector] }
    }
    assignment = CoverAssignment(
      covers: [Int32](repeating: 0, count: model.rates.count * width), totals: [Int](repeating: 0, count: width))
  }

  mutating func run() -> Answer {
    nodes = 0
    if let found = descend(0) { return .found(found) }
    return nodes < ExactSearch.nodeLimit && !isUncertain ? .impossible : .unknown
  }

  private mutating func descend(_ depth: Int) -> PackedCovers? {
    for (vector, price) in prices.enumerated() {
      let spent = zip(assignment.totals, price).reduce(0) { $0 + Double($1.0) * $1.1 }
      guard spent + suffix[depth][vector] - offsets[vector] <= ceiling + 1e-9 else { return nil }
    }
    guard depth < order.count else {
      return pack()
    }
    let row = order[depth] * model.columns.count
    for cover in choices[depth] {
      nodes += 1
      if nodes % 64 == 0, context.shouldStop() { nodes = ExactSearch.nodeLimit }
      guard nodes < ExactSearch.nodeLimit else { return nil }
      for column in cover.indices {
        assignment.covers[row + column] = cover[column]
        assignment.totals[column] += Int(cover[column])
      }
      if let found = descend(depth + 1) { return found }
      for column in cover.indices {
        assignment.covers[row + column] = 0
        assignment.totals[column] -= Int(cover[column])
      }
    }
    return nil
  }

  /// A packing of the covers chosen within the ceiling. Without spreads only their totals count.
  private mutating func pack() -> PackedCovers? {
    let width = model.columns.count
    let spread = model.spreads.keys.sorted().flatMap { row in
      (row * width..<(row + 1) * width).map { Int(assignment.covers[$0]) }
    }
    guard triedTotals.insert(assignment.totals + spread).inserted else { return nil }
    let packed = PackedCovers(assignment, model)
    if packed.fitsStock && packed.cost <= ceiling + 1e-9 { return packed }
    let least = zip(model.pools, packed.packings).reduce(0) { $0 + $1.0.weight * Double($1.1.leastCount) }
    let isWithinReach =
      least <= ceiling + 1e-9
      && zip(model.pools, packed.packings).allSatisfy { pool, packing in packing.leastCount <= pool.stock ?? .max }
    guard isWithinReach else { return nil }
    guard !model.spreads.isEmpty else {
      if packed.packings.contains(where: { !$0.isMinimal }) { isUncertain = true }
      return nil
    }
    var search = SpreadSearch(assignment, model, ceiling: ceiling, context)
    switch search.run() {
    case .found(let layout):
      // Nodes may have more room than others have left of their pool.
      let spread = PackedCovers(assignment, layout, model)
      if spread.fitsStock && spread.cost <= ceiling + 1e-9 { return spread }
      isUncertain = true
      return nil
    case .impossible: return nil
    case .unknown:
      isUncertain = true
      return nil
    }
  }
}
