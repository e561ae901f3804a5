import ParvaEngine
import ParvaTestSupport
import Testing

/// What every planner owes its caller, whatever its method.
@Suite struct PlannerContractTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var planner: String
    var product: String
    var testDescription: String { "\(planner) on \(product)" }

    static let all = Planners.all.flatMap { planner in
      ["A100-80GB", "A30-24GB", "RTX-PRO-6000-BSE-96GB", "H200-141GB"].map { Case(planner: planner.name, product: $0) }
    }
  }

  @Test("every plan passes the checker and accounts for every workload", arguments: Case.all)
  func legalAndComplete(_ testCase: Case) throws {
    let planner = try #require(Planners.named(testCase.planner))
    let product = try #require(ProductCatalogue.product(named: testCase.product))
    for seed in UInt64(0)..<60 {
      let input = RandomDemand.input(
        seed: seed, products: [product], models: 5, workloads: Int(seed % 20),
        options: PlanningOptions(
          admission: .halfSLO, maxProcesses: Int(seed % 4) + 1, allocationOptimization: seed % 2 == 0))
      let plan = planner.plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan == planner.plan(input), "seed \(seed): the same input gives the same plan")
    }
  }

  @Test("with too few GPUs nothing exceeds the stock and the refusals say so", arguments: Case.all)
  func scarcity(_ testCase: Case) throws {
    let planner = try #require(Planners.named(testCase.planner))
    let product = try #require(ProductCatalogue.product(named: testCase.product))
    var refused = 0
    for seed in UInt64(0)..<20 {
      let input = RandomDemand.input(seed: seed, products: [product], models: 4, workloads: 12, stock: Int(seed % 5))
      let plan = planner.plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan.summary.gpuCount <= Int(seed % 5), "seed \(seed)")
      refused += plan.unplaced.count { $0.code == .noStock }
    }
    #expect(refused > 0)
  }

  @Test("a workload that cannot be served is refused with the reason and hinders no other", arguments: Case.all)
  func unserviceable(_ testCase: Case) throws {
    let planner = try #require(Planners.named(testCase.planner))
    let product = try #require(ProductCatalogue.product(named: testCase.product))
    var input = RandomDemand.input(seed: 7, products: [product], models: 3, workloads: 5)
    let without = planner.plan(input)
    input.workloads.append(Workload(id: "stranger", model: "unknown", rate: 1, sloLatencyMs: 100))
    input.workloads.append(Workload(id: "hasty", model: "m0", rate: 1, sloLatencyMs: 0.001))
    input.workloads.append(Workload(id: "endless", model: "m0", rate: 1e9, sloLatencyMs: 60000))
    let plan = planner.plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.gpus == without.gpus)
    let codes = Dictionary(uniqueKeysWithValues: plan.unplaced.map { ($0.workload, $0.code) })
    #expect(codes["stranger"] == .noProfile)
    #expect(codes["hasty"] == .sloUnreachable)
    #expect(codes["endless"] == .tooLarge)
    #expect(plan.status == .infeasible)
  }

  @Test("no demand gives an empty plan", arguments: Planners.all.map(\.name))
  func empty(_ name: String) throws {
    let planner = try #require(Planners.named(name))
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = PlanningInput(workloads: [], pools: [Pool(product: product)], profiles: ProfileCatalogue())
    let plan = planner.plan(input)
    #expect(plan.gpus.isEmpty && plan.unplaced.isEmpty && plan.status != .infeasible)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
  }
}
