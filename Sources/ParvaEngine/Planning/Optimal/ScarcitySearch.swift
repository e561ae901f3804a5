/// Chooses which workloads to serve when the stock does not hold all: by priority, then by most demand per GPU. None is
/// skipped for a later one unless it does not fit; one that allows it gets the largest part of its rate that fits then.
struct ScarcitySearch {
  struct Choice: Sendable {
    /// Nil when no workload can be served.
    var fleet: TenantSolver.Fleet?
    var refusals: [Int: Unserved] = [:]
    var partial: [Int: PartialService] = [:]
  }

  /// Of more workloads than these some things are asked first.
  private static let asking = SimplePlans.asking
  /// After so many workloads each it is asked whether there is time left; fewer take hardly any.
  private var asking: Int { hasRules ? SimplePlans.askingWithRules : SimplePlans.asking }

  private let market: Market
  private let solver: TenantSolver
  private let context: PlanningContext
  private let hasRules: Bool

  init(_ market: Market, _ solver: TenantSolver, _ context: PlanningContext) {
    hasRules = market.hasRules
    self.market = market
    self.solver = solver
    self.context = context
  }

  /// One solve when everyone fits; else a few for each stretch of workloads of which it is not known already that it does not fit, and
  /// one for those who are served.
  func serve(_ workloads: [Int]) -> Choice {
    guard !workloads.isEmpty else { return Choice() }
    let supply = Supply(market.input)
    // Where tenants share a stock it is asked first whether it holds them at all.
    let isAsked =
      workloads.count <= Self.asking && supply.counts.contains { $0 != nil }
      && workloads.contains { market.input.workloads[$0].tenant != nil }
    var whole = solver.solve(workloads, supply, isAsked ? .fitting : .full)
    if isAsked, whole.fitsStock { whole = solver.solve(workloads, supply) }
    guard !whole.fitsStock else { return Choice(fleet: whole) }
    let message = shortage(unbounded(workloads, than: whole))
    let order = solver.order(workloads)
    var service = searched(order, supply, whole)
    // Of very many, near as many as the stock may hold are served already where there was a plan.
    let isCompared = order.count <= CoverOptimizer.sampledFrom || service.fleet == nil || !context.shouldStop()
    let overNodes = workloads.contains { market.input.workloads[$0].constraints.needsNodes }
    for isThin in overNodes ? [false, true] : [false] where isCompared {
      if let greedy = greedy(order, supply, isThin: isThin, ifBetterThan: service) { service = greedy }
    }
    fill(&service, order)
    return choice(service, order, whole, message)
  }

  /// Who is served, and a plan for them.
  private struct Service {
    var draft: [DraftGPU] = []
    /// In the order in which they were found to fit.
    var served: [Int] = []
    /// With the rates of those that are served in part.
    var supply: Supply
    /// What was found for them, or for some of them; nil before any solve.
    var fleet: TenantSolver.Fleet? {
      didSet {
        if let fleet, fleet.fitsStock, fleet.bound > surest?.bound ?? -.infinity { surest = fleet }
      }
    }
    /// Of all that was found for some of them what proves most.
    private(set) var surest: TenantSolver.Fleet?
  }

  /// What stands when workloads are taken in order and each is put where there is room, if it is better: of two choices that one is which
  /// serves the first workload in order that only one of them serves, whole before part. Near linear in the instances.
  private func greedy(_ order: [Int], _ supply: Supply, isThin: Bool, ifBetterThan other: Service) -> Service? {
    let whole = Set(other.served.filter { other.supply.rates[$0] == nil })
    var service = Service(supply: supply)
    var fill = GreedyFill(market, weights: solver.weights, supply, isThin: isThin)
    var isBetter = false
    for (number, workload) in order.enumerated() {
      // Few take no time, and without any plan this is the one.
      if other.fleet != nil, number % asking == asking - 1, context.shouldStop() { return nil }
      let isServed = fill.insert(workload, rate: market.input.workloads[workload].rate)
      if isServed { service.served.append(workload) }
      guard !isBetter, isServed != whole.contains(workload) || other.supply.rates[workload] != nil else { continue }
      guard isServed else { return nil }
      isBetter = true
    }
    service.draft = fill.gpus
    return isBetter ? service : nil
  }

