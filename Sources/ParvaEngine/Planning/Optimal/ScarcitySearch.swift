/// Chooses whom to serve when the stock does not hold everyone: by priority, then by most demand per GPU, nobody skipped
/// for a later one unless he does not fit.
struct ScarcitySearch {
  struct Choice: Sendable {
    /// Nil when nobody can be served.
    var outcome: CoverOptimizer.Outcome?
    var refusals: [Int: Unplaced] = [:]
  }

  private let market: Market
  private let optimizer: CoverOptimizer
  private let context: PlanningContext

  init(_ market: Market, _ optimizer: CoverOptimizer, _ context: PlanningContext) {
    self.market = market
    self.optimizer = optimizer
    self.context = context
  }

  /// One solve when everyone fits; else O(log n) solves for each stretch of workloads that does not.
  func serve(_ workloads: [Int]) -> Choice {
    guard !workloads.isEmpty else { return Choice() }
    let whole = optimizer.solve(workloads)
    guard !whole.packed.fitsStock else { return Choice(outcome: whole) }
    let message = shortage(whole)
    var choice = Choice()
    var served: [Int] = []
    // Stretches still to be tried, the next one last. A stretch that does not fit is halved; a single workload that does
    // not fit is refused.
    var stretches = [order(workloads)[...]]
    var failures = 0
    while let stretch = stretches.popLast() {
      let outcome = failures < 48 && !context.shouldStop() ? optimizer.solve((served + stretch).sorted()) : nil
      if let outcome, outcome.packed.fitsStock {
        served += stretch
        choice.outcome = outcome
        continue
      }
      failures += 1
      if stretch.count > 1, outcome != nil {
        let middle = stretch.startIndex + stretch.count / 2
        stretches.append(stretch[middle...])
        stretches.append(stretch[..<middle])
        continue
      }
      for workload in stretch {
        choice.refusals[workload] = Unplaced(
          workload: market.input.workloads[workload].id, code: .noStock, message: message)
      }
    }
    return choice
  }

  private func order(_ workloads: [Int]) -> [Int] {
    StockLimit.order(workloads, market)
  }

  /// What is missing for everyone, product by product.
  private func shortage(_ whole: CoverOptimizer.Outcome) -> String {
    let lacking = zip(whole.model.pools, whole.packed.packings).compactMap { pool, packing -> String? in
      guard let stock = pool.stock, packing.gpuCount > stock else { return nil }
      return "\(packing.gpuCount - stock) more \(pool.table.product.name)"
    }
    return "the GPUs in stock are taken by workloads of higher priority or more demand per GPU; "
      + "\(lacking.joined(separator: " and ")) would serve everything"
  }
}
