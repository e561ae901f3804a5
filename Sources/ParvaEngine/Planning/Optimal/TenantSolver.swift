/// Plans tenant by tenant: no two share a GPU, so their plans differ in nothing but the GPUs in stock that they take.
struct TenantSolver {
  /// The plans of all tenants together.
  struct Fleet: Sendable {
    /// Tenant by tenant, those without one first; as it was found otherwise where that is better.
    var draft: [DraftGPU]
    var cost: Double
    /// No plan for these workloads costs less.
    var bound: Double
    /// The least value of the objective that the bound allows.
    var least: Double
    /// Whether the bound rests on exhaustive search and not on prices alone.
    var isExhaustive: Bool
    var fitsStock: Bool
    /// GPUs per pool of the market.
    var counts: [Int]
    /// What each tenant's prices prove with the whole stock to itself, in order of tenant; the bounds add up.
    var proofs: [CoverOptimizer.Outcome]
    /// By proof, prices of its columns at which the covers of all may be worth more than all GPUs; empty where nothing speaks for that.
    var shortage: [[Double]] = []

    var isOptimal: Bool { fitsStock && cost <= least + 1e-9 }

    /// What an instance of each of the market's columns is worth by the proof, where one proof is about all workloads and
    /// no stock is short.
    func prices(_ market: Market) -> [Double]? {
      guard proofs.count == 1, proofs[0].ascent.stockPrices.allSatisfy({ $0 == 0 }) else { return nil }
      var prices = market.columns.map { column in
        market.input.weights[column.pool] * Double(column.computeSlices)
          / Double(market.cuts[column.pool].product.computeSlices)
      }
      for (column, price) in zip(proofs[0].model.columns, proofs[0].ascent.prices) { prices[column] = price }
      return prices
    }
  }

  private static let orderLimit = 6
  private static let allotmentLimit = 64

  private let market: Market
  private let optimizer: CoverOptimizer
  private let context: PlanningContext

  init(_ market: Market, _ optimizer: CoverOptimizer, _ context: PlanningContext) {
    self.market = market
    self.optimizer = optimizer
    self.context = context
  }

  /// The best plan found for `workloads`; never dearer than what simple rules find.
  ///
  /// - Parameter sample: see ``CoverOptimizer/solve(_:_:_:sample:)``; for workloads of one tenant.
  func solve(
    _ workloads: [Int], _ supply: Supply, _ effort: CoverOptimizer.Effort = .full, sample: PriceAscent? = nil
  ) -> Fleet {
    var fleet = searched(workloads, supply, effort, sample)
    // Large plans within half a percent of the bound are not worth the time that a comparison takes.
    let isNear = workloads.count > 1000 && fleet.fitsStock && fleet.cost - fleet.bound <= 0.005 * fleet.bound
    // Nor are those that cannot fit at all.
    let isHopeless = fleet.proofs.contains(where: \.isImpossible)
    guard !fleet.isOptimal, !isNear, !isHopeless, !(effort == .fitting && fleet.fitsStock) else { return fleet }
    // Of few workloads they take no time.
    if fleet.fitsStock, workloads.count >= SimplePlans.asking, context.shouldStop() { return fleet }
    for draft in SimplePlans(market, weights: weights, supply, context).drafts(workloads) {
      var other = fleet
      replace(&other, draft)
      if isBetter(other, fleet) { fleet = other }
    }
    return fleet
  }

  /// Objective per GPU of each pool of the market.
  var weights: [Double] { optimizer.weights }

  /// Who is served first where not everyone can be.
  func order(_ workloads: [Int]) -> [Int] {
    SimplePlans(market, weights: weights, Supply(market.input), context).serviceOrder(workloads)
  }

  /// How many of very many workloads in order the stock may hold, see ``CoverOptimizer/reach(_:_:most:)``.
  func reach(_ ordered: [Int], _ supply: Supply, most: Int) -> (count: Int, sample: PriceAscent?) {
    optimizer.reach(ordered, supply, most: most)
  }

  /// Puts another plan within stock in place of the one that was found; what is proven stays.
  func replace(_ fleet: inout Fleet, _ draft: [DraftGPU]) {
    fleet.draft = draft.filter { !$0.segments.isEmpty }
    fleet.counts = [Int](repeating: 0, count: market.input.pools.count)
    for gpu in fleet.draft { fleet.counts[gpu.pool] += 1 }
    fleet.cost = fleet.draft.reduce(0) { $0 + weights[$1.pool] }
    fleet.fitsStock = true
  }

