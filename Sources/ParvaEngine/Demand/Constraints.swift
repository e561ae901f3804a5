/// Where a workload's segments may stand, as its owner wants it.
public struct Constraints: Hashable, Sendable {
  /// Products to choose from; empty means any.
  public var products: [String]
  public var excludeProducts: [String]
  /// Names of pools to choose from; empty means any.
  public var pools: [String]
  public var excludePools: [String]
  public var spread: Spread?
  /// Key of a label that the workload has: its GPUs hold no workload of another tenant. See ``Tenant``.
  public var exclusive: String?

  public init(
    products: [String] = [], excludeProducts: [String] = [], pools: [String] = [], excludePools: [String] = [],
    spread: Spread? = nil, exclusive: String? = nil
  ) {
    self.products = products
    self.excludeProducts = excludeProducts
    self.pools = pools
    self.excludePools = excludePools
    self.spread = spread
    self.exclusive = exclusive
  }

  /// No wish at all.
  public static let none = Constraints()

  /// Whether the workload may use a pool. O(names).
  public func allows(_ pool: Pool) -> Bool {
    (products.isEmpty || products.contains(pool.product.name)) && !excludeProducts.contains(pool.product.name)
      && (pools.isEmpty || pools.contains(pool.name)) && !excludePools.contains(pool.name)
      && (spread?.over != .node || !pool.nodes.isEmpty)
  }
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

/// Workloads that may share a GPU: those that are exclusive by the same label with the same value, or all that are not
/// exclusive.
public struct Tenant: Hashable, Sendable, Comparable {
  public var key: String
  public var value: String

  public init(key: String, value: String) {
    self.key = key
    self.value = value
  }

  public static func < (a: Tenant, b: Tenant) -> Bool { (a.key, a.value) < (b.key, b.value) }
}

extension Workload {
  /// Nil for a workload that shares its GPUs with every other of that kind.
  public var tenant: Tenant? {
    constraints.exclusive.map { Tenant(key: $0, value: labels[$0] ?? "") }
  }
}
