/// How well a fit foretells points that it has not seen, worked out from the samples alone.
struct CrossValidation: Sendable {
  /// Samples left out one at a time up to this many; beyond, in as many groups.
  private static let groups = 24
  /// Weight, in samples, of the belief that the model's own spread is right.
  private static let belief = 4.0

  /// Mean absolute relative error of the samples left out.
  let meanError: Double
  /// Greatest absolute relative error of a sample left out.
  let worstError: Double
  /// Factor by which errors were greater than the model's own spread says.
  let calibration: Double

  /// O(groups) fits.
  init(_ samples: [LatencyFit.Sample], sizes: [Int]) {
    let count = min(samples.count, Self.groups)
    var errors: [Double] = []
    var squares = 0.0
    for group in 0..<count {
      let kept = samples.indices.filter { $0 % count != group }.map { samples[$0] }
      guard !kept.isEmpty else { continue }
      let fit = LatencyFit(kept, sizes: sizes)
      for index in stride(from: group, to: samples.count, by: count) {
        let sample = samples[index]
        let error = fit.model.logLatency(sample.place) - sample.logLatency
        errors.append((Elementary.exp(error) - 1).magnitude)
        let standard = error / fit.spread(sample.place)
        squares += standard * standard
      }
    }
    meanError = errors.isEmpty ? 0 : errors.reduce(0, +) / Double(errors.count)
    worstError = errors.max() ?? 0
    calibration = ((squares + Self.belief) / (Double(errors.count) + Self.belief)).squareRoot()
  }
}
