import Synchronization

/// The covering problem behind a plan, in flat arrays: workloads that buy instances, pools that sell cuts.
///
///     minimise  sum_j w_j (number of GPUs of pool j)
///     such that every workload's instances cover its rate and fit into the cuts of the GPUs.
///
/// Only the columns (pool, instance kind) couple the workloads. For prices p >= 0 under which no cut of pool j is worth
/// more than w_j + m_j, the sum of the workloads' cheapest covers less sum_j m_j N_j is a lower bound.
struct PriceModel: Sendable {
  struct PoolSide: Sendable {
    /// Objective per GPU, above 0.
    var weight: Double
    /// GPUs in stock; nil without a limit.
    var stock: Int?
    /// Its columns within the model.
    var columns: Range<Int>
    /// Cuts over the pool's columns only.
    var table: CutTable
    /// Index of the pool in the market.
    var marketPool: Int
    /// Its nodes with the GPUs that each has left; empty where they are not known.
    var nodes: [PoolNode]
  }

  /// What one workload would buy at given prices, and what all of them buy together.
  struct Evaluation: Sendable {
    /// Sum of the workloads' lower bounds.
    var value: Double
    /// Instances per column.
    var totals: [Int]
    /// Row-major workload x column.
    var covers: [Int32]
  }

  /// Indices into the market's workloads.
  let workloads: [Int]
  /// Market column of each of the model's columns: those on which some workload has an offer.
  let columns: [Int]
  let pools: [PoolSide]
  let rates: [Double]
  /// Row-major workload x column; 0 without an offer.
  let capacities: [Double]
  /// Workloads that must stand on several failure domains, by index into `workloads`.
  let spreads: [Int: Spread]
  /// What the covers of workloads must be beside enough, by index into `workloads`; the others are plain.
  private let rules: [Int: CoverRule]
  /// How many workloads each of them stands for.
  let multiplicity: Int

  private static let chunk = 1024

  /// What all GPUs cost that there are; a pool without a limit has very many.
  var worthInStock: Double { pools.reduce(0) { $0 + $1.weight * Double($1.stock ?? 1_000_000_000) } }

  /// `weights` holds the objective per GPU of each pool.
  init(_ market: Market, workloads: [Int], weights: [Double], supply: Supply, multiplicity: Int = 1) {
    self.workloads = workloads
    self.multiplicity = multiplicity
    var offered = [Bool](repeating: false, count: market.columns.count)
    for workload in workloads {
      for column in offered.indices where market.capacity(workload, column) > 0 { offered[column] = true }
    }
    var columns: [Int] = []
    var pools: [PoolSide] = []
    for (pool, range) in market.poolColumns.enumerated() {
      let own = range.filter { offered[$0] }
      guard !own.isEmpty else { continue }
      let table = CutTable(market.cuts[pool].product, kinds: own.map { market.columns[$0].profile })
      pools.append(
        PoolSide(
          weight: weights[pool], stock: supply.counts[pool],
          columns: columns.count..<(columns.count + own.count), table: table, marketPool: pool,
          nodes: supply.nodes[pool]))
      columns += own
    }
    self.columns = columns
    self.pools = pools
    rates = workloads.map { supply.rates[$0] ?? market.input.workloads[$0].rate }
    var spreads: [Int: Spread] = [:]
    var rules: [Int: CoverRule] = [:]
    for (index, workload) in workloads.enumerated() where market.input.workloads[workload].constraints != .none {
      if let domains = market.input.workloads[workload].constraints.domains { spreads[index] = domains }
      let rule = market.rule(workload)
      if !rule.isPlain { rules[index] = rule }
    }
    self.spreads = spreads
    self.rules = rules
    capacities = workloads.flatMap { workload in columns.map { market.capacity(workload, $0) } }
  }

  func rule(_ workload: Int) -> CoverRule { rules.isEmpty ? .plain : rules[workload] ?? .plain }

  /// Whether some workload must survive the loss of domains, so that it matters how much of it stands where.
  var hasLosses: Bool { rules.values.contains { $0.losses > 0 } }

  /// A bound of its own: a workload on n domains needs n GPUs, of the cheapest pool that serves it at best.
  var spreadFloor: Double {
    spreads.map { workload, spread in
      let row = workload * columns.count
      let cheapest = pools.filter { $0.columns.contains { capacities[row + $0] > 0 } }.map(\.weight).min() ?? 0
      return Double(spread.atLeast) * cheapest
    }.max() ?? 0
  }

  /// Every workload's cheapest cover at `prices`. O(workloads) covers of about a microsecond each; the result does not
  /// depend on how the context spreads the work.
  func evaluate(_ prices: [Double], _ context: PlanningContext) -> Evaluation {
    let chunks = (rates.count + PriceModel.chunk - 1) / PriceModel.chunk
    let parts = Mutex([Evaluation?](repeating: nil, count: chunks))
    context.forEach(chunks) { chunk in
      let part = evaluate(prices, chunk * PriceModel.chunk..<min(rates.count, (chunk + 1) * PriceModel.chunk))
      parts.withLock { $0[chunk] = part }
    }
    var whole = Evaluation(value: 0, totals: [Int](repeating: 0, count: columns.count), covers: [])
    whole.covers.reserveCapacity(rates.count * columns.count)
    for part in parts.withLock({ $0 }).compactMap({ $0 }) {
      whole.value += part.value
      for column in columns.indices { whole.totals[column] += part.totals[column] }
      whole.covers += part.covers
    }
    guard multiplicity > 1 else { return whole }
    whole.value *= Double(multiplicity)
    for column in columns.indices { whole.totals[column] *= multiplicity }
    return whole
  }

  private func evaluate(_ prices: [Double], _ range: Range<Int>) -> Evaluation {
    let width = columns.count
    var result = Evaluation(
      value: 0, totals: [Int](repeating: 0, count: width), covers: [Int32](repeating: 0, count: range.count * width))
    var solver = CoverSolver(kinds: width)
    for workload in range {
      _ = solver.solve(
        capacities: capacities[(workload * width)..<((workload + 1) * width)], rate: rates[workload], prices: prices,
        rule: rule(workload))
      result.value += solver.lowerBound
      let offset = (workload - range.lowerBound) * width
      solver.cover(into: &result.covers, at: offset)
      for column in 0..<width { result.totals[column] += Int(result.covers[offset + column]) }
    }
    return result
  }
}
