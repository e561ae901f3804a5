/// Covers for very many workloads at the prices that a sample of them came to.
///
/// Each buys at one of the prices of the sample's mix, in turn as often as its share says, and one in sixteen at those that
/// keep the running totals closest to what the mix would have by then. A pool of which more is taken than there is for so many
/// workloads becomes dearer, by little, until it is not: what a sample does not know of the whole is mended so.
struct BlendedCovers {
  /// One in so many workloads is asked at all prices of the mix.
  private static let steering = 16
  /// After so many workloads the pools' prices are looked at again.
  private static let pricing = 256
  /// How far a pool's price follows the share of it that is taken too much.
  private static let gain = 0.2

  private(set) var assignment: CoverAssignment
  private let model: PriceModel
  private let ascent: PriceAscent
  /// What the pools' prices are raised by.
  private var dearness: [Double]
  /// How much of the stock of each pool is aimed at.
  private var filling: [Double]
  private var due: [Double]
  private var solver: CoverSolver

  /// O(workloads) covers, and a sixteenth of as many for each of the prices.
  init(_ model: PriceModel, _ ascent: PriceAscent) {
    (self.model, self.ascent) = (model, ascent)
    let width = model.columns.count
    assignment = CoverAssignment(
      covers: [Int32](repeating: 0, count: model.rates.count * width), totals: [Int](repeating: 0, count: width))
    dearness = [Double](repeating: 1, count: model.pools.count)
    filling = [Double](repeating: 0.998, count: model.pools.count)
    due = [Double](repeating: 0, count: ascent.blend.count)
    solver = CoverSolver(kinds: width)
    buy(from: 0)
  }

  /// Has the last quarter of the workloads buy again, with less of those pools of which more is taken than there is.
  ///
  /// - Parameter counts: GPUs taken of each pool.
  mutating func relieve(_ counts: [Int]) {
    for (index, pool) in model.pools.enumerated() {
      guard let stock = pool.stock, stock > 0, counts[index] > stock else { continue }
      filling[index] *= Double(stock) / Double(counts[index]) * 0.9995
    }
    let width = model.columns.count
    let first = model.rates.count / 4 * 3
    for place in first * width..<assignment.covers.count {
      assignment.totals[place % width] -= Int(assignment.covers[place])
    }
    buy(from: first)
  }

  private mutating func buy(from first: Int) {
    let width = model.columns.count
    let count = model.rates.count
    // A column without a price still counts a little, so that free instances do not pile up.
    let weights = ascent.prices.map { $0 + 1e-3 }
    var markets = ascent.blend.map(\.prices)
    var trial = [Int32](repeating: 0, count: width)
    for workload in first..<count {
      if workload > 0, workload % Self.pricing == 0 {
        follow(progress: Double(workload) / Double(count))
        for (index, entry) in ascent.blend.enumerated() {
          for (pool, factor) in zip(model.pools, dearness) {
            for column in pool.columns { markets[index][column] = entry.prices[column] * factor }
          }
        }
      }
      let row = workload * width
      if workload % Self.steering == Self.steering - 1 {
        let progress = Double(workload + 1) / Double(count)
        let missing = (0..<width).map { ascent.blendTotals[$0] * progress - Double(assignment.totals[$0]) }
        var least = Double.infinity
        for prices in markets {
          solve(workload, prices)
          solver.cover(into: &trial, at: 0)
          var distance = 0.0
          for column in 0..<width {
            let off = (missing[column] - Double(trial[column])) * weights[column]
            distance += off * off
          }
          guard distance < least else { continue }
          least = distance
          for column in 0..<width { assignment.covers[row + column] = trial[column] }
        }
      } else {
        for index in due.indices { due[index] += ascent.blend[index].share }
        let next = due.indices.max { (due[$0], $1) < (due[$1], $0) } ?? 0
        due[next] -= 1
        solve(workload, markets[next])
        solver.cover(into: &assignment.covers, at: row)
      }
      for column in 0..<width { assignment.totals[column] += Int(assignment.covers[row + column]) }
    }
  }

  private mutating func solve(_ workload: Int, _ prices: [Double]) {
    let width = model.columns.count
    _ = solver.solve(
      capacities: model.capacities[workload * width..<(workload + 1) * width], rate: model.rates[workload],
      prices: prices, rule: model.rule(workload))
  }

  /// Makes the pools dearer of which more is taken by now than there is for so many workloads, and those that were made so
  /// cheaper again where it is less.
  private mutating func follow(progress: Double) {
    for (index, pool) in model.pools.enumerated() {
      guard let stock = pool.stock, stock > 0 else { continue }
      let worth = pool.columns.reduce(0) { $0 + Double(assignment.totals[$1]) * ascent.prices[$1] }
      let gpus = worth / (pool.weight + ascent.stockPrices[index])
      let aim = Double(stock) * progress * filling[index]
      dearness[index] = max(1, dearness[index] + Self.gain * (gpus / aim - 1))
    }
  }
}
