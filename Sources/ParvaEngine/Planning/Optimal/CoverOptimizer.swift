/// Finds covers and a packing of least cost for a set of workloads, with a proven bound.
struct CoverOptimizer {
  /// What was found for a set of workloads.
  struct Outcome: Sendable {
    var model: PriceModel
    var packed: PackedCovers
    var ascent: PriceAscent
    /// No plan costs less: from the prices, or from exhaustive search where that says more.
    var bound: Double
    /// The least value of the objective that the bound allows.
    var least: Double
    /// Whether the bound rests on exhaustive search and not on the prices alone.
    var isExhaustive = false
    /// Prices of the columns at which the covers may be worth more than all GPUs, where a search ended for want of any plan.
    var shortage: [Double]?

    /// Whether no plan within the stock exists at all.
    var isImpossible: Bool { least > model.worthInStock + 1e-9 }

    var isOptimal: Bool { packed.fitsStock && packed.cost <= least + 1e-9 }
  }

  /// How much work a solve may be.
  enum Effort: Sendable {
    /// For the plan that is handed out.
    case full
    /// For a plan that is compared with another.
    case brief
    /// For the question whether some workloads fit, of which there may be many: any plan will do.
    case fitting
  }

  private static let allowanceLimit = 64

  let market: Market
  let weights: [Double]
  let lattice: ObjectiveLattice
  let context: PlanningContext

  /// `weights` holds the objective per GPU of each pool of the market.
  init(_ market: Market, weights: [Double], _ context: PlanningContext) {
    self.market = market
    self.weights = weights
    lattice = ObjectiveLattice(weights: weights)
    self.context = context
  }

  /// The best plan found for `workloads`, all of which some instance serves. Linear in their number.
  ///
  /// - Parameter sample: an ascent over some of very many workloads that stand for all.
  func solve(
    _ workloads: [Int], _ supply: Supply, _ effort: Effort = .full, sample: PriceAscent? = nil
  ) -> Outcome {
    let model = PriceModel(market, workloads: workloads, weights: weights, supply: supply)
    let tolerance = (workloads.count > 2000 ? 0.01 : 1e-6) * (weights.min() ?? 1)
    let ascent: PriceAscent
    var packed: PackedCovers
    var quickly: PackedCovers?
    // One that lacks an instance which a workload outside it may use says nothing about these.
    let given = sample.flatMap { $0.columns == model.columns ? $0 : nil }
    if let sample = given ?? sampled(workloads, supply, like: model) {
      let quick = PriceAscent(model, like: sample, context)
      // What cannot fit at all is not made to.
      let isImpossible = quick.bound > model.worthInStock
      packed = blended(model, quick, reliefs: isImpossible ? 0 : Self.reliefs)
      let isNear = packed.fitsStock && packed.cost - quick.bound <= Self.near * quick.bound
      let isEnough = isNear || isImpossible || effort == .fitting
      if isEnough || workloads.count > Self.sampledFrom || context.shouldStop() {
        ascent = quick
      } else {
        ascent = PriceAscent(model, tolerance: tolerance, limit: 80, from: sample, context)
        // Too much of a pool by little is mended below, and is then mostly the cheaper.
        quickly = packed
        packed = PackedCovers(CoverAssignment(model, ascent), model)
      }
    } else {
      ascent = PriceAscent(model, tolerance: tolerance, limit: 80, context)
      packed = PackedCovers(CoverAssignment(model, ascent), model)
    }
    for evaluation in ascent.evaluations.suffix(2) where model.rates.count <= 2000 {
      let other = PackedCovers(CoverAssignment(covers: evaluation.covers, totals: evaluation.totals), model)
      if other.isBetter(than: packed) { packed = other }
    }
    let bound = max(ascent.bound, model.spreadFloor)
    var outcome = Outcome(
      model: model, packed: packed, ascent: ascent, bound: bound, least: lattice.least(from: bound))
    improve(&outcome, effort)
    if let quickly, quickly.isBetter(than: outcome.packed) { outcome.packed = quickly }
    return outcome
  }

