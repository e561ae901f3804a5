/// Chooses which workloads to serve when the stock does not hold all: by priority, then by most demand per GPU. None is
/// skipped for a later one unless it does not fit; one that allows it gets the largest part of its rate that fits then.
struct ScarcitySearch {
  struct Choice: Sendable {
    /// Nil when no workload can be served.
    var fleet: TenantSolver.Fleet?
    var refusals: [Int: Unserved] = [:]
    var partial: [Int: PartialService] = [:]
  }

  /// After so many workloads each it is asked whether there is time left; fewer take hardly any.
  private static let asking = 2048

  private let market: Market
  private let solver: TenantSolver
  private let context: PlanningContext

  init(_ market: Market, _ solver: TenantSolver, _ context: PlanningContext) {
    self.market = market
    self.solver = solver
    self.context = context
  }

  /// One solve when everyone fits; else O(log n) solves for each stretch of workloads that does not.
  func serve(_ workloads: [Int]) -> Choice {
    guard !workloads.isEmpty else { return Choice() }
    let supply = Supply(market.input)
    let whole = solver.solve(workloads, supply)
    guard !whole.fitsStock else { return Choice(fleet: whole) }
    let message = shortage(unbounded(workloads, than: whole))
    let order = solver.order(workloads)
    // Before the search, which takes all the time that there is.
    let greedy = Greedy(order, market, weights: solver.weights, supply)
    let choice = searched(order, supply, message)
    return notBelow(greedy, choice, whole, order, supply, message) ?? filled(choice, order, supply)
  }

  /// What stands when workloads are taken in order and each is put where there is room.
  private struct Greedy {
    var gpus: [DraftGPU]
    var served: [Int] = []

    /// Near linear in the instances.
    init(_ order: [Int], _ market: Market, weights: [Double], _ supply: Supply) {
      var fill = GreedyFill(market, weights: weights, supply)
      for workload in order where fill.insert(workload, rate: market.input.workloads[workload].rate) {
        served.append(workload)
      }
      gpus = fill.gpus
    }
  }

  /// Those whom greedy serves are served in any case: of two choices that one is better which serves the first workload in
  /// order that only one of them serves. Nil where that is `choice`.
  private func notBelow(
    _ greedy: Greedy, _ choice: Choice, _ all: TenantSolver.Fleet, _ order: [Int], _ supply: Supply, _ message: String
  ) -> Choice? {
    // Whole before part before nothing.
    let whole = Set(greedy.served)
    func rank(_ workload: Int) -> Int {
      choice.refusals[workload] != nil ? 0 : choice.partial[workload] != nil ? 1 : 2
    }
    let first = order.first { (whole.contains($0) ? 2 : 0) != rank($0) }
    guard let first, whole.contains(first) else { return nil }
    let served = greedy.served.sorted()
    // Few are planned for in no time.
    let isLate = served.count >= Self.asking && context.shouldStop()
    var fleet = isLate ? solver.proven(all, served, supply) : solver.solve(served, supply, .brief)
    if isLate || !fleet.fitsStock { solver.replace(&fleet, greedy.gpus) }
    var better = Choice(fleet: fleet)
    for workload in order where !whole.contains(workload) {
      better.refusals[workload] = Unserved(
        workload: market.input.workloads[workload].id, code: .noStock, message: message)
    }
    return isLate ? better : filled(better, order, supply)
  }

  /// Whom the search left out, or did not come to, and who fits into what is left as it stands.
  private func filled(_ choice: Choice, _ order: [Int], _ supply: Supply) -> Choice {
    guard var fleet = choice.fleet, !choice.refusals.isEmpty else { return choice }
    var filled = choice
    var fill = GreedyFill(market, weights: solver.weights, supply, standing: fleet.draft)
    for (number, workload) in order.filter({ filled.refusals[$0] != nil }).enumerated() {
      if number % Self.asking == Self.asking - 1, context.shouldStop() { break }
      if fill.insert(workload, rate: market.input.workloads[workload].rate) { filled.refusals[workload] = nil }
    }
    guard filled.refusals.count < choice.refusals.count else { return choice }
    // More is served than the bound is about, so it still holds.
    solver.replace(&fleet, fill.gpus)
    filled.fleet = fleet
    return filled
  }

