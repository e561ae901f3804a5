import Foundation
import ParvaEngine
import ParvaTestSupport
import Testing

@Suite("Filling profiles from a few points")
struct ProfileFitTests {
  static let product = ProductCatalogue.product(named: "A100-80GB") ?? ProductCatalogue.all[0]

  static func profile(_ name: String) -> Int { product.profileIndex(named: name) ?? 0 }

  /// Mean absolute relative error of the model over the places that fit.
  static func meanError(_ fit: FittedProfile, _ truth: SyntheticModel) -> Double {
    let errors = SyntheticModel.grid(on: product).filter { truth.fits($0, on: product) }.map { place in
      abs(fit.expectedLatencyMs(place) / truth.latencyMs(place, on: product) - 1)
    }
    return errors.reduce(0, +) / Double(errors.count)
  }

  @Test func aWholeGridWithoutNoiseIsRecovered() throws {
    let truth = SyntheticModel(overhead: 1.4, scaling: 0.96, blend: 4.2, contention: 0.06, crowding: 0.03)
    let fit = try ProfileFit.fill(
      truth.measured(SyntheticModel.grid(on: Self.product), on: Self.product), on: Self.product)
    #expect(Self.meanError(fit, truth) < 0.001)
    #expect(abs(fit.parameters.launchMs / truth.launch - 1) < 0.005)
    #expect(abs(fit.parameters.saturatedMs / truth.work - 1) < 0.05)
    #expect(abs(fit.parameters.blend - truth.blend) < 0.1)
    #expect(abs(fit.parameters.contention - truth.contention) < 0.005)
    #expect(fit.crossValidatedError < 0.002)
  }

  @Test(arguments: 1...12) func twelveSuggestedPointsAreEnough(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let truth = SyntheticModel.random(&random)
    let places = MeasurementDesign.next(12, on: Self.product)
    let fit = try ProfileFit.fill(truth.measured(places, on: Self.product), on: Self.product)
    #expect(Self.meanError(fit, truth) < 0.07, "seed \(seed)")
  }

  @Test(arguments: 1...6) func noiseOfFivePercentIsBorneAndMarginsCoverIt(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let truth = SyntheticModel.random(&random)
    let noise = { exp(0.05 * (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0...1, using: &random) }) }
    let profile = truth.measured(MeasurementDesign.next(12, on: Self.product), on: Self.product, noise: noise)
    let fit = try ProfileFit.fill(profile, on: Self.product)
    #expect(Self.meanError(fit, truth) < 0.11, "seed \(seed)")
    let filled = fit.profile.points.filter { $0.source == .filled }
    let safe = filled.count { $0.latencyMs >= truth.latencyMs($0.place, on: Self.product) }
    #expect(filled.count > 60)
    #expect(Double(safe) >= 0.95 * Double(filled.count), "seed \(seed): \(safe) of \(filled.count)")
  }

  @Test func measuredPointsStayAndFilledOnesCarryTheirMargin() throws {
    let truth = SyntheticModel()
    let measured = truth.measured(MeasurementDesign.next(12, on: Self.product), on: Self.product)
    let fit = try ProfileFit.fill(measured, on: Self.product)
    #expect(fit.profile.source == .filled)
    #expect(fit.profile.points.filter { $0.source == .measured } == measured.points)
    #expect((fit.measured, fit.filled) == (12, fit.profile.points.count - 12))
    for point in fit.profile.points where point.source == .filled {
      #expect(point.margin > 0.05)
      #expect(abs(point.latencyMs / (1 + point.margin) / fit.expectedLatencyMs(point.place) - 1) < 1e-12)
      #expect(abs(point.throughput * point.latencyMs / (1000 * Double(point.batch * point.processes)) - 1) < 1e-9)
    }
  }

  @Test func marginsWidenAwayFromWhatWasMeasured() throws {
    let small = SyntheticModel.grid(on: Self.product, maxBatch: 4, maxProcesses: 2).filter {
      $0.profile == 0 || $0.batch < 4
    }
    let fit = try ProfileFit.fill(SyntheticModel(perSampleMiB: 1).measured(small, on: Self.product), on: Self.product)
    let margin = { (batch: Int, processes: Int) in
      fit.profile.points.first { ($0.profile, $0.batch, $0.processes) == (Self.profile("7g.80gb"), batch, processes) }?
        .margin
    }
    let (near, far, farther) = (margin(4, 1), margin(8, 3), margin(8, 5))
    #expect(try #require(near) < #require(far))
    #expect(try #require(far) < #require(farther))
  }

  @Test func oneSizeAloneFillsTheOthersWithWiderMargins() throws {
    let size = Self.profile("3g.40gb")
    let places = [(1, 1), (1, 4), (4, 2), (8, 1), (16, 2), (64, 1)].map {
      ProfilePlace(profile: size, batch: $0.0, processes: $0.1)
    }
    let fit = try ProfileFit.fill(SyntheticModel().measured(places, on: Self.product), on: Self.product)
    let saturated = { (profile: Int) in
      fit.profile.points.first { ($0.profile, $0.batch, $0.processes) == (profile, 8, 2) }?.margin
    }
    #expect(try #require(saturated(size)) < #require(saturated(Self.profile("4g.40gb"))))
    #expect(saturated(Self.profile("7g.80gb")) != nil)
  }

  @Test func tooLittleIsRefused() {
    let truth = SyntheticModel()
    let places = MeasurementDesign.next(3, on: Self.product)
    #expect(throws: ProfileFit.Refusal.tooFewPoints(3)) {
      try ProfileFit.fill(truth.measured(places, on: Self.product), on: Self.product)
    }
    let oneBatch = (1...5).map { ProfilePlace(profile: Self.profile("7g.80gb"), batch: 8, processes: $0) }
    #expect(throws: ProfileFit.Refusal.oneBatch(8)) {
      try ProfileFit.fill(truth.measured(oneBatch, on: Self.product), on: Self.product)
    }
    let nothingFits = SyntheticModel(contextMiB: 1e6).measured(
      MeasurementDesign.next(12, on: Self.product), on: Self.product)
    #expect(nothingFits.misfits.count == 12)
    #expect(throws: ProfileFit.Refusal.tooFewPoints(0)) { try ProfileFit.fill(nothingFits, on: Self.product) }
  }

  @Test func theSamePointsGiveTheSameProfileWhateverTheirOrderAndHoweverOften() throws {
    let measured = SyntheticModel().measured(MeasurementDesign.next(12, on: Self.product), on: Self.product)
    let once = try ProfileFit.fill(measured, on: Self.product)
    let shuffled = ModelProfile(
      model: measured.model, product: measured.product, source: .measured, points: measured.points.reversed())
    #expect(try ProfileFit.fill(shuffled, on: Self.product) == once)
    #expect(try ProfileFit.fill(once.profile, on: Self.product).profile == once.profile)
  }

  @Test func extremeLatenciesStayFinite() throws {
    for factor in [1e-3, 1e4] {
      var truth = SyntheticModel(perSampleMiB: 1)
      (truth.launch, truth.perSample, truth.work) = (factor, factor / 50, factor / 4)
      let fit = try ProfileFit.fill(
        truth.measured(MeasurementDesign.next(12, on: Self.product), on: Self.product), on: Self.product)
      #expect(Self.meanError(fit, truth) < 0.07)
      #expect(fit.profile.points.allSatisfy { (1e-3...1e7).contains($0.latencyMs) && $0.throughput.isFinite })
    }
  }
}