  /// What the prices of a plan for more workloads prove for these; it is left to the caller to put a plan there. One cover a
  /// workload.
  func proven(_ all: Fleet, _ workloads: [Int], _ supply: Supply) -> Fleet {
    let kept = Set(workloads)
    let proofs = all.proofs.compactMap { proof -> CoverOptimizer.Outcome? in
      let own = all.proofs.count == 1 ? workloads : proof.model.workloads.filter(kept.contains)
      return own.isEmpty ? nil : optimizer.proven(own, supply, like: proof)
    }
    return Fleet(
      draft: [], cost: 0, bound: proofs.count == 1 ? proofs[0].bound : proofs.reduce(0) { $0 + $1.least },
      least: proofs.reduce(0) { $0 + $1.least }, isExhaustive: false, fitsStock: false,
      counts: [Int](repeating: 0, count: market.input.pools.count), proofs: proofs)
  }

  /// One solve per tenant where the stock is no concern.
  private func searched(
    _ workloads: [Int], _ supply: Supply, _ effort: CoverOptimizer.Effort, _ sample: PriceAscent?
  ) -> Fleet {
    let groups = groups(workloads)
    let alone = groups.map { optimizer.solve($0, supply, effort, sample: groups.count == 1 ? sample : nil) }
    var together = fleet(alone, proofs: alone)
    if alone.count == 1 { together.shortage = [alone[0].shortage ?? alone[0].ascent.prices] }
    guard alone.count > 1, !alone.contains(where: \.isImpossible) else { return together }
    let overNodes = alone.contains { $0.model.spreads.values.contains { $0.over == .node } }
    // GPUs taken twice on one node would be taken twice in its pool too, unless spreads chose the nodes.
    if together.fitsStock, !overNodes { return together }
    var best: Fleet?
    for order in orders(groups.count) {
      let next = inTurn(groups, order, supply, proofs: alone, effort)
      if best.map({ isBetter(next, $0) }) ?? true { best = next }
      if next.fitsStock, next.cost <= next.least + 1e-9 || effort == .fitting || context.shouldStop() { break }
    }
    guard var found = best else { return together }
    func isEnough() -> Bool { found.isOptimal || effort == .fitting && found.fitsStock }
    if !isEnough(), !overNodes, let joint = jointly(alone, supply, known: found, effort) { found = joint }
    return isEnough() ? found : allotted(groups, supply, alone, found, effort)
  }

