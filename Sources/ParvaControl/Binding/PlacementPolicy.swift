import ParvaEngine

/// Where segments go that no planner minds: what GPUs, nodes and zones a plan uses is the same in cost either way.
package enum PlacementPolicy: String, CaseIterable, Sendable {
  /// A workload stands in several zones, or on several nodes where there is one zone, wherever that costs no GPU.
  case spread
  /// Few zones and few nodes are used, so that others stay empty.
  case pack

  /// The zone of a pool of the fleet, which is named after both; nil where its nodes have none.
  static func zone(of pool: String, _ product: GPUProduct) -> String? {
    let prefix = product.name + "@"
    return pool.hasPrefix(prefix) ? String(pool.dropFirst(prefix.count)) : nil
  }

  // MARK: - Zones

  /// The plan with its new GPUs in other pools of the same product and figures.
  ///
  /// - Parameters:
  ///   - fleet: what plans may use.
  ///   - fixed: GPUs of the plan that must stay where they are, by index; so must those that are bound.
  ///   - workloads: what may stand where.
  /// - Complexity: O(GPUs x pools + segments).
  func pooled(
    _ plan: Plan, on fleet: FleetInventory, keeping fixed: Set<Int>, _ workloads: RegistrationTable
  ) -> Plan {
    guard fleet.pools.count > 1 else { return plan }
    let pools = Dictionary(fleet.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var plan = plan
    var used: [String: Int] = [:]
    for gpu in plan.gpus { used[gpu.pool, default: 0] += 1 }
    // Segments of each workload by zone.
    var held: [String: [String: Int]] = [:]
    func zone(_ gpu: PlannedGPU, _ pool: String) -> String { Self.zone(of: pool, gpu.product) ?? "" }
    func count(_ gpu: PlannedGPU, _ pool: String) {
      for segment in gpu.segments { held[segment.workload, default: [:]][zone(gpu, pool), default: 0] += 1 }
    }
    let free = plan.gpus.indices.filter { plan.gpus[$0].uuid == nil && !fixed.contains($0) }
    let isFree = Set(free)
    for index in plan.gpus.indices where !isFree.contains(index) { count(plan.gpus[index], plan.gpus[index].pool) }
    for index in free {
      let gpu = plan.gpus[index]
      defer { count(plan.gpus[index], plan.gpus[index].pool) }
      guard let own = pools[gpu.pool] else { continue }
      let names = Set(gpu.segments.map(\.workload))
      let asked = names.compactMap { workloads[$0]?.workload.constraints }
      let choices = fleet.pools.filter { pool in
        pool.product == own.product && pool.figures == own.figures
          && (pool.name == own.name || used[pool.name, default: 0] < pool.count ?? .max)
          && asked.allSatisfy { $0.allows(pool) }
      }
      func rank(_ pool: Pool) -> (Int, Int, Int, String) {
        let others = used[pool.name, default: 0] - (pool.name == own.name ? 1 : 0)
        let same = names.reduce(0) { $0 + (held[$1]?[zone(gpu, pool.name)] ?? 0) }
        let stays = pool.name == own.name ? 0 : 1
        return self == .pack ? (0, -others, stays, pool.name) : (same, others, stays, pool.name)
      }
      guard let best = choices.min(by: { rank($0) < rank($1) }), best.name != own.name else { continue }
      used[own.name, default: 0] -= 1
      used[best.name, default: 0] += 1
      plan.gpus[index].pool = best.name
    }
    return plan
  }

  // MARK: - Segments

  /// The bound plan with equal instances traded so that no workload stands in one zone alone that need not; on one node, where
  /// there is one zone. Only what does not stand yet is traded.
  ///
  /// - Complexity: O(segments) for each look, and at most one look for each trade.
  func traded(_ plan: Plan, replacing inForce: Plan?, _ workloads: RegistrationTable) -> Plan {
    guard self == .spread else { return plan }
    let zones = plan.gpus.map { Self.zone(of: $0.pool, $0.product) ?? "" }
    let domains = Set(zones).count > 1 ? zones : plan.gpus.map { $0.node ?? "" }
    guard Set(domains).count > 1 else { return plan }
    // What stands, or was told to.
    let standing = Dictionary(
      (inForce?.gpus ?? []).compactMap { gpu in gpu.uuid.map { ($0, gpu.jobs) } }, uniquingKeysWith: { $0.union($1) })
    var trade = Trade(plan, domains, standing) { workloads[$0]?.workload.constraints == Constraints.none }
    while trade.look() {}
    return trade.plan
  }

  /// Trades of equal instances. Every one takes a workload out of its one domain and puts none into one, so they come to an end.
  private struct Trade {
    var plan: Plan
    let domains: [String]
    /// Segments of each workload by domain.
    var held: [String: [String: Int]] = [:]
    /// What may be traded, by kind.
    var open: [Kind: [Place]] = [:]

    init(_ plan: Plan, _ domains: [String], _ standing: [String: Set<SegmentJob>], isFree: (String) -> Bool) {
      (self.plan, self.domains) = (plan, domains)
      for (index, gpu) in plan.gpus.enumerated() {
        let there = gpu.uuid.flatMap { standing[$0] } ?? []
        for (place, segment) in gpu.segments.enumerated() {
          held[segment.workload, default: [:]][domains[index], default: 0] += 1
          guard isFree(segment.workload), !there.contains(SegmentJob(segment, on: gpu)) else { continue }
          open[Kind(product: gpu.product.name, profile: segment.profile), default: []].append(Place(index, place))
        }
      }
    }

    private func isNarrow(_ counts: [String: Int]?) -> Bool {
      let there = (counts ?? [:]).values.filter { $0 > 0 }
      return there.count == 1 && there[0] > 1
    }

    private func segment(_ place: Place) -> Segment { plan.gpus[place.gpu].segments[place.segment] }

    /// Whether the other workload is not left with what this one is to be rid of.
    private func mayTrade(_ a: Place, _ b: Place) -> Bool {
      let other = segment(b).workload
      guard domains[a.gpu] != domains[b.gpu], segment(a).workload != other, var counts = held[other] else {
        return false
      }
      counts[domains[b.gpu], default: 0] -= 1
      counts[domains[a.gpu], default: 0] += 1
      return !isNarrow(counts)
    }

    /// Trades what can be traded once; whether anything was.
    mutating func look() -> Bool {
      var hasTraded = false
      for places in open.sorted(by: { ($0.key.product, $0.key.profile) < ($1.key.product, $1.key.profile) }).map(
        \.value)
      {
        for mine in places where isNarrow(held[segment(mine).workload]) {
          guard let other = places.first(where: { mayTrade(mine, $0) }) else { continue }
          trade(mine, other)
          hasTraded = true
        }
      }
      return hasTraded
    }

    private mutating func trade(_ a: Place, _ b: Place) {
      let (mine, other) = (segment(a), segment(b))
      for (segment, from, to) in [(mine, a, b), (other, b, a)] {
        held[segment.workload]?[domains[from.gpu], default: 0] -= 1
        held[segment.workload]?[domains[to.gpu], default: 0] += 1
      }
      plan.gpus[a.gpu].segments[a.segment] = other
      plan.gpus[b.gpu].segments[b.segment] = mine
      // The instances stay where they are.
      plan.gpus[a.gpu].segments[a.segment].start = mine.start
      plan.gpus[b.gpu].segments[b.segment].start = other.start
    }
  }

  /// Instances that can stand in for each other.
  private struct Kind: Hashable {
    var product: String
    var profile: Int
  }

  private struct Place {
    var gpu: Int
    var segment: Int

    init(_ gpu: Int, _ segment: Int) { (self.gpu, self.segment) = (gpu, segment) }
  }
}
