/// Finds the prices with the best lower bound by cutting planes.
///
/// Each evaluation of the bound at some prices gives the totals that the workloads then buy; for any other prices the
/// bound is at most (totals x prices). The master problem - a linear program with a row per column of the model - takes
/// the prices where the smallest of these lines is highest. Its dual values say in which proportions the evaluations'
/// covers should be mixed to use the cuts best. Where a pool has a stock, GPUs beyond it can be borrowed at a price that
/// no sensible plan pays, so the master always has an answer.
struct PriceAscent: Sendable {
  private(set) var evaluations: [PriceModel.Evaluation] = []
  /// Prices per column with the best bound so far; no cut of pool j is worth more than its weight plus `stockPrices[j]`.
  private(set) var prices: [Double] = []
  /// Per pool of the model, 0 without a stock limit.
  private(set) var stockPrices: [Double] = []
  /// Proven: no plan that covers all workloads costs less.
  private(set) var bound = -Double.infinity
  /// No mix of covers found so far costs less, with GPUs divisible; borrowed GPUs count `borrowing` each.
  private(set) var estimate = Double.infinity
  /// Share of each evaluation in the best mix; adds up to 1.
  private(set) var mix: [Double] = []

  /// Legal prices of every evaluation.
  private(set) var trials: [[Double]] = []
  private(set) var trialStocks: [[Double]] = []
  /// What the stock prices of each trial take off its bound.
  private(set) var trialOffsets: [Double] = []

  /// Of a sample: the trials in the best mix with their shares, and what the mix buys; empty where all workloads were asked.
  private(set) var blend: [(prices: [Double], share: Double)] = []
  private(set) var blendTotals: [Double] = []

  private let model: PriceModel
  private static let borrowing = 1000.0

  /// Stops when bound and estimate are within `tolerance` (objective units), or after `limit` evaluations, or when the bound exceeds
  /// `enough`.
  ///
  /// - Parameter sample: an ascent over some of the workloads, whose best prices are tried first.
  init(
    _ model: PriceModel, tolerance: Double, limit: Int, enough: Double = .infinity, from sample: PriceAscent? = nil,
    _ context: PlanningContext
  ) {
    self.model = model
    var trial = sample?.prices ?? startingPrices()
    var trialStock = sample?.stockPrices ?? [Double](repeating: 0, count: model.pools.count)
    for index in sample?.mixed ?? [] where !context.shouldStop() {
      guard let sample, sample.trials[index] != trial else { continue }
      evaluate(sample.trials[index], sample.trialStocks[index], context)
    }
    for step in 0..<limit {
      evaluate(trial, trialStock, context)
      guard let master = solveMaster() else { break }
      guard estimate - bound > tolerance, bound <= enough, !(step > 0 && context.shouldStop()) else { break }
      (trial, trialStock) = legal(master.prices, master.stockPrices)
    }
  }

  /// Begins and ends with the prices that a sample of the workloads came to, whose mix is worth following.
  init(_ model: PriceModel, like sample: PriceAscent, _ context: PlanningContext) {
    self.model = model
    evaluate(sample.prices, sample.stockPrices, context)
    estimate = sample.estimate
    mix = [1]
    blend = sample.mixed.map { (sample.trials[$0], sample.mix[$0]) }
    blendTotals = model.columns.indices.map { column in
      zip(sample.evaluations, sample.mix).reduce(0) { $0 + $1.1 * Double($1.0.totals[column]) }
    }
  }

  /// Only what some prices prove, made legal first.
  init(_ model: PriceModel, at prices: [Double], _ stockPrices: [Double], _ context: PlanningContext) {
    self.model = model
    offer(prices, stockPrices, context)
    mix = [1]
  }

  /// Columns of the market that its prices are about.
  var columns: [Int] { model.columns }

  /// Evaluations in the best mix.
  private var mixed: [Int] { mix.indices.filter { mix[$0] > 1e-9 } }

