/// Everything known about one model on one product.
public struct ModelProfile: Hashable, Sendable {
  public var model: String
  /// ``GPUProduct/name`` of the product that the points were taken on.
  public var product: String
  public var source: ProfileSource
  /// At most one point per place, in order of place.
  public var points: [ProfilePoint]
  /// Places that were tried and did not fit into memory, in order.
  public var misfits: [ProfilePlace]

  public init(
    model: String, product: String, source: ProfileSource, points: [ProfilePoint], misfits: [ProfilePlace] = []
  ) {
    self.model = model
    self.product = product
    self.source = source
    self.points = points.sorted { $0.place < $1.place }
    self.misfits = misfits.sorted()
  }
}

/// One way to run a model on an instance, whether or not it fits.
public struct ProfilePlace: Hashable, Sendable, Comparable {
  /// Index into ``GPUProduct/profiles``.
  public var profile: Int
  public var batch: Int
  public var processes: Int

  public init(profile: Int, batch: Int, processes: Int) {
    self.profile = profile
    self.batch = batch
    self.processes = processes
  }

  public static func < (a: ProfilePlace, b: ProfilePlace) -> Bool {
    (a.profile, a.batch, a.processes) < (b.profile, b.batch, b.processes)
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
