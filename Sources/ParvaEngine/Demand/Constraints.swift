/// Where a workload's segments may stand, as its owner wants it.
public struct Constraints: Hashable, Sendable {
  /// Products to choose from; empty means any.
  public var products: [String]
  public var excludeProducts: [String]
  /// Names of pools to choose from; empty means any.
  public var pools: [String]
  public var excludePools: [String]
  public var spread: Spread?
  /// Its domains are those of ``spread`` where both are stated.
  public var survive: Survival?
  public var replicas: ReplicaLimits?
  /// Key of a label that the workload has: its GPUs hold no workload of another tenant. See ``Tenant``.
  public var exclusive: String?

  public init(
    products: [String] = [], excludeProducts: [String] = [], pools: [String] = [], excludePools: [String] = [],
    spread: Spread? = nil, survive: Survival? = nil, replicas: ReplicaLimits? = nil, exclusive: String? = nil
  ) {
    self.products = products
    self.excludeProducts = excludeProducts
    self.pools = pools
    self.excludePools = excludePools
    self.spread = spread
    self.survive = survive
    self.replicas = replicas
    self.exclusive = exclusive
  }

  /// No wish at all.
  public static let none = Constraints()

  /// Whether the workload may use a pool. O(names).
  public func allows(_ pool: Pool) -> Bool {
    (products.isEmpty || products.contains(pool.product.name)) && !excludeProducts.contains(pool.product.name)
      && (pools.isEmpty || pools.contains(pool.name)) && !excludePools.contains(pool.name)
      && (domains?.over != .node || !pool.nodes.isEmpty)
  }

  /// Whether it matters on which nodes the segments stand.
  public var needsNodes: Bool { domains?.over == .node }

  /// The failure domains that the workload must stand on by its spread and by what it survives; nil where neither is stated.
  var domains: Spread? {
    guard let survive else { return spread }
    return Spread(over: survive.over, atLeast: max(survive.losses + 1, spread?.atLeast ?? 1))
  }
}

/// How many failure domains may fail at once before the rate does: without any `losses` of them, the segments that are
/// left still carry the whole rate.
public struct Survival: Hashable, Sendable {
  public var over: Spread.Domain
  /// From 1.
  public var losses: Int

  public init(over: Spread.Domain, losses: Int) {
    self.over = over
    self.losses = losses
  }

  /// What is left of some domains' capacities once those that carry most have failed. O(n log n).
  public func remainder(of capacities: some Sequence<Double>) -> Double {
    capacities.sorted().dropLast(losses).reduce(0, +)
  }
}

/// How many segments a workload may have, whatever its rate needs. A segment is one server that takes requests, with all of its
/// processes, so it is what other schedulers call a replica.
public struct ReplicaLimits: Hashable, Sendable {
  /// From 1.
  public var least: Int
  /// From `least`; nil without a limit.
  public var most: Int?

  public init(least: Int = 1, most: Int? = nil) {
    self.least = least
    self.most = most
  }

  public func allows(_ count: Int) -> Bool { count >= least && count <= most ?? .max }
}

/// How many failure domains a workload must stand on: at least `atLeast` of them hold a segment of it, so that the loss
/// of fewer never takes it off the air. What remains need not carry the whole rate.
public struct Spread: Hashable, Sendable {
  public enum Domain: String, Hashable, Sendable, CaseIterable {
    case gpu
    /// A node of a pool that lists its nodes; other pools are not used.
    case node
  }

  public var over: Domain
  /// At least 2.
  public var atLeast: Int

  public init(over: Domain, atLeast: Int) {
    self.over = over
    self.atLeast = atLeast
  }
}

/// Workloads that may share a GPU: those of one namespace that are exclusive by the same label with the same value, or all that are
/// not exclusive. Who writes another namespace's label on a workload of its own is another tenant.
public struct Tenant: Hashable, Sendable, Comparable {
  public var namespace: String
  public var key: String
  public var value: String

  public init(namespace: String, key: String, value: String) {
    self.namespace = namespace
    self.key = key
    self.value = value
  }

  public static func < (a: Tenant, b: Tenant) -> Bool {
    (a.namespace, a.key, a.value) < (b.namespace, b.key, b.value)
  }
}
