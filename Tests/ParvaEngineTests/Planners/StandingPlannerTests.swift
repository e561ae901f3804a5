import ParvaEngine
import ParvaTestSupport
import Testing

@Suite struct StandingPlannerTests {
  @Test("P1: of the plan in force exactly what still serves is kept, and nothing moves", arguments: 0..<40)
  func keepsWhatServes(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(seed: seed, products: [product, product], models: 4, workloads: 20, stock: 12)
    let inForce = OptimalPlanner().plan(input)
    input.current = inForce
    #expect(StandingPlanner().plan(input) == inForce, "seed \(seed)")
    let refused = Set(inForce.unplaced.map(\.workload))
    var untouched: Set<String> = []
    for index in input.workloads.indices {
      switch Int.random(in: 0..<6, using: &random) {
      case 0: input.workloads[index].rate *= 50
      case 1: input.workloads[index].rate *= 0.5
      case 2: input.workloads[index].sloLatencyMs /= 10
      case 3:
        input.workloads[index].rate *= 50
        input.workloads[index].allowsPartial = true
      default:
        if !refused.contains(input.workloads[index].id) { untouched.insert(input.workloads[index].id) }
      }
    }
    let gone = input.workloads.remove(at: Int.random(in: 0..<20, using: &random)).id
    untouched.remove(gone)
    input.workloads.append(Workload(id: "zz-new", model: "m0", rate: 1, sloLatencyMs: 1000))
    let plan = StandingPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
    let places = Set(inForce.gpus.enumerated().flatMap { _, gpu in gpu.segments.map(place) })
    #expect(plan.gpus.allSatisfy { $0.segments.allSatisfy { places.contains(place($0)) } }, "seed \(seed)")
    let served = Set(plan.gpus.flatMap { $0.segments.map(\.workload) })
    #expect(untouched.isSubset(of: served), "seed \(seed)")
    #expect(plan.unplaced.contains { $0.workload == "zz-new" && $0.code == .notPlanned })
    let before = ServedDemand(by: inForce, of: input.workloads)
    #expect(!(before < ServedDemand(by: plan, of: input.workloads)), "seed \(seed)")
  }

  private func place(_ segment: Segment) -> String {
    "\(segment.id) \(segment.profile) \(segment.start) \(segment.batch) \(segment.processes) \(segment.capacity)"
  }

  @Test("P1: GPUs that a pool no longer has are given up, those of no real GPU first")
  func givesUpGPUs() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(seed: 3, products: [product], models: 4, workloads: 30)
    var inForce = OptimalPlanner().plan(input)
    try #require(inForce.gpus.count >= 3)
    for gpu in inForce.gpus.indices where gpu != 1 { inForce.gpus[gpu].uuid = "GPU-\(gpu)" }
    input.current = inForce
    input.pools[0].count = inForce.gpus.count - 1
    let plan = StandingPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(!plan.gpus.isEmpty && plan.gpus.allSatisfy { $0.uuid != nil })
  }

  @Test func withoutAPlanInForceNobodyIsServed() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = RandomDemand.input(seed: 3, products: [product], models: 2, workloads: 3)
    let plan = StandingPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.unplaced.count == 3 && !ServedDemand(by: plan, of: input.workloads).isAny)
  }

  @Test("P2: what is served compares by priority, then by number, then by shares")
  func served() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let workloads = ["a": 1, "b": 0, "c": 0].sorted { $0.key < $1.key }.map {
      Workload(id: $0.key, model: "m", rate: 10, sloLatencyMs: 100, priority: $0.value, allowsPartial: true)
    }
    func plan(_ whole: [String], part: [String: Double] = [:]) -> ServedDemand {
      let segments = (whole + part.keys.sorted()).enumerated().map { index, id in
        Segment(
          workload: id, ordinal: 0, model: "m", profile: 0, start: index, batch: 1, processes: 1, capacity: 10,
          load: 10,
          latencyMs: 1)
      }
      return ServedDemand(
        by: Plan(
          planner: "", admission: "", status: .feasible,
          gpus: [PlannedGPU(pool: "p", product: product, segments: segments)], unplaced: [],
          partial: part.map {
            PartialService(workload: $0.key, demanded: 10, served: $0.value, code: .noStock, message: "")
          },
          summary: PlanSummary(
            gpuCount: 1, allocatedSlices: 1, externalFragmentation: 0, internalSlack: 0, profileSource: .measured)),
        of: workloads)
    }
    let ascending = [
      plan([]), plan([], part: ["b": 2]), plan([], part: ["b": 3]), plan(["b"]), plan(["b"], part: ["c": 1]),
      plan(["b", "c"]), plan(["b", "c"], part: ["a": 1]), plan(["a"]), plan(["a", "b"]), plan(["a", "b", "c"]),
    ]
    for (index, less) in ascending.enumerated() {
      for more in ascending[(index + 1)...] { #expect(less < more && !(more < less)) }
      #expect(!(less < less) && less.isComplete == (index == ascending.count - 1))
    }
  }
}
