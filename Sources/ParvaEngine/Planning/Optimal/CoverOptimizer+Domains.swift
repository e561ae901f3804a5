extension CoverOptimizer {
  /// Contents of GPUs that are looked at.
  private static let domainSteps = 400_000
  private static let briefDomainSteps = 60_000

  /// A search to the end where some workloads must survive losses and all are few: it finds the cheapest plan, and proves it or
  /// that there is none.
  func searchDomains(_ outcome: inout Outcome, _ effort: Effort) {
    guard !outcome.isOptimal, !context.shouldStop() else { return }
    let model = outcome.model
    let inStock = model.pools.reduce(0) { $0 + $1.weight * Double($1.stock ?? 1_000_000_000) }
    let ceiling =
      outcome.packed.fitsStock
      ? outcome.packed.cost - 1e-9 : min(inStock, outcome.packed.cost * 2 + 8 * (weights.max() ?? 1)) + 1e-9
    let steps = effort == .full ? Self.domainSteps : Self.briefDomainSteps
    guard var search = DomainSearch(model, outcome.ascent, ceiling: ceiling, steps: steps, context) else { return }
    let result = search.run()
    if let layout = result.layout {
      let packed = PackedCovers(layout, model)
      if packed.isBetter(than: outcome.packed) { outcome.packed = packed }
    }
    guard result.isComplete else { return }
    // All that costs less than the plan in hand was tried, or all that is in stock.
    guard outcome.packed.fitsStock || ceiling >= inStock else { return }
    let least = outcome.packed.fitsStock ? outcome.packed.cost : inStock + max(lattice.unit, 1e-3)
    guard least > outcome.least + 1e-9 else { return }
    outcome.least = least
    outcome.bound = max(outcome.bound, least)
    outcome.isExhaustive = true
  }
}
