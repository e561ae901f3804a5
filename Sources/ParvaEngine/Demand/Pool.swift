/// A set of equal GPUs that a plan may use.
public struct Pool: Hashable, Sendable {
  /// Unique name, shown in the plan.
  public var name: String
  public var product: GPUProduct
  /// GPUs in stock; nil means as many as needed. With ``nodes`` it is their sum.
  public var count: Int?
  /// What one GPU costs, by ``PlanObjective/figure``, each at least 0.
  public var figures: [String: Double]
  /// The machines that hold the GPUs, where they are known.
  public var nodes: [PoolNode]

  public init(
    name: String = "default", product: GPUProduct, count: Int? = nil, figures: [String: Double] = [:],
    nodes: [PoolNode] = []
  ) {
    self.name = name
    self.product = product
    self.count = count
    self.figures = figures
    self.nodes = nodes
    if !nodes.isEmpty { self.count = nodes.reduce(0) { $0 + $1.count } }
  }
}

/// A machine of a pool.
public struct PoolNode: Hashable, Sendable {
  public var name: String
  /// GPUs of the pool that it holds, at least 0.
  public var count: Int

  public init(name: String, count: Int) {
    self.name = name
    self.count = count
  }
}
