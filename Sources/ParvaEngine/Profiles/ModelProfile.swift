/// Where a model's points come from; shown wherever a user sees a plan made from them.
public enum ProfileSource: String, Hashable, Sendable, CaseIterable {
  case measured, modelled, mixed

  /// The source of a set that holds points of both.
  public func merged(with other: ProfileSource) -> ProfileSource { self == other ? self : .mixed }
}

/// Everything known about one model on one product.
public struct ModelProfile: Hashable, Sendable {
  public var model: String
  /// ``GPUProduct/name`` of the product that the points were taken on.
  public var product: String
  public var source: ProfileSource
  /// At most one point per (profile, batch, processes), in that order.
  public var points: [ProfilePoint]

  public init(model: String, product: String, source: ProfileSource, points: [ProfilePoint]) {
    self.model = model
    self.product = product
    self.source = source
    self.points = points.sorted { ($0.profile, $0.batch, $0.processes) < ($1.profile, $1.batch, $1.processes) }
  }
}

/// The profiles a planner may use, by product and model.
public struct ProfileCatalogue: Hashable, Sendable {
  private var byProduct: [String: [String: ModelProfile]] = [:]

  public init(_ profiles: [ModelProfile] = []) {
    for profile in profiles { insert(profile) }
  }

  /// Adds a model's profile on one product, or replaces the one that was there.
  public mutating func insert(_ profile: ModelProfile) {
    byProduct[profile.product, default: [:]][profile.model] = profile
  }

  public mutating func remove(model: String, product: String) {
    byProduct[product]?[model] = nil
  }

  public func profile(model: String, product: String) -> ModelProfile? { byProduct[product]?[model] }

  /// All profiles by product and model name. O(n log n).
  public var all: [ModelProfile] {
    byProduct.values.flatMap(\.values).sorted { ($0.product, $0.model) < ($1.product, $1.model) }
  }
}
