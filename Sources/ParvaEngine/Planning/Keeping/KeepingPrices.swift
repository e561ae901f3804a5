/// What instances are worth, to tell which GPUs of a plan are used badly and which cover of a rest is cheap.
struct KeepingPrices {
  /// Per column of the market, in units of the objective.
  private(set) var prices: [Double]

  private static let sample = 600

  /// Prices from an even sample of the served workloads, in a time that does not depend on their number; of more than the
  /// sample holds, those that were proven for all of them, where there are such.
  init(
    _ market: Market, rates: [Double], weights: [Double], proven: [Double]? = nil, _ context: PlanningContext
  ) {
    prices = market.columns.map { column in
      weights[column.pool] * Double(column.computeSlices)
        / Double(market.cuts[column.pool].product.computeSlices)
    }
    let served = rates.indices.filter { rates[$0] > 0 }
    let step = max(1, served.count / KeepingPrices.sample)
    let sample = stride(from: 0, to: served.count, by: step).map { served[$0] }
    guard !sample.isEmpty else { return }
    if let proven, served.count > KeepingPrices.sample {
      prices = proven
      return
    }
    let part = market.part(sample, rates: sample.map { rates[$0] }, stock: weights.map { _ in nil })
    let model = PriceModel(
      part, workloads: Array(sample.indices), weights: weights, supply: Supply(part.input))
    let ascent = PriceAscent(model, tolerance: 1e-3 * (weights.min() ?? 1), limit: 40, context)
    for (column, price) in zip(model.columns, ascent.prices) { prices[column] = price }
  }

  /// What the contents of each slot are worth below the slot's weight. O(segments).
  func room(_ state: KeepingState) -> [Double] {
    state.slots.map { slot in slot.segments.reduce(state.weights[slot.pool]) { $0 - prices[$1.column] } }
  }

  /// What the needed part of each slot is worth below the slot's weight: room, segments that their workload could do
  /// without, and sizes that are dear for what they carry. O(segments).
  func waste(_ state: KeepingState) -> [Double] {
    state.slots.map { slot in
      guard !slot.segments.isEmpty else { return 0 }
      var waste = state.weights[slot.pool]
      for segment in slot.segments {
        let capacity = state.market.capacity(segment.workload, segment.column)
        let surplus = state.capacity[segment.workload] - state.rates[segment.workload]
        waste -= prices[segment.column] * min(1, max(0, 1 - surplus / capacity))
      }
      return waste
    }
  }
}
