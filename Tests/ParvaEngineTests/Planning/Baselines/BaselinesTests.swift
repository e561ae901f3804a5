import ParvaEngine
import ParvaTestSupport
import Testing

/// What sets each baseline apart; what they owe like every planner is in ``PlannerContractTests``.
@Suite struct BaselinesTests {
  private func input(_ seed: Int, maxProcesses: Int = 3) throws -> PlanningInput {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    return RandomDemand.input(
      seed: UInt64(seed), products: [product], models: 6, workloads: 25,
      options: PlanningOptions(admission: .halfSLO, maxProcesses: maxProcesses))
  }

  @Test("whole-gpu gives every segment a GPU of its own, uncut", arguments: 0..<10)
  func wholeGPU(_ seed: Int) throws {
    let plan = WholeGPUPlanner().plan(try input(seed))
    #expect(!plan.gpus.isEmpty)
    for gpu in plan.gpus {
      #expect(gpu.segments.map { gpu.product.profiles[$0.profile].computeSlices } == [gpu.product.computeSlices])
    }
    #expect(plan.summary.externalFragmentation == 0)
  }

  @Test("a model that runs on parts of a GPU only is refused by whole-gpu, with the way out")
  func wholeGPUWithoutPoint() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let point = ProfilePoint(profile: 0, batch: 1, processes: 1, throughput: 10, latencyMs: 1)
    let input = PlanningInput(
      workloads: [Workload(id: "w", model: "m", rate: 3, sloLatencyMs: 10)], pools: [Pool(product: product)],
      profiles: ProfileCatalogue([
        ModelProfile(model: "m", product: product.name, source: .measured, points: [point])
      ]), options: PlanningOptions(admission: .halfSLO))
    let plan = WholeGPUPlanner().plan(input)
    #expect(plan.unplaced.map(\.code) == [.noProfile])
    #expect(plan.unplaced.first?.message.contains("whole A100-80GB") == true)
    #expect(OptimalPlanner().plan(input).unplaced.isEmpty)
  }

  @Test("mig-only runs one process an instance and is the heuristic with one process", arguments: 0..<10)
  func migOnly(_ seed: Int) throws {
    let plan = MIGOnlyPlanner().plan(try input(seed))
    #expect(plan.gpus.flatMap(\.segments).allSatisfy { $0.processes == 1 })
    #expect(plan.gpus == ParvaGPUPlanner().plan(try input(seed, maxProcesses: 1)).gpus)
  }

  @Test("first-fit uses the heuristic's segments and leaves no room that a later segment could have taken first")
  func firstFit() throws {
    var worse = 0
    for seed in 0..<20 {
      var input = try input(seed)
      input.options.allocationOptimization = false
      let plan = FirstFitPlanner().plan(input)
      let other = ParvaGPUPlanner().plan(input)
      func kinds(_ plan: Plan) -> [String] {
        plan.gpus.flatMap(\.segments).map { "\($0.workload) \($0.profile) \($0.batch) \($0.processes)" }.sorted()
      }
      #expect(kinds(plan) == kinds(other), "seed \(seed)")
      worse += plan.summary.gpuCount - other.summary.gpuCount
      for (index, gpu) in plan.gpus.enumerated() {
        let order = gpu.segments.map(\.workload).max() ?? ""
        for later in plan.gpus[(index + 1)...].flatMap(\.segments) where later.workload > order {
          let profile = gpu.product.profiles[later.profile]
          let taken = gpu.segments.reduce(UInt64(0)) { $0 | gpu.product.profiles[$1.profile].mask(at: $1.start) }
          let slices = gpu.segments.reduce(0) { $0 + gpu.product.profiles[$1.profile].computeSlices }
          #expect(
            slices + profile.computeSlices > gpu.product.computeSlices
              || profile.starts.allSatisfy { profile.mask(at: $0) & taken != 0 }, "seed \(seed), GPU \(index)")
        }
      }
    }
    #expect(worse > 0)
  }

  private static let baselines = Planners.all.filter { $0.name != OptimalPlanner().name }

  @Test("P1: a stock that is split into zones is used like the whole", arguments: baselines.map(\.name))
  func zones(_ name: String) throws {
    let planner = try #require(Planners.named(name))
    var split = 0
    for seed in 0..<10 {
      var input = try input(seed)
      let whole = planner.plan(input)
      let product = input.pools[0].product
      input.pools = (0..<whole.gpus.count).map { Pool(name: "zone-\($0)", product: product, count: 1) }
      let plan = planner.plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan.unplaced == whole.unplaced, "seed \(seed)")
      #expect(plan.gpus.map(\.segments) == whole.gpus.map(\.segments), "seed \(seed)")
      split = max(split, Set(plan.gpus.map(\.pool)).count)
    }
    #expect(split > 1)
  }

  @Test("P1: what a pool has no room for goes to the next one", arguments: baselines.map(\.name))
  func pools(_ name: String) throws {
    let planner = try #require(Planners.named(name))
    let products = try ["A100-80GB", "A30-24GB", "H200-141GB"].map {
      try #require(ProductCatalogue.product(named: $0))
    }
    var used: Set<Int> = []
    var refused = 0
    for seed in UInt64(0)..<40 {
      var random = SeededGenerator(seed: seed)
      var input = RandomDemand.input(seed: seed, products: products, models: 5, workloads: 15)
      for index in input.pools.indices { input.pools[index].count = Int.random(in: 0...4, using: &random) }
      for index in input.workloads.indices where index % 5 == 0 {
        input.workloads[index].constraints.pools = ["pool-\(Int.random(in: 0...2, using: &random))"]
      }
      let plan = planner.plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan == planner.plan(input), "seed \(seed)")
      used.insert(Set(plan.gpus.map(\.pool)).count)
      refused += plan.unplaced.count
      var first = input
      first.pools = [input.pools[0]]
      let served = ServedDemand(by: plan, of: input.workloads)
      #expect(served >= ServedDemand(by: planner.plan(first), of: input.workloads), "seed \(seed)")
    }
    #expect(used.contains(3) && refused > 0)
  }
}