  /// What the prices found for other workloads prove for these, or of very many those of a sample of their own, with the covers that
  /// they buy. O(workloads) covers.
  func proven(_ workloads: [Int], _ supply: Supply, like other: Outcome) -> Outcome {
    let model = PriceModel(market, workloads: workloads, weights: weights, supply: supply)
    let isFewer = workloads.count < other.model.workloads.count / 10 * 9
    if isFewer, workloads.count > Self.sampledFrom, !context.shouldStop(),
      let sample = sampled(workloads, supply, like: model)
    {
      return outcome(model, PriceAscent(model, like: sample, context))
    }
    let prices = Dictionary(zip(other.model.columns, other.ascent.prices), uniquingKeysWith: { first, _ in first })
    let stockPrices = Dictionary(
      zip(other.model.pools.map(\.marketPool), other.ascent.stockPrices), uniquingKeysWith: { first, _ in first })
    let own = model.columns.map { prices[$0] ?? 0 }
    var ascent = PriceAscent(model, at: own, model.pools.map { stockPrices[$0.marketPool] ?? 0 }, context)
    // For fewer workloads the stock may be worth nothing.
    if ascent.stockPrices.contains(where: { $0 > 0 }) { ascent.offer(own, model.pools.map { _ in 0 }, context) }
    return outcome(model, ascent)
  }

  private func outcome(_ model: PriceModel, _ ascent: PriceAscent) -> Outcome {
    let bought = ascent.evaluations[0]
    let bound = max(ascent.bound, model.spreadFloor)
    return Outcome(
      model: model, packed: PackedCovers(CoverAssignment(covers: bought.covers, totals: bought.totals), model),
      ascent: ascent, bound: bound, least: lattice.least(from: bound))
  }

  /// Workloads of which a sample consists at least. Up to ``sampledFrom`` in all are asked themselves too, where the sample
  /// did not come near enough and there is time.
  private static let sampleSize = 2000
  static let sampledFrom = 20_000
  private static let near = 1e-3
  private static let clearly = 1.02

  /// Prices found from a part of very many workloads, each standing for as many that are like it; nil for fewer, and where one
  /// pool makes them cheap to find from all. O(workloads log workloads), and the ascent of the sample.
  private func sampled(_ workloads: [Int], _ supply: Supply, like model: PriceModel) -> PriceAscent? {
    let step = workloads.count / (workloads.count > Self.sampledFrom ? 2 * Self.sampleSize : Self.sampleSize)
    guard step > 1, model.pools.count > 1 else { return nil }
    let inputs = market.input.workloads
    let sorted = workloads.sorted { a, b in
      let (x, y) = (inputs[a], inputs[b])
      return (x.model, x.rate, x.sloLatencyMs, a) < (y.model, y.rate, y.sloLatencyMs, b)
    }
    let sample = stride(from: step / 2, to: sorted.count, by: step).map { sorted[$0] }
    let part = PriceModel(market, workloads: sample, weights: weights, supply: supply, multiplicity: step)
    guard part.columns == model.columns else { return nil }
    // Of those that clearly cost more than all GPUs it need not be known how much more.
    return PriceAscent(
      part, tolerance: 1e-4 * Double(workloads.count) * (weights.min() ?? 1), limit: 80,
      enough: Self.clearly * part.worthInStock, context)
  }

  /// Times that pools of which too much is taken are relieved, where there is time.
  private static let reliefs = 6

  /// Covers at the prices of a sample, packed within the stock if that can be had.
  private func blended(_ model: PriceModel, _ ascent: PriceAscent, reliefs: Int) -> PackedCovers {
    var covers = BlendedCovers(model, ascent)
    var packed = PackedCovers(covers.assignment, model)
    for _ in 0..<reliefs where !packed.fitsStock && !context.shouldStop() {
      covers.relieve(packed.counts)
      packed = PackedCovers(covers.assignment, model)
    }
    return packed
  }

  /// The least value of the objective that a bound allows.
  func least(from bound: Double) -> Double { lattice.least(from: bound) }

