import ParvaEngine
import ParvaTestSupport
import Testing

/// The published measurements, of which the fit sees the twelve points that ``MeasurementDesign`` names beforehand.
@Suite("Fitting the published measurements", .enabled(if: SharedData.isPresent, "the shared measurements are not here"))
struct PublishedFitTests {
  private struct Outcome {
    var model: String
    var fit: FittedProfile
    /// Relative latency errors over all published points that the fit did not see.
    var errors: [Double]
    var truth: [ProfilePlace: Double]

    var meanError: Double { errors.reduce(0, +) / Double(errors.count) }
  }

  private static func outcomes() throws -> [Outcome] {
    let product = try PublishedScenarios.product
    let design = Set(MeasurementDesign.next(12, on: product))
    return try PublishedScenarios.measuredProfiles().all.map { whole in
      let seen = ModelProfile(
        model: whole.model, product: whole.product, source: .measured,
        points: whole.points.filter { design.contains($0.place) },
        misfits: whole.misfits.filter { design.contains($0) })
      #expect(seen.points.count + seen.misfits.count == 12)
      let fit = try ProfileFit.fill(seen, on: product)
      return Outcome(
        model: whole.model, fit: fit,
        errors: whole.points.filter { !design.contains($0.place) }.map {
          abs(fit.expectedLatencyMs($0.place) / $0.latencyMs - 1)
        },
        truth: Dictionary(uniqueKeysWithValues: whole.points.map { ($0.place, $0.latencyMs) }))
    }
  }

  @Test func twelvePointsGiveTheWholeGridAndAnHonestError() throws {
    let outcomes = try Self.outcomes()
    #expect(outcomes.count == 11)
    let count = Double(outcomes.count)
    let error = outcomes.map(\.meanError).reduce(0, +) / count
    #expect(error <= 0.08, "the mean error of 11 models")
    for outcome in outcomes { #expect(outcome.meanError < 0.2, "\(outcome.model)") }

    // What the tool says of itself, against what is true.
    let stated = outcomes.map(\.fit.expectedError).reduce(0, +) / count
    #expect((0.8...1.8).contains(stated / error), "stated \(stated), true \(error)")
    let crossValidated = outcomes.map(\.fit.crossValidatedError).reduce(0, +) / count
    #expect((0.8...2.2).contains(crossValidated / error), "cross-validated \(crossValidated), true \(error)")
  }

  @Test func filledPointsFitAndAreHardlyEverSlowerThanTheySay() throws {
    for outcome in try Self.outcomes() {
      let filled = outcome.fit.profile.points.filter { $0.source == .filled }
      #expect(filled.count > 80, "\(outcome.model)")
      var slower = 0
      for point in filled {
        guard let truth = outcome.truth[point.place] else {
          Issue.record("\(outcome.model) did not fit at \(point.place)")
          continue
        }
        if truth > point.latencyMs { slower += 1 }
      }
      #expect(Double(slower) <= 0.05 * Double(filled.count), "\(outcome.model): \(slower) of \(filled.count)")
    }
  }
}
