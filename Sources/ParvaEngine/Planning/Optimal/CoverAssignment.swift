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
  /// the cover that keeps the running totals closest to the mixed ones, weighed by price.
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
      for column in 0..<width {
        let count = candidates[best][row + column]
        covers.append(count)
        totals[column] += Int(count)
        error[column] = wanted[column] - Double(count)
      }
    }
  }
}
