import ParvaEngine
import ParvaTestSupport
import Testing

/// The published measurements, of which the fit sees the twelve points that ``MeasurementDesign`` names beforehand.
@Suite("Fitting the published measurements", .enabled(if: SharedData.isPresent, "the shared measurements are not here"))
struct PublishedFitTests {
  private static func outcomes(points: Int = 12) throws -> [(fit: FittedProfile, trial: FitTrial)] {
    let product = try PublishedScenarios.product
    return try PublishedScenarios.measuredProfiles().all.map { try FitTrial.run($0, points: points, on: product) }
  }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

  @Test func twelvePointsGiveTheWholeGridAndAnHonestError() throws {
    let outcomes = try Self.outcomes()
    #expect(outcomes.count == 11)
    #expect(outcomes.allSatisfy { $0.fit.measured + $0.fit.misfits == 12 && $0.trial.heldOut > 110 })
    let error = Self.mean(outcomes.map(\.trial.meanError))
    #expect(error <= 0.08, "the mean error of 11 models")
    for outcome in outcomes { #expect(outcome.trial.meanError < 0.2, "\(outcome.fit.profile.model)") }

    // What the tool says of itself, against what is true.
    let stated = Self.mean(outcomes.map(\.fit.expectedError))
    let filled = Self.mean(outcomes.map(\.trial.meanFilledError))
    #expect((0.8...1.6).contains(stated / filled), "stated \(stated), true \(filled)")
    let crossValidated = Self.mean(outcomes.map(\.fit.crossValidatedError))
    #expect((0.8...2.2).contains(crossValidated / error), "cross-validated \(crossValidated), true \(error)")
    for (fit, trial) in outcomes {
      #expect((0.5...3).contains(fit.expectedError / trial.meanFilledError), "\(fit.profile.model)")
    }
  }

  @Test func fewerPointsErrMoreButNotWildly() throws {
    for points in [6, 8, 10] {
      let error = Self.mean(try Self.outcomes(points: points).map(\.trial.meanError))
      #expect(error <= 0.11, "\(points) points")
    }
  }

  @Test func filledPointsFitAndAreHardlyEverSlowerThanTheySay() throws {
    for (fit, trial) in try Self.outcomes() {
      #expect(trial.misfits == 0, "\(fit.profile.model)")
      #expect(trial.filled > 80, "\(fit.profile.model)")
      #expect(Double(trial.slower) <= 0.05 * Double(trial.filled), "\(fit.profile.model): \(trial.slower)")
    }
  }
}