  /// Looks for a plan at the least value that is not excluded yet; where there provably is none, that value is excluded
  /// and the next one is tried. Small demands end with a proof, large ones with the best that exchanges find.
  private func improve(_ outcome: inout Outcome, _ effort: Effort) {
    guard !isEnough(outcome, effort), !outcome.isImpossible else { return }
    // What lacks little is mended by whoever asks.
    guard effort != .fitting || outcome.model.rates.count < SimplePlans.asking else { return }
    if outcome.model.pools.count == 1, let better = balance(outcome, ceiling: outcome.least) { outcome.packed = better }
    guard !isEnough(outcome, effort), !context.shouldStop() else { return }
    branch(&outcome, effort)
    guard !isEnough(outcome, effort) else { return }
    guard !outcome.model.hasLosses else { return searchDomains(&outcome, effort) }
    guard outcome.model.pools.count == 1 || !outcome.model.spreads.isEmpty else { return }
    var canProve = true
    var ceiling = outcome.least
    for _ in 0..<200 where !isEnough(outcome, effort) && !context.shouldStop() {
      if lattice.unit == 0 { ceiling = lattice.below(outcome.packed.cost) }
      guard ceiling <= reach(outcome) else { return }
      if let better = balance(outcome, ceiling: ceiling) {
        outcome.packed = better
        continue
      }
      if canProve, var search = ExactSearch(outcome.model, outcome.ascent, ceiling: ceiling, context) {
        switch search.run() {
        case .found(let better):
          outcome.packed = better
          continue
        case .impossible:
          outcome.least = lattice.unit > 0 ? ceiling + lattice.unit : outcome.packed.cost
          outcome.bound = max(outcome.bound, outcome.least)
          outcome.isExhaustive = true
        case .unknown: canProve = false
        }
      } else {
        canProve = false
      }
      guard lattice.unit > 0 else { return }
      ceiling += lattice.unit
    }
  }

  private func isEnough(_ outcome: Outcome, _ effort: Effort) -> Bool {
    outcome.isOptimal || effort == .fitting && outcome.packed.fitsStock
  }

  /// The highest value worth a try: below the plan in hand, or all that is in stock while that plan exceeds it.
  private func reach(_ outcome: Outcome) -> Double {
    if outcome.packed.fitsStock { return outcome.packed.cost - 1e-9 }
    return min(outcome.model.worthInStock, outcome.packed.cost * 2 + 8 * (weights.max() ?? 1)) + 1e-9
  }

  private func balance(_ outcome: Outcome, ceiling: Double) -> PackedCovers? {
    let model = outcome.model
    let allowance = max(ceiling - outcome.ascent.bound, 0) + 1e-7
    let alternatives = alternatives(outcome, allowance: allowance)
    guard !alternatives.isEmpty else { return nil }
    for allowed in allowances(outcome, ceiling: ceiling) {
      var search = BalanceSearch(
        outcome.packed.assignment, model, alternatives: alternatives, allowed: allowed, prices: outcome.ascent.prices,
        seed: 1)
      if let packed = search.run(rounds: 40, context), packed.fitsStock, packed.cost <= ceiling + 1e-9 { return packed }
    }
    return nil
  }

  /// Covers within the allowance for up to 3,000 workloads, spread evenly over the demand.
  private func alternatives(_ outcome: Outcome, allowance: Double) -> [(workload: Int, covers: [[Int32]])] {
    let model = outcome.model
    let width = model.columns.count
    let stride = max(1, model.rates.count / 3000)
    var solver = CoverSolver(kinds: width)
    var result: [(workload: Int, covers: [[Int32]])] = []
    for workload in Swift.stride(from: 0, to: model.rates.count, by: stride) {
      let row = model.capacities[workload * width..<(workload + 1) * width]
      _ = solver.solve(
        capacities: row, rate: model.rates[workload], prices: outcome.ascent.prices,
        rule: model.rule(workload))
      let list = CoverAlternatives(
        capacities: row, rate: model.rates[workload], prices: outcome.ascent.prices, least: solver.lowerBound,
        allowance: allowance, limit: 24, rule: model.rule(workload))
      if list.covers.count > 1 { result.append((workload, list.covers)) }
    }
    return result
  }

  /// Numbers of GPUs per pool that cost at most `ceiling`, near what the plan in hand uses; the last pool gets what the
  /// others leave. Every one names a number for each pool.
  private func allowances(_ outcome: Outcome, ceiling: Double) -> [[Int]] {
    let pools = outcome.model.pools
    var found: [[Int]] = []
    func extend(_ chosen: [Int], _ spent: Double) {
      guard found.count < CoverOptimizer.allowanceLimit else { return }
      guard chosen.count < pools.count else { return found.append(chosen) }
      let pool = pools[chosen.count]
      let now = outcome.packed.counts[chosen.count]
      // More than a plan in hand may use is never of use, and keeps the number within what an integer holds.
      let affordable = Int(min((ceiling - spent) / pool.weight + 1e-9, Double(SegmentLimit.perWorkload) * 1e6))
      let most = max(0, min(affordable, pool.stock ?? .max))
      guard chosen.count + 1 < pools.count else { return extend(chosen + [most], spent + Double(most) * pool.weight) }
      for count in [now, now - 1, now + 1, now - 2, now + 2] where (0...most).contains(count) {
        extend(chosen + [count], spent + Double(count) * pool.weight)
      }
    }
    extend([], 0)
    return found
  }
}