  /// Whom the search left out, or did not come to, and who fits into what is left as it stands.
  private func fill(_ service: inout Service, _ order: [Int]) {
    let served = Set(service.served)
    guard served.count < order.count else { return }
    var fill = GreedyFill(market, weights: solver.weights, service.supply, standing: service.draft)
    for (number, workload) in order.lazy.filter({ !served.contains($0) }).enumerated() {
      if number % asking == asking - 1, context.shouldStop() { break }
      if fill.insert(workload, rate: market.input.workloads[workload].rate) { service.served.append(workload) }
    }
    if service.served.count > served.count { service.draft = fill.gpus }
  }

  /// The cheapest plan found for those who are served, with what is proven of it.
  private func choice(
    _ service: Service, _ order: [Int], _ whole: TenantSolver.Fleet, _ message: String
  ) -> Choice {
    var choice = Choice()
    let served = Set(service.served)
    for workload in order where !served.contains(workload) {
      choice.refusals[workload] = Unserved(
        workload: market.input.workloads[workload].id, code: .noStock, message: message)
    }
    for (workload, rate) in service.supply.rates {
      let demand = market.input.workloads[workload]
      choice.partial[workload] = PartialService(
        workload: demand.id, demanded: demand.rate, served: rate, code: .noStock, message: message)
    }
    guard !served.isEmpty else { return choice }
    let sorted = service.served.sorted()
    // Few, and those of one pool, are planned for in no time; of very many on several nothing better is found than what stands.
    let isLate = context.shouldStop() && (served.count >= Self.asking || service.fleet != nil)
    let isQuick = market.input.pools.count == 1 && !context.shouldStop()
    var fleet =
      isLate || served.count > CoverOptimizer.sampledFrom && !isQuick
      ? solver.proven(service.surest ?? service.fleet ?? whole, sorted, service.supply)
      : solver.solve(sorted, service.supply)
    let cost = service.draft.reduce(0) { $1.segments.isEmpty ? $0 : $0 + solver.weights[$1.pool] }
    if !fleet.fitsStock || cost < fleet.cost - 1e-9 { solver.replace(&fleet, service.draft) }
    choice.fleet = fleet
    return choice
  }

  private func searched(_ ordered: [Int], _ given: Supply, _ whole: TenantSolver.Fleet) -> Service {
    var service = Service(supply: given)
    var proofs = ShortageProofs(market, given)
    // Stretches still to be tried, the next one last. Of one that does not fit a part is tried; a single workload that does not fit is
    // refused, or served in part.
    var stretches = [ordered[...]]
    // All of very many were tried, and each further try takes long.
    let isLarge = ordered.count > CoverOptimizer.sampledFrom
    var sample: PriceAscent?
    if !isLarge { _ = proofs.learn(whole, of: ordered, given) }
    if ordered.count > Self.asking, whole.proofs.count == 1, market.input.pools.count > 1 {
      let most = isLarge ? affordable(ordered, whole) : proofs.fitting(ordered[...], beside: [], given)
      let reached = solver.reach(ordered, given, most: CoverOptimizer.easily(most))
      (stretches, sample) = ([ordered[reached.count...], ordered[..<reached.count]], reached.sample)
    } else if isLarge {
      stretches = [ordered[(ordered.count / 2)...], ordered[..<(ordered.count / 2)]]
    }
    var failures = 0
    // About as much work as some hundred solves of a thousand workloads.
    let failureLimit = max(48, 200_000 / ordered.count)
    while var stretch = stretches.popLast() {
      guard !stretch.isEmpty else { continue }
      guard failures < failureLimit, !context.shouldStop() else { break }
      if isLarge, sample == nil, context.shouldSettle() { break }
      if !isLarge {
        var most = proofs.fitting(stretch, beside: service.served, service.supply)
        if most < stretch.count {
          most = CoverOptimizer.easily(most)
          sample = nil
        }
        if most < stretch.count, most > 0 { stretches.append(stretch.dropFirst(most)) }
        if most == 0 {
          // The first one is known not to fit.
          if stretch.count > 1 { stretches.append(stretch.dropFirst()) }
          leave(stretch[stretch.startIndex], &service)
          continue
        }
        stretch = stretch.prefix(most)
        if insert(stretch, &service) { continue }
      }
      let tried = (service.served + stretch).sorted()
      let fleet = solver.solve(tried, service.supply, .fitting, sample: sample)
      sample = nil
      if fleet.fitsStock {
        service.served += stretch
        (service.draft, service.fleet) = (fleet.draft, fleet)
        continue
      }
      if !isLarge, proofs.learn(fleet, of: tried, service.supply) {
        stretches.append(stretch)
        continue
      }
      failures += 1
      if stretch.count > Self.asking, let mended = mended(fleet, service.served + stretch, service.supply) {
        // Hardly more fit.
        service = mended
        break
      }
      if stretch.count > 1 {
        let middle = stretch.startIndex + stretch.count / 2
        stretches.append(stretch[middle...])
        stretches.append(stretch[..<middle])
      } else {
        leave(stretch[stretch.startIndex], &service)
      }
    }
    return service
  }

