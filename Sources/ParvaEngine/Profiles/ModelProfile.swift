/// Everything known about one model on one product.
public struct ModelProfile: Hashable, Sendable {
  public var model: String
  /// ``GPUProduct/name`` of the product that the points were taken on.
  public var product: String
  /// Whose workloads alone it is for, see ``ProfileCatalogue/namespace(of:)``; nil for everybody's.
  public var namespace: String?
  public var source: ProfileSource
  /// At most one point per place, in order of place.
  public var points: [ProfilePoint]
  /// Places that were tried and did not fit into memory, in order.
  public var misfits: [ProfilePlace]

  public init(
    model: String, product: String, source: ProfileSource, points: [ProfilePoint], misfits: [ProfilePlace] = [],
    namespace: String? = nil
  ) {
    self.model = model
    self.product = product
    self.namespace = namespace
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

/// The profiles a planner may use, by product and model: everybody's, and over them those that namespaces have for their own
/// workloads.
public struct ProfileCatalogue: Hashable, Sendable {
  private typealias Profiles = [String: [String: ModelProfile]]
  /// Of everybody, by product and model.
  private var byProduct: Profiles = [:]
  /// By namespace.
  private var own: [String: Profiles] = [:]

  public init(_ profiles: [ModelProfile] = []) {
    for profile in profiles { insert(profile) }
  }

  /// Adds a model's profile on one product, or replaces the one that was there for the same workloads.
  public mutating func insert(_ profile: ModelProfile) {
    if let namespace = profile.namespace {
      own[namespace, default: [:]][profile.product, default: [:]][profile.model] = profile
    } else {
      byProduct[profile.product, default: [:]][profile.model] = profile
    }
  }

  /// That of everybody. O(1).
  public func profile(model: String, product: String) -> ModelProfile? { byProduct[product]?[model] }

  /// That which counts in a namespace: its own before everybody's. O(1).
  public func profile(model: String, product: String, in namespace: String) -> ModelProfile? {
    own[namespace]?[product]?[model] ?? byProduct[product]?[model]
  }

  /// That which counts for a workload by its id, see ``namespace(of:)``. O(1), O(length) where there are namespaces'
  /// own.
  public func profile(model: String, product: String, for workload: String) -> ModelProfile? {
    own.isEmpty
      ? byProduct[product]?[model] : profile(model: model, product: product, in: Self.namespace(of: workload))
  }

  /// What workloads of a model share if the same profiles count for them on every product: nil for those whose namespace
  /// has none of its own. O(products), O(1) where no namespace has any.
  func owner(model: String, for workload: String) -> String? {
    guard !own.isEmpty else { return nil }
    let namespace = Self.namespace(of: workload)
    return own[namespace]?.values.contains { $0[model] != nil } == true ? namespace : nil
  }

  static let standardNamespace = "default"

  /// What stands before the colon of a workload's id, or ``standardNamespace``; of a segment's likewise. O(length).
  static func namespace(of workload: String) -> String {
    workload.utf8.firstIndex(of: 0x3a).map { String(workload[..<$0]) } ?? standardNamespace
  }

  /// All profiles by product, model and namespace, everybody's first. O(n log n).
  public var all: [ModelProfile] {
    ([byProduct] + own.values).flatMap { $0.values.flatMap(\.values) }.sorted {
      ($0.product, $0.model, $0.namespace ?? "") < ($1.product, $1.model, $1.namespace ?? "")
    }
  }
}
