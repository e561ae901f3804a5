/// A fit judged on measured points that it has not seen.
public struct FitTrial: Hashable, Sendable {
  /// Points that were held out, with a latency.
  public var heldOut: Int
  /// Mean absolute relative error of the expected latency over them, filled or not.
  public var meanError: Double
  /// Mean absolute relative error of the expected latency over those of them that were filled.
  public var meanFilledError: Double
  /// Filled points among them.
  public var filled: Int
  /// Filled points that are slower in truth than the profile says, margin included.
  public var slower: Int
  /// Filled points that do not fit in truth.
  public var misfits: Int

  /// Fits from the `points` places that ``MeasurementDesign`` names without looking, and judges on all others.
  ///
  /// - Returns: the fit and its judgement.
  public static func run(
    _ whole: ModelProfile, points: Int, on product: GPUProduct, grid: ProfileGrid = ProfileGrid()
  ) throws(ProfileFit.Refusal) -> (fit: FittedProfile, trial: FitTrial) {
    let design = Set(MeasurementDesign.next(points, on: product, grid: grid))
    let seen = ModelProfile(
      model: whole.model, product: whole.product, source: whole.source,
      points: whole.points.filter { design.contains($0.place) }, misfits: whole.misfits.filter(design.contains))
    let fit = try ProfileFit.fill(seen, on: product, grid: grid)
    return (fit, FitTrial(fit, whole, without: design))
  }

  private init(_ fit: FittedProfile, _ whole: ModelProfile, without design: Set<ProfilePlace>) {
    let filledPoints = fit.profile.points.filter { $0.source == .filled }
    let stated = Dictionary(filledPoints.map { ($0.place, $0.latencyMs) }, uniquingKeysWith: { first, _ in first })
    (heldOut, filled, slower) = (0, 0, 0)
    var (sum, filledSum) = (0.0, 0.0)
    for point in whole.points where !design.contains(point.place) && point.source != .filled {
      let error = (fit.expectedLatencyMs(point.place) / point.latencyMs - 1).magnitude
      heldOut += 1
      sum += error
      guard let latency = stated[point.place] else { continue }
      filled += 1
      filledSum += error
      if point.latencyMs > latency { slower += 1 }
    }
    meanError = heldOut == 0 ? 0 : sum / Double(heldOut)
    meanFilledError = filled == 0 ? 0 : filledSum / Double(filled)
    misfits = whole.misfits.count { stated[$0] != nil }
  }
}
