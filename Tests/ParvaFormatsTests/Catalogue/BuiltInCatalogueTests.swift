import Foundation
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import Testing

@Suite("The built-in catalogue")
struct BuiltInCatalogueTests {
  @Test func isModelledAndSaysSo() {
    #expect(BuiltInCatalogue.profiles.count == 11)
    #expect(BuiltInCatalogue.profiles.allSatisfy { $0.source == .modelled && $0.product == BuiltInCatalogue.product })
    #expect(BuiltInCatalogue.models == BuiltInCatalogue.models.sorted())
  }

  @Test func everyPointIsWithinTheLimitsOfWhatMayBeRead() {
    for profile in BuiltInCatalogue.profiles {
      #expect(!profile.points.isEmpty)
      for point in profile.points {
        #expect(InputLimits.rate.contains(point.throughput) && InputLimits.latencyMs.contains(point.latencyMs))
        #expect((1...256).contains(point.batch) && (1...5).contains(point.processes))
      }
    }
  }

  @Test func bertOnOneSliceIsAsTheFormulaSays() throws {
    let product = try #require(ProductCatalogue.product(named: BuiltInCatalogue.product))
    let bert = try #require(BuiltInCatalogue.profiles.first { $0.model == "bert" })
    let smallest = try #require(product.profileIndex(named: "1g.10gb"))
    let point = try #require(bert.points.first { ($0.profile, $0.batch, $0.processes) == (smallest, 4, 2) })
    // ((9.322 + 3.176 x 4)^1.348 + (6.032 x 2 x 4)^1.348)^(1/1.348), worked out apart.
    #expect(abs(point.latencyMs - 60.2034) < 0.001)
    #expect(abs(point.throughput - 8000 / point.latencyMs) < 1e-9)
    #expect(point.memoryMiB == 2 * (1.9 + 0.00376 * 4) * 1024)
  }

  @Test func whatDoesNotFitIntoMemoryIsLeftOut() throws {
    let product = try #require(ProductCatalogue.product(named: BuiltInCatalogue.product))
    let densenet = try #require(BuiltInCatalogue.profiles.first { $0.model == "densenet121" })
    let smallest = try #require(product.profileIndex(named: "1g.10gb"))
    // 0.6 + 0.243 x 32 = 8.4 GiB of 9.5; with a batch of 64 it is 16.2.
    #expect(densenet.points.contains { ($0.profile, $0.batch, $0.processes) == (smallest, 32, 1) })
    #expect(!densenet.points.contains { ($0.profile, $0.batch) == (smallest, 64) })
  }

  @Test(.enabled(if: SharedData.isPresent, "the shared measurements are not here"))
  func staysNearTheMeasurements() throws {
    let measured = try PublishedScenarios.measuredProfiles()
    for profile in BuiltInCatalogue.profiles {
      let real = try #require(measured.profile(model: profile.model, product: profile.product))
      let errors = real.points.compactMap { point in
        profile.points.first { ($0.profile, $0.batch, $0.processes) == (point.profile, point.batch, point.processes) }
          .map { abs($0.latencyMs - point.latencyMs) / point.latencyMs }
      }
      #expect(errors.count > 100)
      #expect(errors.reduce(0, +) / Double(errors.count) < 0.15, "\(profile.model)")
    }
  }
}
