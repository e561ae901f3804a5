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
}