  private func groups(_ workloads: [Int]) -> [[Int]] {
    let byTenant = Dictionary(grouping: workloads) { market.input.workloads[$0].tenant }
    let shared = byTenant[nil].map { [$0] } ?? []
    return shared + byTenant.compactMap { tenant, list in tenant.map { ($0, list) } }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// Who chooses first: the order of the tenants, its reverse, and each of the first few at the front.
  private func orders(_ count: Int) -> [[Int]] {
    let plain = Array(0..<count)
    let promoted = (1..<count).prefix(TenantSolver.orderLimit - 2).map { first in [first] + plain.filter { $0 != first }
    }
    return [plain, plain.reversed()] + promoted
  }

  private func inTurn(
    _ groups: [[Int]], _ order: [Int], _ supply: Supply, proofs: [CoverOptimizer.Outcome],
    _ effort: CoverOptimizer.Effort
  ) -> Fleet {
    var rest = supply
    var parts = proofs
    for index in order {
      parts[index] = optimizer.solve(groups[index], rest, effort == .fitting ? .fitting : .full)
      let draft = CutPlacement.place(parts[index].packed, parts[index].model, market)
      rest = rest.without(draft, counts([parts[index]]))
    }
    return fleet(parts, proofs: proofs)
  }

  /// All tenants in one search over what they take of the stock; nil where they are too many for that.
  private func jointly(
    _ alone: [CoverOptimizer.Outcome], _ supply: Supply, known: Fleet, _ effort: CoverOptimizer.Effort
  ) -> Fleet? {
    guard
      let result = optimizer.branch(
        alone, stock: supply.counts, known: known.fitsStock ? known.cost : .infinity, effort)
    else { return nil }
    var next = known
    next.shortage = result.shortage
    if let assignments = result.assignments {
      let parts = zip(alone, assignments).map { outcome, assignment in
        var part = outcome
        part.packed = PackedCovers(assignment, outcome.model)
        return part
      }
      let found = fleet(parts, proofs: alone)
      if isBetter(found, next) { next = found }
    }
    let least = max(next.least, optimizer.least(from: result.bound))
    guard least > next.least + 1e-9 else { return next }
    next.isExhaustive = true
    next.bound = next.fitsStock ? min(result.bound, next.cost) : result.bound
    next.least = least
    return next
  }

  /// Two tenants and little stock: every way to share it out, which decides the matter.
  private func allotted(
    _ groups: [[Int]], _ supply: Supply, _ alone: [CoverOptimizer.Outcome], _ best: Fleet,
    _ effort: CoverOptimizer.Effort
  ) -> Fleet {
    guard !best.isOptimal, groups.count == 2,
      supply.nodes.allSatisfy(\.isEmpty)
    else { return best }
    let stocked = supply.counts.indices.filter { supply.counts[$0] != nil }
    let ways = stocked.reduce(1) { product, pool in
      min(TenantSolver.allotmentLimit + 1, product * ((supply.counts[pool] ?? 0) + 1))
    }
    guard ways <= TenantSolver.allotmentLimit else { return best }
    var best = best
    var isComplete = true
    for way in 0..<ways {
      var (first, second, digit) = (supply, supply, way)
      for pool in stocked {
        let stock = supply.counts[pool] ?? 0
        first.counts[pool] = digit % (stock + 1)
        second.counts[pool] = stock - digit % (stock + 1)
        digit /= stock + 1
      }
      guard !context.shouldStop() else { return best }
      let each = effort == .fitting ? effort : .full
      let parts = [optimizer.solve(groups[0], first, each), optimizer.solve(groups[1], second, each)]
      // Without a plan that fits, only a bound beyond the best says that this way is no better.
      isComplete = isComplete && parts.allSatisfy { $0.isOptimal || !$0.packed.fitsStock && $0.isImpossible }
      let next = fleet(parts, proofs: alone)
      if isBetter(next, best) { best = next }
      if effort == .fitting, best.fitsStock { return best }
    }
    if isComplete, best.fitsStock {
      best.bound = max(best.bound, best.cost)
      best.least = best.cost
      best.isExhaustive = true
    }
    return best
  }

  private func isBetter(_ a: Fleet, _ b: Fleet) -> Bool {
    a.fitsStock != b.fitsStock ? a.fitsStock : a.cost < b.cost - 1e-9
  }

  private func counts(_ parts: [CoverOptimizer.Outcome]) -> [Int] {
    var counts = [Int](repeating: 0, count: market.input.pools.count)
    for part in parts {
      for (pool, count) in zip(part.model.pools, part.packed.counts) { counts[pool.marketPool] += count }
    }
    return counts
  }

  private func fleet(_ parts: [CoverOptimizer.Outcome], proofs: [CoverOptimizer.Outcome]) -> Fleet {
    let counts = counts(parts)
    let fits =
      parts.allSatisfy(\.packed.fitsStock)
      && zip(counts, market.input.pools).allSatisfy { count, pool in count <= pool.count ?? .max }
    // Of several tenants each pays whole GPUs, so their rounded bounds add up.
    let bound = proofs.count == 1 ? proofs[0].bound : proofs.reduce(0) { $0 + $1.least }
    return Fleet(
      draft: parts.flatMap { CutPlacement.place($0.packed, $0.model, market) },
      cost: parts.reduce(0) { $0 + $1.packed.cost }, bound: bound, least: proofs.reduce(0) { $0 + $1.least },
      isExhaustive: proofs.contains(where: \.isExhaustive), fitsStock: fits, counts: counts, proofs: proofs)
  }
}

extension TenantSolver.Fleet {
  /// The same GPUs, with what their prices prove of a market that offers more.
  ///
  /// - Parameter rates: of those workloads that are served in part.
  func proven(
    in generous: Market, _ workloads: [Int], rates: [Int: Double], _ context: PlanningContext
  ) -> TenantSolver.Fleet {
    let optimizer = CoverOptimizer(generous, weights: generous.input.weights, context)
    var supply = Supply(generous.input)
    supply.rates = rates
    let proof = TenantSolver(generous, optimizer, context).proven(self, workloads, supply)
    var fleet = self
    (fleet.proofs, fleet.isExhaustive) = (proof.proofs, false)
    (fleet.bound, fleet.least) = (min(proof.bound, bound), min(proof.least, least))
    return fleet
  }
}
