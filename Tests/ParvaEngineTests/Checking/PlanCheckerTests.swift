import ParvaEngine
import ParvaTestSupport
import Testing

/// Every fault that can be put into a good plan must be found.
@Suite struct PlanCheckerTests {
  struct Fault: Sendable, CustomTestStringConvertible {
    var code: PlanViolation.Code
    var inject: @Sendable (inout Plan, inout PlanningInput) -> Void
    var testDescription: String { code.rawValue }

    static let all: [Fault] = [
      Fault(code: .unknownProfile) { plan, _ in plan.gpus[0].segments[0].profile = 99 },
      Fault(code: .illegalStart) { plan, _ in plan.gpus[0].segments[0].start = 7 },
      Fault(code: .overlap) { plan, _ in
        var twin = plan.gpus[0].segments[0]
        twin.ordinal = 77
        plan.gpus[0].segments.append(twin)
      },
      Fault(code: .tooManyInstances) { plan, _ in
        let first = plan.gpus[0].segments[0]
        plan.gpus[0].segments = [Segment](repeating: first, count: 9)
      },
      Fault(code: .tooManySlices) { plan, _ in
        let first = plan.gpus[0].segments[0]
        plan.gpus[0].segments = [Segment](repeating: first, count: 9)
      },
      Fault(code: .emptyGPU) { plan, _ in plan.gpus[0].segments = [] },
      Fault(code: .duplicateSegment) { plan, _ in plan.gpus.append(plan.gpus[0]) },
      Fault(code: .badFigure) { plan, _ in plan.gpus[0].segments[0].latencyMs = .nan },
      Fault(code: .badFigure) { plan, _ in plan.gpus[0].segments[0].processes = 0 },
      Fault(code: .overload) { plan, _ in plan.gpus[0].segments[0].load = plan.gpus[0].segments[0].capacity * 1.01 },
      Fault(code: .unknownPool) { plan, _ in plan.gpus[0].pool = "elsewhere" },
      Fault(code: .wrongProduct) { _, input in input.pools[0].product = ProductCatalogue.all[0] },
      Fault(code: .overStock) { _, input in input.pools[0].count = 0 },
      Fault(code: .unknownWorkload) { plan, _ in plan.gpus[0].segments[0].workload = "nobody" },
      Fault(code: .wrongModel) { plan, _ in plan.gpus[0].segments[0].model = "other" },
      Fault(code: .unknownPoint) { plan, _ in plan.gpus[0].segments[0].batch = 3 },
      Fault(code: .wrongLatency) { plan, _ in plan.gpus[0].segments[0].latencyMs *= 0.5 },
      Fault(code: .sloMissed) { _, input in
        for index in input.workloads.indices { input.workloads[index].sloLatencyMs = 0.5 }
      },
      Fault(code: .overCapacity) { plan, _ in plan.gpus[0].segments[0].capacity *= 1.01 },
      Fault(code: .tooManyProcesses) { _, input in input.options.maxProcesses = 0 },
      Fault(code: .notCovered) { _, input in
        for index in input.workloads.indices { input.workloads[index].rate *= 10 }
      },
      Fault(code: .notCovered) { plan, _ in plan.gpus.removeLast() },
      Fault(code: .loadMismatch) { plan, _ in plan.gpus[0].segments[0].load *= 0.9 },
      Fault(code: .unplacedAndPlaced) { plan, _ in
        plan.unplaced.append(
          Unserved(workload: plan.gpus[0].segments[0].workload, code: .noStock, message: "none left"))
      },
      Fault(code: .wrongStatus) { plan, _ in plan.status = .infeasible },
      Fault(code: .excludedPool) { _, input in
        for index in input.workloads.indices { input.workloads[index].constraints.excludeProducts = ["A100-80GB"] }
      },
      Fault(code: .excludedPool) { _, input in
        for index in input.workloads.indices { input.workloads[index].constraints.pools = ["elsewhere"] }
      },
      Fault(code: .notSpread) { _, input in
        for index in input.workloads.indices {
          input.workloads[index].constraints.spread = Spread(over: .gpu, atLeast: 60)
        }
      },
      Fault(code: .notSpread) { _, input in
        for index in input.workloads.indices {
          input.workloads[index].constraints.spread = Spread(over: .node, atLeast: 2)
        }
      },
      Fault(code: .notSurviving) { _, input in
        for index in input.workloads.indices {
          input.workloads[index].constraints.survive = Survival(over: .gpu, losses: 60)
        }
      },
      Fault(code: .wrongReplicas) { _, input in
        for index in input.workloads.indices {
          input.workloads[index].constraints.replicas = ReplicaLimits(least: 5000)
        }
      },
      Fault(code: .sharedGPU) { _, input in
        for index in input.workloads.indices {
          input.workloads[index].labels["id"] = "\(index)"
          input.workloads[index].constraints.exclusive = "id"
        }
      },
      // The same label, of a namespace each.
      Fault(code: .sharedGPU) { plan, input in
        var names: [String: String] = [:]
        for index in input.workloads.indices {
          let id = input.workloads[index].id
          names[id] = "n\(index):\(id)"
          input.workloads[index].id = "n\(index):\(id)"
          input.workloads[index].labels["team"] = "a"
          input.workloads[index].constraints.exclusive = "team"
        }
        for gpu in plan.gpus.indices {
          for index in plan.gpus[gpu].segments.indices {
            let id = plan.gpus[gpu].segments[index].workload
            plan.gpus[gpu].segments[index].workload = names[id] ?? id
          }
        }
      },
      Fault(code: .unknownNode) { plan, input in
        input.pools[0].nodes = [PoolNode(name: "a", count: 9)]
        plan.gpus[0].node = "b"
      },
      Fault(code: .overNode) { plan, input in
        input.pools[0].nodes = [PoolNode(name: "a", count: 0)]
        plan.gpus[0].node = "a"
      },
      Fault(code: .wrongPartial) { plan, input in
        let workload = input.workloads[0]
        plan.partial = [
          PartialService(
            workload: workload.id, demanded: workload.rate, served: workload.rate / 2, code: .noStock, message: "")
        ]
      },
      Fault(code: .wrongPartial) { plan, input in
        input.workloads[0].allowsPartial = true
        let workload = input.workloads[0]
        plan.partial = [
          PartialService(
            workload: workload.id, demanded: workload.rate, served: workload.rate, code: .noStock, message: "")
        ]
      },
      Fault(code: .wrongSummary) { plan, _ in plan.summary.gpuCount -= 1 },
      Fault(code: .wrongSummary) { plan, _ in plan.summary.internalSlack += 0.01 },
      Fault(code: .wrongSummary) { plan, _ in plan.summary.gap = 1 },
      Fault(code: .wrongSummary) { plan, _ in (plan.summary.lowerBound, plan.summary.gap) = (9, -1) },
      Fault(code: .wrongSummary) { plan, _ in
        plan.status = .optimal
        (plan.summary.lowerBound, plan.summary.gap) = (1, 1)
      },
      Fault(code: .wrongSummary) { plan, _ in plan.summary.sums["cost"] = 5 },
      Fault(code: .wrongSummary) { plan, input in
        input.pools[0].figures["watts"] = 400
        plan.summary.sums["watts"] = 400 * Double(plan.gpus.count) + 1
      },
      Fault(code: .duplicateGPU) { plan, _ in
        for index in plan.gpus.indices { plan.gpus[index].uuid = "GPU-1" }
      },
      Fault(code: .wrongSource) { plan, _ in
        plan.summary.profileSource = plan.summary.profileSource == .measured ? .modelled : .measured
      },
    ]
  }

