/// How much of the GPUs the workloads of one namespace may need. A workload's namespace is what stands before the colon of its
/// id, or ``Workload/standardNamespace``.
public struct GPUQuota: Hashable, Sendable {
  public var namespace: String
  /// From 0.
  public var gpus: Double

  public init(namespace: String, gpus: Double) {
    self.namespace = namespace
    self.gpus = gpus
  }
}

extension Workload {
  public static let standardNamespace = ProfileCatalogue.standardNamespace

  /// O(length).
  public var namespace: String { ProfileCatalogue.namespace(of: id) }

  /// Nil for a workload that shares its GPUs with every other of that kind.
  public var tenant: Tenant? {
    constraints.exclusive.map { Tenant(namespace: namespace, key: $0, value: labels[$0] ?? "") }
  }
}

extension GPUProduct {
  /// The share of a GPU that an instance takes, by its compute slices.
  package func share(of profile: Int) -> Double {
    Double(profiles[profile].computeSlices) / Double(computeSlices)
  }
}
