import ParvaEngine
import ParvaTestSupport
import Testing

@Suite("What surely fits into memory, and what to measure")
struct MemoryAndDesignTests {
  static let product = ProfileFitTests.product

  @Test(arguments: 1...40) func noFilledPointIsBeyondMemory(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let truth = SyntheticModel.random(&random)
    let places = (0..<14).compactMap { _ in SyntheticModel.grid(on: Self.product).randomElement(using: &random) }
    let profile = truth.measured(Array(Set(places)).sorted(), on: Self.product)
    guard profile.points.count >= ProfileFit.leastPoints, Set(profile.points.map(\.batch)).count > 1 else { return }
    let fit = try ProfileFit.fill(profile, on: Self.product)
    for point in fit.profile.points {
      #expect(truth.fits(point.place, on: Self.product), "seed \(seed): \(point.place)")
    }
    #expect(fit.profile.misfits == profile.misfits)
  }

  @Test func whatFittedProvesWhatNeedsLess() throws {
    let smallest = ProfileFitTests.profile("1g.10gb")
    let whole = ProfileFitTests.profile("7g.80gb")
    let seen = [(1, 1), (1, 4), (4, 4), (2, 1)].map { ProfilePlace(profile: smallest, batch: $0.0, processes: $0.1) }
    let fit = try ProfileFit.fill(SyntheticModel().measured(seen, on: Self.product), on: Self.product)
    let has = { (profile: Int, batch: Int, processes: Int) in
      fit.profile.points.contains { $0.place == ProfilePlace(profile: profile, batch: batch, processes: processes) }
    }
    // 4 x (context + 4 x sample) fits on 9,728 MiB, so twice that many contexts and samples fit on 19,968.
    #expect(has(smallest, 8, 2))
    #expect(has(ProfileFitTests.profile("2g.20gb"), 8, 4))
    #expect(has(whole, 16, 5))
    #expect(!has(smallest, 32, 1))
    #expect(!has(smallest, 1, 5))
  }

  @Test func aMemoryReadingProvesMoreThanFittingDoes() throws {
    let smallest = ProfileFitTests.profile("1g.10gb")
    let truth = SyntheticModel(contextMiB: 500, perSampleMiB: 10)
    let seen = [(1, 1), (1, 2), (4, 2), (2, 1)].map { ProfilePlace(profile: smallest, batch: $0.0, processes: $0.1) }
    var profile = truth.measured(seen, on: Self.product)
    let without = try ProfileFit.fill(profile, on: Self.product)
    for index in profile.points.indices {
      profile.points[index].memoryMiB = truth.memoryMiB(profile.points[index].place)
    }
    let with = try ProfileFit.fill(profile, on: Self.product)
    #expect(with.filled > without.filled)
    #expect(with.profile.points.allSatisfy { truth.fits($0.place, on: Self.product) })
  }

  @Test func aMisfitIsNeverFilledNorWhatNeedsMore() throws {
    let (smallest, size) = (ProfileFitTests.profile("1g.10gb"), ProfileFitTests.profile("2g.20gb"))
    var profile = SyntheticModel().measured(
      [(1, 1), (1, 4), (4, 4), (2, 1)].map { ProfilePlace(profile: smallest, batch: $0.0, processes: $0.1) },
      on: Self.product)
    // A reading that contradicts the memory model: the tool believes the misfit.
    profile.misfits = [ProfilePlace(profile: size, batch: 2, processes: 2)]
    let fit = try ProfileFit.fill(profile, on: Self.product)
    #expect(!fit.profile.points.contains { $0.profile == size && $0.batch >= 2 && $0.processes >= 2 })
  }

  @Test(arguments: ProductCatalogue.all.map(\.name)) func everyProductHasADesign(name: String) throws {
    let product = try #require(ProductCatalogue.product(named: name))
    let places = MeasurementDesign.next(12, on: product)
    #expect(places.count == 12 && Set(places).count == 12)
    #expect(places == MeasurementDesign.next(12, on: product))
    let sizes = Set(product.plannedProfiles.map { product.profiles[$0].computeSlices })
    #expect(Set(places.map { product.profiles[$0.profile].computeSlices }) == sizes, "every size is measured")
    #expect(MeasurementDesign.next(5, on: product) == Array(places.prefix(5)))
  }

  @Test func pointsThatAreThereCountAndMisfitsAreAvoided() {
    let first = MeasurementDesign.next(4, on: Self.product)
    let truth = SyntheticModel()
    let known = truth.measured(first, on: Self.product)
    let next = MeasurementDesign.next(8, after: known, on: Self.product)
    #expect(Set(next).isDisjoint(with: first))
    var blocked = known
    blocked.misfits = [ProfilePlace(profile: ProfileFitTests.profile("7g.80gb"), batch: 8, processes: 1)]
    let around = MeasurementDesign.next(20, after: blocked, on: Self.product)
    #expect(around.allSatisfy { $0.batch < 8 })
    #expect(MeasurementDesign.next(10_000, on: Self.product).count < 300)
  }
}
