extension Market {
  /// The least share of GPUs that carries the workload.
  ///
  /// Whole instances of the kind that gives most for its share come first: by the pigeonhole principle the others of a cheapest
  /// cover weigh less than as many of it as the largest weighs. What is left is a small knapsack without bounds.
  func leastShare(of workload: Int) -> Double {
    let rate = input.workloads[workload].rate
    let units = input.pools.reduce(1) { Self.leastCommonMultiple($0, $1.product.computeSlices) }
    let kinds = columns.indices.compactMap { column -> (capacity: Double, weight: Int)? in
      let (most, place) = (capacity(workload, column), columns[column])
      guard most > 0 else { return nil }
      return (most, place.computeSlices * units / input.pools[place.pool].product.computeSlices)
    }
    let rule = self.rule(workload)
    if !rule.isPlain {
      let row = columns.indices.map { capacity(workload, $0) }
      let shares = columns.map {
        Double($0.computeSlices) / Double(input.pools[$0.pool].product.computeSlices)
      }
      let least = RuledCover(capacities: row[...], rate: rate, prices: shares, rule: rule).lowerBound
      return least < .infinity ? least : 0
    }
    guard let best = kinds.max(by: { $0.capacity / Double($0.weight) < $1.capacity / Double($1.weight) }) else {
      return 0
    }
    let largest = kinds.map(\.weight).max() ?? best.weight
    let whole = max(0, (rate / best.capacity).rounded(.down) - Double(largest))
    let rest = rate - whole * best.capacity - rate * Tolerance.relative
    var carried = [0.0]
    while let last = carried.last, last < rest {
      let weight = carried.count
      carried.append(
        kinds.lazy.filter { $0.weight <= weight }.map { carried[weight - $0.weight] + $0.capacity }.max() ?? 0)
    }
    return (whole * Double(best.weight) + Double(carried.count - 1)) / Double(units)
  }

  private static func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
    var (x, y) = (a, b)
    while y > 0 { (x, y) = (y, x % y) }
    return a / x * b
  }
}
