/// One cover per workload, with the totals that the pools must then hold.
struct CoverAssignment: Sendable {
  /// Row-major workload x column.
  var covers: [Int32]
  /// Instances per column.
  var totals: [Int]

  init(covers: [Int32], totals: [Int]) {
    self.covers = covers
    self.totals = totals
  }

  /// Lets each workload use the cover of one evaluation so that the totals follow the best mix: workload by workload
  /// the cover that keeps the running totals closest to the mixed ones, weighed by price. A workload of very many
  /// instances is mixed in itself, or a handful of such could not follow the mix at all.
  /// O(workloads x evaluations in the mix x columns).
  init(_ model: PriceModel, _ ascent: PriceAscent) {
    let width = model.columns.count
    let used = ascent.mix.indices.filter { ascent.mix[$0] > 1e-9 }
    let shares = used.map { ascent.mix[$0] }
    let candidates = used.map { ascent.evaluations[$0].covers }
    // A column without a price still counts a little, so that free instances do not pile up.
    let weights = ascent.prices.map { $0 + 1e-3 }
    var error = [Double](repeating: 0, count: width)
    covers = []
    covers.reserveCapacity(model.rates.count * width)
    totals = [Int](repeating: 0, count: width)
    for workload in model.rates.indices {
      let row = workload * width
      var wanted = error
      for (candidate, share) in zip(candidates, shares) {
        for column in 0..<width { wanted[column] += share * Double(candidate[row + column]) }
      }
      var best = 0
      var least = Double.infinity
      for (index, candidate) in candidates.enumerated() {
        var distance = 0.0
        for column in 0..<width {
          let off = (wanted[column] - Double(candidate[row + column])) * weights[column]
          distance += off * off
        }
        if distance < least {
          least = distance
          best = index
        }
      }
      var chosen = Array(candidates[best][row..<row + width])
      if used.count > 1, model.rule(workload).isPlain, chosen.reduce(0, +) >= CoverAssignment.mixedFrom {
        chosen = CoverAssignment.mixed(workload, candidates, shares, model, ascent.prices) ?? chosen
      }
      for column in 0..<width {
        let count = chosen[column]
        covers.append(count)
        totals[column] += Int(count)
        error[column] = wanted[column] - Double(count)
      }
    }
  }

  private static let mixedFrom: Int32 = 48

  /// The mix of a workload's covers in whole instances, and the cheapest ones for what rounding leaves uncovered; nil
  /// where that is no cover.
  private static func mixed(
    _ workload: Int, _ candidates: [[Int32]], _ shares: [Double], _ model: PriceModel, _ prices: [Double]
  ) -> [Int32]? {
    let width = model.columns.count
    let row = workload * width
    var rest = model.rates[workload]
    var chosen = [Int32](repeating: 0, count: width)
    for column in 0..<width {
      let wanted = zip(candidates, shares).reduce(0) { $0 + $1.1 * Double($1.0[row + column]) }
      chosen[column] = Int32(wanted + 1e-9)
      rest -= Double(chosen[column]) * model.capacities[row + column]
    }
    guard rest > model.rates[workload] * CoverSolver.slack else { return chosen }
    var solver = CoverSolver(kinds: width)
    guard solver.solve(capacities: model.capacities[row..<row + width], rate: rest, prices: prices) < .infinity else {
      return nil
    }
    var added = chosen
    solver.cover(into: &added, at: 0)
    return zip(chosen, added).map(+)
  }
}
