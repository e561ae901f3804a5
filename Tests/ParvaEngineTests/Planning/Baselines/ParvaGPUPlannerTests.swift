import ParvaEngine
import ParvaTestSupport
import Testing

@Suite struct ParvaGPUPlannerTests {
  struct Published: Sendable, CustomTestStringConvertible {
    var scenario: Int
    var maxProcesses: Int
    /// GPUs that the paper's own program needs.
    var gpus: Int
    var testDescription: String { "scenario \(scenario), \(maxProcesses) processes" }

    static let all =
      zip(1...6, [2, 3, 5, 7, 13, 17]).map { Published(scenario: $0, maxProcesses: 3, gpus: $1) }
      + zip(1...6, [2, 3, 5, 7, 13, 16]).map { Published(scenario: $0, maxProcesses: 5, gpus: $1) }
  }

  @Test(
    "needs no more GPUs than the published program, legally",
    .enabled(if: SharedData.isPresent, "the shared measurements are not beside this checkout"),
    arguments: Published.all)
  func published(_ fact: Published) throws {
    let input = PlanningInput(
      workloads: try PublishedScenarios.workloads(fact.scenario),
      pools: [Pool(product: try PublishedScenarios.product)],
      profiles: try PublishedScenarios.measuredProfiles(),
      options: PlanningOptions(admission: .halfSLO, maxProcesses: fact.maxProcesses))
    let plan = ParvaGPUPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.unplaced.isEmpty)
    #expect(plan.summary.gpuCount <= fact.gpus)
  }

  @Test("the optimization step never costs a GPU", arguments: 0..<40)
  func optimizationHelps(_ seed: Int) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(seed: UInt64(seed), products: [product], models: 6, workloads: 15)
    let with = ParvaGPUPlanner().plan(input).summary.gpuCount
    input.options.allocationOptimization = false
    #expect(with <= ParvaGPUPlanner().plan(input).summary.gpuCount)
  }

  @Test("a rate that a point divides exactly takes no idle segment")
  func exactDivision() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let point = ProfilePoint(profile: 0, batch: 1, processes: 1, throughput: 0.1, latencyMs: 1)
    let profile = ModelProfile(model: "m", product: product.name, source: .measured, points: [point])
    let input = PlanningInput(
      workloads: [Workload(id: "w", model: "m", rate: 0.3, sloLatencyMs: 10)], pools: [Pool(product: product)],
      profiles: ProfileCatalogue([profile]), options: PlanningOptions(admission: .halfSLO))
    let plan = ParvaGPUPlanner().plan(input)
    #expect(plan.gpus.flatMap(\.segments).count == 3)
    #expect(plan.gpus.first?.segments.map(\.start) == [0, 4, 6])
  }
}
