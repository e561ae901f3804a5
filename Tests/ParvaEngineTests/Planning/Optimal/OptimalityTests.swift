import ParvaEngine
import ParvaTestSupport
import Testing

/// Planner `optimal` against trying every plan, and against its own promises.
@Suite struct OptimalityTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var products: [GPUProduct]
    /// Most workloads and their highest rates: as much as brute force can take.
    var workloads: Int
    var most: Int
    var seeds: Range<UInt64> = 0..<500
    var testDescription: String { products.map(\.name).joined(separator: " and ") }

    static let all = [
      Case(products: named("A100-80GB"), workloads: 4, most: 60),
      Case(products: named("A100-80GB"), workloads: 6, most: 25, seeds: 500..<900),
      Case(products: named("A30-24GB"), workloads: 6, most: 60),
      Case(products: named("RTX-PRO-6000-BSE-96GB"), workloads: 6, most: 60),
      Case(products: [TestGeometry.twelve], workloads: 5, most: 90),
      Case(products: [TestGeometry.four], workloads: 6, most: 50),
      Case(products: named("A100-80GB", "A30-24GB"), workloads: 2, most: 50),
      Case(products: named("H200-141GB", "RTX-PRO-6000-BSE-96GB"), workloads: 3, most: 25),
      Case(products: named("A30-24GB") + [TestGeometry.four], workloads: 6, most: 25),
    ]

    private static func named(_ names: String...) -> [GPUProduct] {
      names.compactMap { ProductCatalogue.product(named: $0) }
    }

    /// Two pools differ in cost; every third demand meets a stock, every other counts money.
    func input(_ seed: UInt64) -> PlanningInput {
      var input = RandomDemand.small(
        seed: seed, products: products, workloads: Int(seed % UInt64(workloads)) + 1, most: most)
      if seed % 3 == 0 { input.pools[0].count = Int(seed % 7) }
      for index in input.pools.indices { input.pools[index].figures["hourlyCost"] = [2.5, 1.5][index] }
      if seed % 2 == 0 { input.options.objective = .cost }
      input.options.certificate = true
      return input
    }
  }

  @Test("equals brute force over all plans on small demands, and proves it", arguments: Case.all)
  func bruteForce(_ testCase: Case) throws {
    try #require(!testCase.products.isEmpty)
    for seed in testCase.seeds {
      let input = testCase.input(seed)
      let plan = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      guard let expected = BruteForce.leastCost(input) else {
        #expect(plan.status == .infeasible, "seed \(seed)")
        continue
      }
      #expect(plan.unplaced.isEmpty, "seed \(seed)")
      #expect((PlanCost.of(plan, input) - expected).magnitude < 1e-6, "seed \(seed)")
      #expect(plan.status == .optimal, "seed \(seed): bound \(plan.summary.lowerBound ?? 0) of \(expected)")
      let certificate = try #require(plan.certificate)
      let verdict = CertificateChecker(input, plan).judge(certificate)
      let bound = try #require(verdict.verifiedBound)
      #expect(bound <= expected + 1e-6, "seed \(seed): no certificate proves more than the truth")
      #expect(verdict.provesOptimality || certificate.kind == .exhaustive, "seed \(seed)")
    }
  }

  @Test("never needs more GPUs than the published method", arguments: 0..<50)
  func beatsPublished(_ seed: Int) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = RandomDemand.input(seed: UInt64(seed), products: [product], models: 8, workloads: 5 + seed)
    let plan = OptimalPlanner().plan(input)
    #expect(plan.summary.gpuCount <= ParvaGPUPlanner().plan(input).summary.gpuCount)
    let bound = try #require(plan.summary.lowerBound)
    #expect(bound <= Double(plan.summary.gpuCount) + 1e-6)
  }

  struct Published: Sendable, CustomTestStringConvertible {
    var scenario: Int
    var maxProcesses: Int
    var gpus: Int
    var testDescription: String { "scenario \(scenario), \(maxProcesses) processes" }

    static let all =
      zip(1...6, [2, 3, 5, 7, 12, 16]).map { Published(scenario: $0, maxProcesses: 3, gpus: $1) }
      + zip(1...6, [2, 3, 5, 7, 12, 15]).map { Published(scenario: $0, maxProcesses: 5, gpus: $1) }
  }

  @Test(
    "proves the minimum of the published scenarios",
    .enabled(if: SharedData.isPresent, "the shared measurements are not beside this checkout"),
    arguments: Published.all)
  func published(_ fact: Published) throws {
    let input = PlanningInput(
      workloads: try PublishedScenarios.workloads(fact.scenario),
      pools: [Pool(product: try PublishedScenarios.product)],
      profiles: try PublishedScenarios.measuredProfiles(),
      options: PlanningOptions(admission: .halfSLO, maxProcesses: fact.maxProcesses, certificate: true))
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.status == .optimal)
    #expect(plan.summary.gpuCount == fact.gpus)
  }

  @Test("does not depend on how the work is spread over cores")
  func parallelismChangesNothing() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = RandomDemand.input(seed: 5, products: [product], models: 9, workloads: 2500)
    let backwards = PlanningContext(
      forEach: { count, body in for index in (0..<count).reversed() { body(index) } }, shouldStop: { false })
    #expect(OptimalPlanner().plan(input) == OptimalPlanner().plan(input, backwards))
  }

  @Test("covers rates and objectives of every magnitude in one demand")
  func magnitudes() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(
      seed: 11, products: [product], models: 6, workloads: 0, options: PlanningOptions(admission: .halfSLO))
    input.options.certificate = true
    for (index, rate) in [0.01, 1, 100, 1e4, 1e6].enumerated() {
      for (other, slo) in [0.5, 30, 1000, 60000].enumerated() {
        input.workloads.append(
          Workload(id: "w\(index)-\(other)", model: "m\(index)", rate: rate, sloLatencyMs: slo))
      }
    }
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.unplaced.allSatisfy { $0.code == .sloUnreachable })
    #expect(plan.unplaced.count < input.workloads.count)
    let certificate = try #require(plan.certificate)
    let bound = try #require(CertificateChecker(input, plan).judge(certificate).verifiedBound)
    #expect(Double(plan.summary.gpuCount) <= bound + 3, "of some thousands")
  }

  @Test("a workload that fits only the whole GPU gets whole GPUs")
  func wholeGPU() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let whole = try #require(product.profileIndex(named: "7g.80gb"))
    let point = ProfilePoint(profile: whole, batch: 4, processes: 1, throughput: 10, latencyMs: 5)
    let input = PlanningInput(
      workloads: [Workload(id: "w", model: "big", rate: 25, sloLatencyMs: 100)], pools: [Pool(product: product)],
      profiles: ProfileCatalogue([
        ModelProfile(model: "big", product: product.name, source: .measured, points: [point])
      ]), options: PlanningOptions(admission: .halfSLO))
    let plan = OptimalPlanner().plan(input)
    #expect(plan.summary.gpuCount == 3)
    #expect(plan.status == .optimal)
  }
}