  /// How many workloads, from the first on, cost no more than all GPUs at the prices at which a solve for all ended. O(workloads).
  private func affordable(_ ordered: [Int], _ whole: TenantSolver.Fleet) -> Int {
    guard whole.proofs.count == 1, let proof = whole.proofs.first,
      let number = proof.ascent.trials.firstIndex(of: proof.ascent.prices)
    else { return ordered.count / 2 }
    let model = proof.model
    let covers = proof.ascent.evaluations[number].covers
    let width = model.columns.count
    var costs = [Double](repeating: 0, count: market.input.workloads.count)
    for (row, workload) in model.workloads.enumerated() {
      for column in 0..<width { costs[workload] += Double(covers[row * width + column]) * proof.ascent.prices[column] }
    }
    var worth = zip(model.pools, proof.ascent.stockPrices).reduce(0) {
      $0 + ($1.0.weight + $1.1) * Double($1.0.stock ?? 1_000_000_000)
    }
    for (place, workload) in ordered.enumerated() {
      worth -= costs[workload]
      if worth < 0 { return place }
    }
    return ordered.count
  }

  /// A plan within the stock made of one that takes a little more: the GPUs too many are left out, those that the last in order use, and
  /// whoever loses something by that is put where there is room, as are the last few of all. Nil where much is too much.
  /// O(segments log segments).
  private func mended(_ fleet: TenantSolver.Fleet, _ ordered: [Int], _ supply: Supply) -> Service? {
    var places = [Int](repeating: 0, count: market.input.workloads.count)
    for (place, workload) in ordered.enumerated() { places[workload] = place }
    var moved = Set(ordered.suffix(ordered.count / 100))
    var isOver = [Bool](repeating: false, count: fleet.draft.count)
    for (pool, count) in fleet.counts.enumerated() {
      guard let stock = supply.counts[pool], count > stock else { continue }
      guard (count - stock) * 10 < count else { return nil }
      let own = fleet.draft.indices.filter { fleet.draft[$0].pool == pool }.map { gpu in
        (gpu: gpu, first: fleet.draft[gpu].segments.map { places[$0.workload] }.min() ?? 0)
      }
      for (gpu, _) in own.sorted(by: { ($1.first, $0.gpu) < ($0.first, $1.gpu) }).prefix(count - stock) {
        isOver[gpu] = true
        for segment in fleet.draft[gpu].segments { moved.insert(segment.workload) }
      }
    }
    var draft: [DraftGPU] = []
    for (index, gpu) in fleet.draft.enumerated() where !isOver[index] {
      var gpu = gpu
      gpu.segments.removeAll { moved.contains($0.workload) }
      if !gpu.segments.isEmpty { draft.append(gpu) }
    }
    var service = Service(supply: supply, fleet: fleet)
    var fill = GreedyFill(market, weights: solver.weights, supply, standing: draft)
    for workload in ordered {
      let rate = supply.rates[workload] ?? market.input.workloads[workload].rate
      guard !moved.contains(workload) || fill.insert(workload, rate: rate) else {
        service.supply.rates[workload] = nil
        continue
      }
      service.served.append(workload)
    }
    service.draft = fill.gpus
    return service
  }

  /// Puts a stretch where there is room, all of it or nothing.
  private func insert(_ stretch: ArraySlice<Int>, _ service: inout Service) -> Bool {
    guard !service.draft.isEmpty else { return false }
    var fill = GreedyFill(market, weights: solver.weights, service.supply, standing: service.draft)
    for workload in stretch {
      guard fill.insert(workload, rate: market.input.workloads[workload].rate) else { return false }
    }
    service.served += stretch
    service.draft = fill.gpus
    return true
  }

  /// A workload for all of which there is no room gets a part, where it allows that and one fits.
  private func leave(_ workload: Int, _ service: inout Service) {
    guard market.input.workloads[workload].allowsPartial,
      let part = part(of: workload, beside: service.served, service.supply)
    else { return }
    service.served.append(workload)
    service.supply.rates[workload] = part.rate
    (service.draft, service.fleet) = (part.fleet.draft, part.fleet)
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
      let fleet = solver.solve((served + [workload]).sorted(), trial, .fitting)
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
