/// Fills a whole profile from a few measured points.
public enum ProfileFit {
  /// Fewest points with a latency that a fit is made from; fewer say nothing about its error.
  public static let leastPoints = 4
  /// Standard deviations by which a filled point is worse than expected: one in forty is worse still, if the errors are
  /// what cross-validation says.
  static let deviations = 2.0
  /// A margin is never narrower than the model's own spread says, however well the few points agree.
  static let leastCalibration = 1.0
  /// A place whose margin would be wider is left out: it is no knowledge any more.
  static let widestMargin = 4.0
  /// Latencies in milliseconds that a profile may hold.
  private static let latencies = 1e-3...1e7
  /// Mean of a half-normal distribution, in standard deviations.
  private static let meanDeviation = 0.798

  public enum Refusal: Error, Hashable, Sendable {
    /// Fewer than ``ProfileFit/leastPoints`` points with a latency.
    case tooFewPoints(Int)
    /// All points have this batch, so nothing tells fixed from growing time.
    case oneBatch(Int)
  }

  /// The filled profile on the grid; points outside the grid are kept too.
  ///
  /// Points that are themselves filled are dropped and filled anew. Deterministic.
  /// - Complexity: O(points) fits for the cross-validation, about a tenth of a second for a dozen points.
  public static func fill(
    _ profile: ModelProfile, on product: GPUProduct, grid: ProfileGrid = ProfileGrid()
  ) throws(Refusal) -> FittedProfile {
    let known = profile.points.filter { $0.source != .filled }
    guard known.count >= leastPoints else { throw .tooFewPoints(known.count) }
    guard Set(known.map(\.batch)).count > 1 else { throw .oneBatch(known[0].batch) }
    var source = profile
    source.points = known
    let sizes = ProfileGrid.sizes(of: product)
    let samples = samples(of: known, sizes, product)
    let fit = LatencyFit(samples, sizes: sizes)
    let validation = CrossValidation(samples, sizes: sizes)
    let estimator = LatencyEstimator(model: fit.model, product: product)
    let memory = MemoryProof(source, product: product)
    let taken = Set(known.map(\.place)).union(profile.misfits)
    let pace = pace(of: known)

    var points = known
    var unproven = 0
    var errors = 0.0
    for place in grid.places(on: product, besides: Set(known.map(\.profile))) where !taken.contains(place) {
      guard memory.fits(place) else {
        unproven += 1
        continue
      }
      let spread = fit.spread(estimator.place(place))
      let margin = Elementary.exp(deviations * spread * max(validation.calibration, leastCalibration)) - 1
      let point = filled(place, estimator.latencyMs(place), margin, pace)
      guard margin <= widestMargin, latencies.contains(point.latencyMs) else {
        unproven += 1
        continue
      }
      errors += Elementary.exp(meanDeviation * spread * validation.calibration) - 1
      points.append(point)
    }
    let filled = points.count - known.count
    return FittedProfile(
      profile: ModelProfile(
        model: profile.model, product: profile.product, source: points.map(\.source).merged, points: points,
        misfits: profile.misfits),
      measured: known.count, misfits: profile.misfits.count, filled: filled, unproven: unproven,
      parameters: parameters(of: fit.model), crossValidatedError: validation.meanError,
      worstCrossValidatedError: validation.worstError, expectedError: filled == 0 ? 0 : errors / Double(filled),
      estimator: estimator)
  }

  static func samples(of points: [ProfilePoint], _ sizes: [Int], _ product: GPUProduct) -> [LatencyFit.Sample] {
    points.map { point in
      let slices = product.profiles[point.profile].computeSlices
      return LatencyFit.Sample(
        place: LatencyModel.Place(
          size: sizes.firstIndex(of: slices) ?? 0, batch: Double(point.batch), processes: Double(point.processes)),
        logLatency: Elementary.log(point.latencyMs))
    }
  }

  /// Measured throughput over what the latencies alone would give, as a geometric mean: servers that prepare a batch
  /// while another runs are above 1, those that pause between batches below.
  private static func pace(of points: [ProfilePoint]) -> Double {
    var sum = 0.0
    for point in points {
      sum += Elementary.log(point.throughput * point.latencyMs / (1000 * Double(point.batch * point.processes)))
    }
    return Elementary.exp(sum / Double(points.count))
  }

  private static func filled(
    _ place: ProfilePlace, _ expectedMs: Double, _ margin: Double, _ pace: Double
  ) -> ProfilePoint {
    let latency = expectedMs * (1 + margin)
    return ProfilePoint(
      profile: place.profile, batch: place.batch, processes: place.processes,
      throughput: pace * 1000 * Double(place.batch * place.processes) / latency, latencyMs: latency, source: .filled,
      margin: margin)
  }

  private static func parameters(of model: LatencyModel) -> FittedProfile.Parameters {
    typealias Index = LatencyModel.Index
    let values = model.parameters
    return FittedProfile.Parameters(
      launchMs: Elementary.exp(values[Index.launch]), perSampleMs: Elementary.exp(values[Index.perSample]),
      saturatedMs: Elementary.exp(values[Index.work]), batchOverhead: Elementary.exp(values[Index.overhead]),
      sizeExponent: values[Index.scaling], blend: 1 + Elementary.exp(values[Index.blend]),
      contention: Elementary.exp(values[Index.contention]), crowding: values[Index.crowding])
  }
}
