extension CoverOptimizer {
  /// Workloads of which a sample consists that is asked how many the stock holds.
  private static let reachSample = 1500
  private static let reachRounds = 8

  /// How many of very many workloads, from the first on, the stock may hold by the prices of a sample, with the ascent of the last one.
  ///
  /// Prices at which a sample costs more than all GPUs tell how many of the workloads do not; a sample of so many is asked next, until
  /// one costs no more. O(workloads log workloads), and an ascent of a sample each time.
  ///
  /// - Parameter most: as many as are known to cost no more at some prices.
  func reach(_ ordered: [Int], _ supply: Supply, most: Int) -> (count: Int, sample: PriceAscent?) {
    let inputs = market.input.workloads
    // Alike beside alike, so that each of a sample stands for its neighbours.
    let alike = ordered.indices.sorted {
      let (a, b) = (ordered[$0], ordered[$1])
      return (inputs[a].model, inputs[a].rate, $0) < (inputs[b].model, inputs[b].rate, $1)
    }
    var count = most
    for _ in 0..<Self.reachRounds where count > Self.reachSample && !context.shouldStop() {
      let step = count / Self.reachSample
      let first = alike.filter { $0 < count }
      let places = stride(from: step / 2, to: first.count, by: step).map { first[$0] }.sorted()
      let model = PriceModel(
        market, workloads: places.map { ordered[$0] }, weights: weights, supply: supply, multiplicity: step)
      let worth = model.worthInStock
      let ascent = PriceAscent(model, tolerance: 1e-3 * worth, limit: 60, enough: worth, context)
      guard ascent.bound > worth, let number = ascent.trials.firstIndex(of: ascent.prices) else {
        return (count, context.shouldStop() ? nil : ascent)
      }
      var left = zip(model.pools, ascent.stockPrices).reduce(0) { $0 + ($1.0.weight + $1.1) * Double($1.0.stock ?? 0) }
      let covers = ascent.evaluations[number].covers
      let width = model.columns.count
      var reached = count
      for (row, place) in places.enumerated() {
        for column in 0..<width {
          left -= Double(step) * Double(covers[row * width + column]) * ascent.prices[column]
        }
        guard left < 0 else { continue }
        reached = place
        break
      }
      count = Self.easily(min(reached, count - step))
    }
    return (count, nil)
  }

  /// Of many that may just fit whole instances leave some out.
  static func easily(_ count: Int) -> Int { count > 200 ? count - count / 50 : count }
}
