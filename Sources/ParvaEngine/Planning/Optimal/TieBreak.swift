/// Among plans of least cost one of fewest GPUs, among plans of fewest GPUs or watts one of least cost.
struct TieBreak {
  private static let workloadLimit = 300

  private let market: Market
  private let weights: [Double]
  private let context: PlanningContext

  init(_ market: Market, _ context: PlanningContext) {
    self.market = market
    weights = market.input.weights
    self.context = context
  }

  /// What breaks ties, per GPU of each pool; nil where nothing tells the pools apart.
  private var figures: [Double]? {
    let stated = market.input.pools.map {
      market.input.options.objective == .cost ? 1 : PlanObjective.cost.weight(of: $0)
    }
    guard let dearest = stated.compactMap({ $0 }).max() else { return nil }
    let figures = stated.map { $0 ?? dearest }
    let shares = zip(figures, weights).map { $0 / $1 }
    guard let first = shares.first, shares.contains(where: { ($0 - first).magnitude > 1e-9 * first.magnitude }) else {
      return nil
    }
    return figures
  }

  /// The fleet with another plan for the same workloads where one is found that costs as much and is better otherwise.
  /// A short search with a trace of the second figure added to the first; what is proven stays.
  func broken(_ fleet: TenantSolver.Fleet, rates: [Double]) -> TenantSolver.Fleet {
    let unit = ObjectiveLattice(weights: weights).unit
    let served = Set(fleet.draft.flatMap { $0.segments.map(\.workload) }).sorted()
    // A unit too small to be seen beside the whole cost leaves no room for a trace.
    guard let figures, !served.isEmpty, served.count <= TieBreak.workloadLimit, unit > 1e-5 * fleet.cost,
      !context.shouldStop()
    else { return fleet }
    let second = fleet.draft.reduce(0) { $0 + figures[$1.pool] }
    guard second > 0 else { return fleet }
    let trace = 0.5 * unit / second
    let optimizer = CoverOptimizer(market, weights: zip(weights, figures).map { $0 + trace * $1 }, context)
    var supply = Supply(market.input)
    for workload in served { supply.rates[workload] = rates[workload] }
    let solver = TenantSolver(market, optimizer, context)
    let other = solver.solve(served, supply, .brief)
    let cost = other.draft.reduce(0) { $0 + weights[$1.pool] }
    guard other.fitsStock, cost <= fleet.cost + 1e-9 * max(1, fleet.cost),
      other.draft.reduce(0, { $0 + figures[$1.pool] }) < second * (1 - 1e-9)
    else { return fleet }
    var better = fleet
    (better.draft, better.counts, better.cost) = (other.draft, other.counts, cost)
    return better
  }
}