  /// Takes other prices where they prove more; they are made legal first.
  mutating func offer(_ prices: [Double], _ stockPrices: [Double], _ context: PlanningContext) {
    let own = zip(stockPrices, model.pools).map { $1.stock == nil ? 0 : $0 }
    let (trial, trialStock) = legal(prices, own)
    evaluate(trial, trialStock, context)
    mix.append(0)
  }

  /// Compute slices as prices: a whole GPU is worth its weight.
  private func startingPrices() -> [Double] {
    model.pools.flatMap { pool in
      pool.table.kinds.map {
        let product = pool.table.product
        return pool.weight * Double(product.profiles[$0].computeSlices) / Double(product.computeSlices)
      }
    }
  }

  private mutating func evaluate(_ trial: [Double], _ trialStock: [Double], _ context: PlanningContext) {
    let evaluation = model.evaluate(trial, context)
    evaluations.append(evaluation)
    trials.append(trial)
    trialStocks.append(trialStock)
    var value = evaluation.value
    let offset = zip(model.pools, trialStock).reduce(0) { $0 + $1.1 * Double($1.0.stock ?? 0) }
    trialOffsets.append(offset)
    value -= offset
    if value > bound {
      bound = value
      prices = trial
      stockPrices = trialStock
    }
  }

  /// Rounding may leave a cut a hair above its limit; prices are scaled down until none is, so the bound stays a proof.
  private func legal(_ trial: [Double], _ trialStock: [Double]) -> (prices: [Double], stockPrices: [Double]) {
    var prices = trial.map { max(0, $0) }
    let stock = trialStock.map { max(0, $0) }
    for (pool, price) in zip(model.pools, stock) {
      let worth =
        pool.table.maximalCuts.map { cut in
          zip(cut.counts, pool.columns).reduce(0) { $0 + Double($1.0) * prices[$1.1] }
        }.max() ?? 0
      let limit = pool.weight + price
      guard worth > limit * (1 - 1e-13) else { continue }
      for column in pool.columns { prices[column] *= limit / worth * (1 - 1e-13) }
    }
    return (prices, stock)
  }

  private mutating func solveMaster() -> (prices: [Double], stockPrices: [Double])? {
    let width = model.columns.count
    let stocked = model.pools.indices.filter { model.pools[$0].stock != nil }
    // Totals may be large; in units of `scale` GPUs every number in the program is near 1.
    let scale = Double(max(1, evaluations.flatMap(\.totals).max() ?? 1))
    let rows = width + 1 + stocked.count
    var program = LinearProgram(
      rightHandSide: [Double](repeating: 0, count: width) + [1]
        + stocked.map { Double(model.pools[$0].stock ?? 0) / scale })
    let first = evaluations.indices.map { index in
      program.addColumn(
        cost: 0,
        evaluations[index].totals.map { -Double($0) / scale } + [1] + [Double](repeating: 0, count: stocked.count))
    }
    for (index, pool) in model.pools.enumerated() {
      let stockRow = stocked.firstIndex(of: index).map { width + 1 + $0 }
      for cut in pool.table.maximalCuts {
        var entries = [Double](repeating: 0, count: rows)
        for (count, column) in zip(cut.counts, pool.columns) { entries[column] = Double(count) }
        if let stockRow { entries[stockRow] = 1 }
        program.addColumn(cost: pool.weight, entries)
      }
    }
    let dearest = model.pools.map(\.weight).max() ?? 1
    for offset in stocked.indices {
      var entries = [Double](repeating: 0, count: rows)
      entries[width + 1 + offset] = -1
      program.addColumn(cost: PriceAscent.borrowing * dearest, entries)
    }
    for row in 0..<rows where row != width {
      var entries = [Double](repeating: 0, count: rows)
      entries[row] = row < width ? -1 : 1
      program.addColumn(cost: 0, entries)
    }
    guard let solution = program.minimum() else { return nil }
    estimate = solution.value * scale
    mix = first.map { solution.x[$0] }
    var stockPrices = [Double](repeating: 0, count: model.pools.count)
    for (offset, pool) in stocked.enumerated() { stockPrices[pool] = -solution.duals[width + 1 + offset] }
    return (Array(solution.duals[0..<width]), stockPrices)
  }
}
