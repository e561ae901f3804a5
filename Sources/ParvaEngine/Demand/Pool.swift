/// A set of equal GPUs that a plan may use.
public struct Pool: Hashable, Sendable {
  /// Unique name, shown in the plan.
  public var name: String
  public var product: GPUProduct
  /// GPUs in stock; nil means as many as needed.
  public var count: Int?
  /// Price of one GPU for an hour, at least 0, in the user's currency.
  public var hourlyCost: Double?
  /// Power of one GPU in watts, at least 0.
  public var watts: Double?

  public init(
    name: String = "default", product: GPUProduct, count: Int? = nil, hourlyCost: Double? = nil, watts: Double? = nil
  ) {
    self.name = name
    self.product = product
    self.count = count
    self.hourlyCost = hourlyCost
    self.watts = watts
  }
}
