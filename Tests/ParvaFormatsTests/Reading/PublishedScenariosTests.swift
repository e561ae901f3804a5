import ParvaEngine
import ParvaTestSupport
import Testing

@Suite("The published scenarios", .enabled(if: SharedData.isPresent, "the shared measurements are not here"))
struct PublishedScenariosTests {
  @Test func scenarioOneLeavesOutTheModelsMarkedAbsent() throws {
    let workloads = try PublishedScenarios.workloads(1)
    #expect(
      workloads.map(\.id) == ["bert", "densenet121", "inceptionv3", "mobilenetv2", "resnet50", "vgg19"])
    let resnet = try #require(workloads.first { $0.id == "resnet50" })
    #expect(resnet.rate == 829)
    #expect(resnet.sloLatencyMs == 204.5)
    #expect(resnet.percentile == 0.99)
  }

  @Test(arguments: 2...6) func otherScenariosHoldAllModels(number: Int) throws {
    #expect(try PublishedScenarios.workloads(number).count == 11)
  }

  @Test func measurementsAreTurnedIntoTotalThroughputAndMilliseconds() throws {
    let profiles = try PublishedScenarios.measuredProfiles()
    let product = try PublishedScenarios.product
    let densenet = try #require(profiles.profile(model: "densenet121", product: product.name))
    #expect(densenet.source == .measured)
    let smallest = try #require(product.profileIndex(named: "1g.10gb"))
    let point = try #require(densenet.points.first { ($0.profile, $0.batch, $0.processes) == (smallest, 1, 2) })
    #expect(point.throughput == 2 * 84.384)
    #expect(point.latencyMs == 12)
  }

  @Test func rowsOfZerosAreLeftOut() throws {
    let profiles = try PublishedScenarios.measuredProfiles()
    #expect(profiles.all.count == 11)
    #expect(profiles.all.allSatisfy { $0.points.count <= 225 && !$0.points.isEmpty })
    #expect(profiles.all.contains { $0.points.count < 225 })
    #expect(profiles.all.allSatisfy { $0.points.allSatisfy { $0.throughput > 0 && $0.latencyMs > 0 } })
  }
}
