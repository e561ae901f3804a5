/// How much of scarce GPUs the workloads of one namespace have a right to beside others of their priority.
public struct NamespaceShare: Hashable, Sendable {
  public var namespace: String
  /// Above 0; one of weight 2 has a right to twice as much as one of weight 1.
  public var weight: Double

  public init(namespace: String, weight: Double) {
    self.namespace = namespace
    self.weight = weight
  }
}
