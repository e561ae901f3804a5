/// What happens to a plan of least cost before it is handed out: among plans of that cost the one that changes least of
/// the current plan is taken, then unused slices become headroom.
enum PlanFinish {
  /// `fresh` covers `rates`, requests per second by workload, where it serves the workload at all. `prices` are those that
  /// prove what it costs, where they are known.
  static func finish(
    _ fresh: [DraftGPU], _ market: Market, rates: [Double], prices: [Double]?, _ context: PlanningContext
  ) -> [DraftGPU] {
    let options = market.input.options
    guard let current = market.input.current, !current.gpus.isEmpty else {
      return options.headroom
        ? Headroom.fill(fresh, market, rates: rates, additions: market.replicasLeft(fresh), context) : fresh
    }
    let numbers = market.numbers
    let draft = keep(fresh, current, market, numbers, rates: rates, prices: prices, context)
    guard options.headroom else { return draft }
    // A workload may get its former number of segments back: it is shown as changed anyway.
    var additions = market.segments(of: current, numbers)
    for gpu in draft { for segment in gpu.segments { additions[segment.workload] -= 1 } }
    additions = additions.map { max(0, $0) }
    if let left = market.replicasLeft(draft) { additions = zip(additions, left).map { min($0, $1) } }
    return Headroom.fill(draft, market, rates: rates, additions: additions, context)
  }

  /// Tenant by tenant: no two share a GPU. The fresh plan stands where what is kept breaks a spread or a node.
  private static func keep(
    _ fresh: [DraftGPU], _ current: Plan, _ market: Market, _ numbers: [String: Int], rates: [Double],
    prices: [Double]?, _ context: PlanningContext
  ) -> [DraftGPU] {
    let tenants = Tenants(market)
    guard tenants.count > 1 else {
      let stock = market.input.pools.map { $0.count ?? .max }
      let draft = Keeping.plan(
        fresh, near: current, market, numbers, rates: rates, stock: stock, extra: market.input.options.maxExtraGPUs,
        prices: prices, context)
      return legal(draft, fresh, market, rates)
    }
    let groups = Dictionary(grouping: fresh) { tenants.of($0) }
    let currentGroups = tenants.split(current)
    var extra = market.input.options.maxExtraGPUs
    var left = market.input.pools.map { $0.count ?? .max }
    for gpu in fresh where left[gpu.pool] != .max { left[gpu.pool] -= 1 }
    var draft: [DraftGPU] = []
    for (tenant, own) in groups.sorted(by: { $0.key < $1.key }) {
      var near = current
      near.gpus = currentGroups[tenant] ?? []
      // What the others need stays theirs.
      var stock = left
      for gpu in own where stock[gpu.pool] != .max { stock[gpu.pool] += 1 }
      let kept = Keeping.plan(own, near: near, market, numbers, rates: rates, stock: stock, extra: extra, context)
      extra = max(0, extra - max(0, kept.count - own.count))
      for (pool, stock) in stock.enumerated() where stock != .max {
        left[pool] = stock - kept.count { $0.pool == pool }
      }
      draft += kept
    }
    return legal(draft, fresh, market, rates)
  }

  /// What is kept, where it breaks no rule, else the fresh plan. O(segments).
  private static func legal(
    _ draft: [DraftGPU], _ fresh: [DraftGPU], _ market: Market, _ rates: [Double]
  ) -> [DraftGPU] {
    isLegal(draft, market) && keepsCounts(draft, market, rates) ? draft : fresh
  }

  /// Whether every served workload has as many replicas as it may, and survives what it is to. O(workloads + segments).
  private static func keepsCounts(_ draft: [DraftGPU], _ market: Market, _ rates: [Double]) -> Bool {
    let constraints = market.input.workloads.map(\.constraints)
    guard constraints.contains(where: { $0.survive != nil || $0.replicas != nil }) else { return true }
    var counts = [Int](repeating: 0, count: constraints.count)
    var held: [Int: [String: Double]] = [:]
    let placed = NodeFilling.run(market.classes.sharedOut(draft), market.classes.pools)
    for (index, gpu) in placed.enumerated() {
      for segment in gpu.segments {
        counts[segment.workload] += 1
        guard let survive = constraints[segment.workload].survive else { continue }
        // GPUs without a node are lost together where nodes are.
        let domain = survive.over == .node ? gpu.node ?? "" : "\(index)"
        held[segment.workload, default: [:]][domain, default: 0] += market.capacity(segment.workload, segment.column)
      }
    }
    return counts.indices.allSatisfy { workload in
      guard counts[workload] > 0 else { return true }
      guard constraints[workload].replicas?.allows(counts[workload]) ?? true else { return false }
      guard let survive = constraints[workload].survive else { return true }
      let carried = survive.remainder(of: (held[workload] ?? [:]).values)
      return carried >= rates[workload] * (1 - CoverSolver.slack)
    }
  }

  /// Whether spreads hold, no GPU has more instances of a profile than it may and no node more GPUs than it has.
  /// O(segments).
  private static func isLegal(_ draft: [DraftGPU], _ market: Market) -> Bool {
    for gpu in draft {
      for segment in gpu.segments {
        let column = market.columns[segment.column]
        let most = market.cuts[column.pool].product.profiles[column.profile].maxInstances
        guard gpu.segments.count(where: { $0.column == segment.column }) <= most else { return false }
      }
    }
    // As it will be handed out: what has no node yet gets one.
    let placed = NodeFilling.run(market.classes.sharedOut(draft), market.classes.pools)
    for (index, pool) in market.classes.pools.enumerated() where !pool.nodes.isEmpty || pool.count != nil {
      let own = placed.filter { $0.home == index }
      guard own.count <= pool.count ?? .max else { return false }
      guard !pool.nodes.isEmpty else { continue }
      let used = Dictionary(grouping: own.filter { $0.node != nil }, by: \.node)
      for (node, gpus) in used where gpus.count > pool.nodes.reduce(0, { $1.name == node ? $0 + $1.count : $0 }) {
        return false
      }
    }
    var domains: [Int: Set<String>] = [:]
    let spreads = market.input.workloads.map(\.constraints.domains)
    guard spreads.contains(where: { $0 != nil }) else { return true }
    for (index, gpu) in placed.enumerated() {
      for segment in gpu.segments {
        guard let spread = spreads[segment.workload] else { continue }
        switch spread.over {
        case .gpu: domains[segment.workload, default: []].insert("\(index)")
        case .node: domains[segment.workload, default: []].formUnion(gpu.node.map { [$0] } ?? [])
        }
      }
    }
    return domains.allSatisfy { workload, set in set.count >= spreads[workload]?.atLeast ?? 1 }
  }
}
