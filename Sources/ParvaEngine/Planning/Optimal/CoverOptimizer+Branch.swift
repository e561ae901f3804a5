extension CoverOptimizer {
  private static let coreLimit = 120
  private static let nodeLimit = 2000
  private static let briefNodeLimit = 12
  private static let fewWorkloads = 16

  /// Covers and cuts together, by ``BranchSearch``: of all workloads where they are few, else of some while the others
  /// keep their covers, which proves nothing but mends what rounding did.
  func branch(_ outcome: inout Outcome, _ effort: Effort) {
    let model = outcome.model
    var stock = [Int?](repeating: nil, count: weights.count)
    for pool in model.pools { stock[pool.marketPool] = pool.stock }
    let known = outcome.packed.fitsStock ? outcome.packed.cost : .infinity
    guard let result = branch([outcome], stock: stock, known: known, effort) else { return }
    if let assignment = result.assignments?.first {
      let packed = PackedCovers(assignment, model)
      if packed.isBetter(than: outcome.packed) { outcome.packed = packed }
    }
    if let prices = result.prices.first {
      outcome.ascent.offer(prices.columns, prices.stock, context)
      outcome.bound = max(outcome.bound, outcome.ascent.bound)
      outcome.least = max(outcome.least, lattice.least(from: outcome.bound))
    }
    outcome.shortage = result.shortage.first
    let proven = outcome.packed.fitsStock ? min(result.bound, outcome.packed.cost) : result.bound
    let least = lattice.least(from: proven)
    // Where the prices prove as much, they are the better proof.
    guard least > outcome.least + 1e-9 else { return }
    outcome.isExhaustive = true
    outcome.bound = max(outcome.bound, proven)
    outcome.least = least
  }

  private static let mendedLimit = 300

  /// Workloads that may change their covers while the others keep theirs: a few of all, spread evenly, and where some
  /// pool has more to hold than its stock more of those that use it.
  private func some(
    of items: [BranchProblem.Item], _ outcomes: [Outcome], _ stock: [Int?]
  ) -> [BranchProblem.Item] {
    var used = [Int](repeating: 0, count: stock.count)
    for outcome in outcomes {
      for (pool, count) in zip(outcome.model.pools, outcome.packed.counts) { used[pool.marketPool] += count }
    }
    let users = items.filter { item in
      let model = outcomes[item.model].model
      let row = item.workload * model.columns.count
      return model.pools.contains { pool in
        used[pool.marketPool] > stock[pool.marketPool] ?? .max
          && pool.columns.contains { outcomes[item.model].packed.assignment.covers[row + $0] > 0 }
      }
    }
    func evenly(_ list: [BranchProblem.Item], _ limit: Int) -> [BranchProblem.Item] {
      stride(from: 0, to: list.count, by: max(1, (list.count + limit - 1) / limit)).map { list[$0] }
    }
    guard !users.isEmpty else { return evenly(items, CoverOptimizer.coreLimit / 2) }
    return evenly(users, CoverOptimizer.mendedLimit)
  }

  /// Covers and cuts of all models together; nil where there is nothing to be won. Where the workloads are too many for
  /// a search over all of them the result proves nothing: its bound is minus infinity.
  func branch(_ outcomes: [Outcome], stock: [Int?], known: Double, _ effort: Effort) -> BranchSearch.Result? {
    let items = outcomes.enumerated().flatMap { index, outcome in
      outcome.model.rates.indices.map { BranchProblem.Item(model: index, workload: $0) }
    }
    guard !items.isEmpty else { return nil }
    let isWhole = items.count <= CoverOptimizer.coreLimit
    let core = isWhole ? items : some(of: items, outcomes, stock)
    let problem = BranchProblem(
      outcomes.map(\.model), start: outcomes.map(\.packed.assignment), core: core, stock: stock)
    let covers = core.map { item in
      let outcome = outcomes[item.model]
      return outcome.ascent.evaluations.suffix(24).map { problem.reduced($0.covers, item) }
        + [problem.reduced(outcome.packed.assignment.covers, item)]
    }
    let cost = outcomes.reduce(0) { $0 + $1.packed.cost }
    let inStock = zip(weights, stock).reduce(0) { $0 + $1.0 * Double($1.1 ?? 1_000_000_000) }
    // Whether few workloads fit is not left open for want of a second.
    let isThorough = effort == .full || effort == .fitting && items.count <= Self.fewWorkloads
    var search = BranchSearch(
      problem, known: known, ceiling: min(inStock, cost * 4 + 1000 * (weights.max() ?? 1)), covers: covers,
      lattice: lattice,
      nodeLimit: !isWhole ? 8 : isThorough ? CoverOptimizer.nodeLimit : CoverOptimizer.briefNodeLimit,
      isFirstEnough: effort == .fitting, context)
    var result = search.run()
    if !isWhole {
      result.bound = -.infinity
      result.prices = []
      result.shortage = []
    }
    return result
  }
}