  private func searched(_ ordered: [Int], _ given: Supply, _ message: String) -> Choice {
    var supply = given
    var choice = Choice()
    var served: [Int] = []
    // Stretches still to be tried, the next one last. A stretch that does not fit is halved; a single workload that does
    // not fit is refused, or served in part.
    var stretches = [ordered[...]]
    // All of very many were tried, and each further try takes long.
    let isLarge = ordered.count > CoverOptimizer.sampledFrom
    if isLarge { stretches = [ordered[(ordered.count / 2)...], ordered[..<(ordered.count / 2)]] }
    var failures = 0
    // About as much work as some hundred solves of a thousand workloads.
    let failureLimit = max(48, 200_000 / ordered.count)
    while let stretch = stretches.popLast() {
      let isTried = failures < failureLimit && !context.shouldStop() && !(isLarge && context.shouldSettle())
      if isTried {
        let fleet = solver.solve((served + stretch).sorted(), supply, .brief)
        if fleet.fitsStock {
          served += stretch
          choice.fleet = fleet
          continue
        }
      }
      failures += 1
      if stretch.count > 1, isTried {
        let middle = stretch.startIndex + stretch.count / 2
        stretches.append(stretch[middle...])
        stretches.append(stretch[..<middle])
        continue
      }
      for workload in stretch {
        let demand = market.input.workloads[workload]
        if isTried, demand.allowsPartial, let part = part(of: workload, beside: served, supply) {
          served.append(workload)
          supply.rates[workload] = part.rate
          choice.fleet = part.fleet
          choice.partial[workload] = PartialService(
            workload: demand.id, demanded: demand.rate, served: part.rate, code: .noStock, message: message)
        } else {
          choice.refusals[workload] = Unserved(workload: demand.id, code: .noStock, message: message)
        }
      }
    }
    return choice
  }

  /// The largest rate of a workload that fits beside those served, and the plan with it; nil where nothing fits.
  ///
  /// What fits at a rate fits at every lower one, so halving finds the border up to a share of the rate; the capacity
  /// bought there is then raised step by step until the next step does not fit.
  private func part(
    of workload: Int, beside served: [Int], _ supply: Supply
  ) -> (rate: Double, fleet: TenantSolver.Fleet)? {
    let demanded = market.input.workloads[workload].rate
    let least = market.columns.indices.map { market.capacity(workload, $0) }.filter { $0 > 0 }.min() ?? 0
    func attempt(_ rate: Double) -> (rate: Double, fleet: TenantSolver.Fleet)? {
      guard rate > 0, rate < demanded else { return nil }
      var trial = supply
      trial.rates[workload] = rate
      let fleet = solver.solve((served + [workload]).sorted(), trial, .brief)
      guard fleet.fitsStock else { return nil }
      let bought = market.carried(workload, by: fleet.draft)
      // A hair below the demand: it has been shown not to fit.
      return (max(rate, min(bought, demanded * (1 - 1e-6))), fleet)
    }
    guard var best = attempt(min(least, demanded * 0.999)) ?? attempt(demanded * 1e-3) else { return nil }
    var high = demanded
    for _ in 0..<10 where high > best.rate * 1.01 && !context.shouldStop() {
      let middle = (best.rate + high) / 2
      if let better = attempt(middle) { best = better } else { high = middle }
    }
    for _ in 0..<8 where !context.shouldStop() {
      guard let better = attempt(best.rate * (1 + 1e-6)), better.rate > best.rate else { break }
      best = better
    }
    return best
  }

  /// The plan with fewest GPUs that are not in stock. Who survives losses needs less of a larger stock, since that has more domains.
  private func unbounded(_ workloads: [Int], than whole: TenantSolver.Fleet) -> TenantSolver.Fleet {
    guard workloads.contains(where: { market.input.workloads[$0].constraints.survive?.over == .gpu }) else {
      return whole
    }
    func lacking(_ fleet: TenantSolver.Fleet) -> Int {
      zip(market.input.pools, fleet.counts).reduce(0) { $0 + max(0, $1.1 - ($1.0.count ?? $1.1)) }
    }
    var free = market
    for pool in free.input.pools.indices where free.input.pools[pool].nodes.isEmpty {
      free.input.pools[pool].count = nil
    }
    let optimizer = CoverOptimizer(free, weights: solver.weights, context)
    let other = TenantSolver(free, optimizer, context).solve(workloads, Supply(free.input), .brief)
    return lacking(other) > 0 && lacking(other) < lacking(whole) ? other : whole
  }

  /// What is missing for everyone, pool by pool: with that much more the plan in hand is one.
  private func shortage(_ whole: TenantSolver.Fleet) -> String {
    let lacking = zip(market.input.pools, whole.counts).compactMap { pool, count -> String? in
      guard let stock = pool.count, count > stock else { return nil }
      let place = market.input.pools.count > 1 ? " in pool \(pool.name)" : ""
      return "\(count - stock) more \(pool.product.name)\(place)"
    }
    let reason = "the GPUs in stock are taken by workloads of higher priority or more demand per GPU"
    guard !lacking.isEmpty else { return reason + "; on more nodes or GPUs everything could be spread as it asks" }
    return reason + "; \(lacking.joined(separator: " and ")) would serve everything"
  }
}