  private func goodPlan() throws -> (Plan, PlanningInput) {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = RandomDemand.input(seed: 3, products: [product], models: 4, workloads: 8)
    return (ParvaGPUPlanner().plan(input), input)
  }

  @Test("finds an injected fault", arguments: Fault.all)
  func findsFault(_ fault: Fault) throws {
    var (plan, input) = try goodPlan()
    try #require(PlanChecker.violations(of: plan, against: input).isEmpty)
    fault.inject(&plan, &input)
    let found = PlanChecker.violations(of: plan, against: input)
    #expect(found.contains { $0.code == fault.code }, "found \(found.map(\.code))")
  }

  @Test("a fault is told with its place, wherever it is", arguments: 0..<8)
  func faultsHaveTheirPlaces(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    let (plan, input) = try goodPlan()
    let gpu = Int.random(in: plan.gpus.indices, using: &random)
    let index = Int.random(in: plan.gpus[gpu].segments.indices, using: &random)
    let segment = plan.gpus[gpu].segments[index]
    func places(_ code: PlanViolation.Code, _ change: (inout Segment) -> Void) -> [PlanViolation] {
      var changed = plan
      change(&changed.gpus[gpu].segments[index])
      return PlanChecker.violations(of: changed, against: input).filter { $0.code == code }
    }
    let over = places(.overCapacity) { $0.capacity *= 1.01 }
    #expect(over.map(\.gpu) == [gpu] && over.map(\.segment) == [segment.id], "seed \(seed)")
    #expect(over.map(\.workload) == [segment.workload], "seed \(seed)")
    let unasked = places(.unknownWorkload) { $0.workload = "nobody" }
    #expect(unasked.map(\.gpu) == [gpu] && unasked.map(\.segment) == ["nobody/\(segment.ordinal)"], "seed \(seed)")
    let light = places(.loadMismatch) { $0.load *= 0.9 }
    #expect(light.map(\.workload) == [segment.workload], "seed \(seed)")
  }

  @Test func segmentsOfOneNameAreFoundWhateverTheirNumbers() throws {
    let (plan, _) = try goodPlan()
    for ordinal in [0, 1, 63, 64, 1_000_000] {
      var twins = plan
      let last = try #require(plan.gpus.indices.last)
      for gpu in [0, last] {
        twins.gpus[gpu].segments[0].ordinal = ordinal + (gpu == 0 ? 0 : 1)
        twins.gpus[gpu].segments[0].workload = "twin"
      }
      #expect(!PlanChecker.violations(of: twins).contains { $0.code == .duplicateSegment })
      twins.gpus[last].segments[0].ordinal = ordinal
      let found = PlanChecker.violations(of: twins).filter { $0.code == .duplicateSegment }
      #expect(found.map(\.segment) == ["twin/\(ordinal)"] && found.map(\.gpu) == [last])
    }
  }

  @Test("each code is injected by some test")
  func allCodes() {
    // Found by whoever looks into what a plan claims, or requires more of it than to be valid.
    let beyondValidity: Set<PlanViolation.Code> = [
      .notOptimal, .unproven, .wrongClaim, .wrongRefusal, .requirementMissed,
    ]
    #expect(
      Set(Fault.all.map(\.code) + CertificateCheckerTests.Tampering.all.map(\.code))
        == Set(PlanViolation.Code.allCases).subtracting(beyondValidity))
  }
}
