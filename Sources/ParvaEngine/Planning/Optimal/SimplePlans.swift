/// Plans by simple rules, within stock: what a search returns is never worse.
struct SimplePlans {
  private let market: Market
  private let weights: [Double]
  private let supply: Supply
  private let context: PlanningContext

  init(_ market: Market, weights: [Double], _ supply: Supply, _ context: PlanningContext) {
    self.market = market
    self.weights = weights
    self.supply = supply
    self.context = context
  }

  /// Complete plans for `workloads`, as many as there is time for. Near linear in the instances.
  func drafts(_ workloads: [Int]) -> [[DraftGPU]] {
    let largest = largestFirst(workloads)
    let overNodes = workloads.contains { market.input.workloads[$0].constraints.needsNodes }
    return [
      filled(largest), filled(serviceOrder(workloads)), overNodes ? filled(largest, isThin: true) : nil,
      published(workloads),
    ].compactMap { $0 }
  }

  /// By priority, then by requests per second that one GPU can serve at best, then as in the input. O(n log n).
  func serviceOrder(_ workloads: [Int]) -> [Int] {
    func density(_ workload: Int) -> Double {
      market.columns.indices.map { index in
        let column = market.columns[index]
        let whole = Double(market.cuts[column.pool].product.computeSlices)
        return market.capacity(workload, index) * whole / Double(column.computeSlices)
      }.max() ?? 0
    }
    let ranked = workloads.map { (workload: $0, density: density($0)) }
    return ranked.sorted { a, b in
      let (x, y) = (market.input.workloads[a.workload].priority, market.input.workloads[b.workload].priority)
      return x != y ? x > y : a.density != b.density ? a.density > b.density : a.workload < b.workload
    }.map(\.workload)
  }

  /// Those that need several failure domains, then those with most demand.
  private func largestFirst(_ workloads: [Int]) -> [Int] {
    let ranked = workloads.map { workload in
      let most = market.columns.indices.map { market.capacity(workload, $0) }.max() ?? 0
      let spread = market.input.workloads[workload].constraints.domains?.atLeast ?? 1
      return (workload: workload, spread: spread, size: most > 0 ? rate(workload) / most : 0)
    }
    return ranked.sorted { ($1.spread, $1.size, $0.workload) < ($0.spread, $0.size, $1.workload) }.map(\.workload)
  }

  /// After so many workloads each it is asked whether there is time left; fewer take hardly any.
  static let asking = 2048
  /// The same where workloads have rules, which take longer.
  static let askingWithRules = 128

  /// One after the other; nil where one finds no room, or time is over.
  private func filled(_ order: [Int], isThin: Bool = false) -> [DraftGPU]? {
    var fill = GreedyFill(market, weights: weights, supply, isThin: isThin)
    let asking = market.hasRules ? Self.askingWithRules : Self.asking
    for (number, workload) in order.enumerated() {
      if number % asking == asking - 1, context.shouldStop() { return nil }
      guard fill.insert(workload, rate: rate(workload)) else { return nil }
    }
    return fill.gpus.filter { !$0.segments.isEmpty }
  }

  /// The published method, where there is one pool and nothing else to heed.
  private func published(_ workloads: [Int]) -> [DraftGPU]? {
    guard market.input.pools.count == 1, !market.hasRules,
      workloads.count < Self.asking || !context.shouldStop()
    else { return nil }
    var part = market.part(workloads, rates: workloads.map(rate), stock: supply.counts)
    part.input.options.allocationOptimization = true
    var segments: [DraftSegment] = []
    for workload in workloads.indices {
      guard case .success(let matched) = ParvaGPUPlanner.match(workload, 0, part) else { return nil }
      segments += matched
    }
    let draft = ParvaGPUPlanner.method.allocate(segments, 0, part)
    guard draft.count <= supply.counts[0] ?? .max else { return nil }
    return draft.map { gpu in
      var gpu = gpu
      for index in gpu.segments.indices { gpu.segments[index].workload = workloads[gpu.segments[index].workload] }
      return gpu
    }
  }

  private func rate(_ workload: Int) -> Double { supply.rates[workload] ?? market.input.workloads[workload].rate }
}
