/// A profile that a model fitted to a few measured points has filled, and how far it can be trusted.
public struct FittedProfile: Hashable, Sendable {
  /// The model's parameters, for a person; see ``LatencyModel``.
  public struct Parameters: Hashable, Sendable {
    /// Fixed time of a batch in milliseconds.
    public var launchMs: Double
    /// Time of a request in milliseconds on an instance that is not saturated.
    public var perSampleMs: Double
    /// Time of a request in milliseconds on one saturated compute slice.
    public var saturatedMs: Double
    /// Requests' worth of work that every batch wastes on a saturated instance.
    public var batchOverhead: Double
    /// How the saturated time falls with the number of compute slices.
    public var sizeExponent: Double
    /// Sharpness of the passage from one regime to the other.
    public var blend: Double
    /// Share by which each further process stretches the fixed time.
    public var contention: Double
    /// Added to the exponent of the number of processes in the saturated time.
    public var crowding: Double
  }

  /// Measured points as they came, and filled ones whose latency and throughput carry their margin.
  public var profile: ModelProfile
  public var measured: Int
  /// Places that were measured and did not fit.
  public var misfits: Int
  public var filled: Int
  /// Places of the grid left out: nothing measured proves that they fit into memory, or the margin would be too wide.
  public var unproven: Int
  public var parameters: Parameters
  /// Mean absolute relative latency error of measured points that the fit had not seen.
  public var crossValidatedError: Double
  public var worstCrossValidatedError: Double
  /// Mean absolute relative latency error to expect over the filled points.
  public var expectedError: Double
  let estimator: LatencyEstimator

  /// Least, mean and greatest margin of the filled points; 0 where there are none.
  public var margins: (least: Double, mean: Double, most: Double) {
    let margins = profile.points.filter { $0.source == .filled }.map(\.margin)
    guard let least = margins.min(), let most = margins.max() else { return (0, 0, 0) }
    return (least, margins.reduce(0, +) / Double(margins.count), most)
  }

  /// The model's latency in milliseconds, without a margin, at any place of the product.
  public func expectedLatencyMs(_ place: ProfilePlace) -> Double { estimator.latencyMs(place) }

}

/// A fitted model that speaks of a product's places.
struct LatencyEstimator: Hashable, Sendable {
  let model: LatencyModel
  /// Index into the model's sizes by profile index.
  let sizeOfProfile: [Int]

  init(model: LatencyModel, product: GPUProduct) {
    self.model = model
    sizeOfProfile = product.profiles.map { profile in
      model.sizes.firstIndex(of: profile.computeSlices) ?? 0
    }
  }

  func place(_ place: ProfilePlace) -> LatencyModel.Place {
    LatencyModel.Place(
      size: sizeOfProfile[place.profile], batch: Double(place.batch), processes: Double(place.processes))
  }

  func latencyMs(_ place: ProfilePlace) -> Double { Elementary.exp(model.logLatency(self.place(place))) }
}
