import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct PlanBindingTests {
  private static var product: GPUProduct { get throws { try #require(ProductCatalogue.product(named: "A100-80GB")) } }

  /// A plan of one pool from (workload, driver profile id, start) for each GPU.
  private static func plan(_ gpus: [[(String, Int, Int)]]) throws -> Plan {
    let product = try product
    var ordinals: [String: Int] = [:]
    let planned = try gpus.map { segments in
      PlannedGPU(
        pool: "p", product: product,
        segments: try segments.map { workload, profile, start in
          let ordinal = ordinals[workload, default: 0]
          ordinals[workload] = ordinal + 1
          return Segment(
            workload: workload, ordinal: ordinal, model: "m",
            profile: try #require(product.profileIndex(driverID: profile)),
            start: start, batch: 1, processes: 1, capacity: 1, load: 1, latencyMs: 1)
        })
    }
    return Plan(
      planner: "test", admission: "half-slo", status: .feasible, gpus: planned, unplaced: [],
      summary: PlanSummary(
        gpuCount: planned.count, allocatedSlices: 0, externalFragmentation: 0, internalSlack: 0,
        profileSource: .measured))
  }

  private static func fleet(_ holds: [[(Int, Int)]]) throws -> [FleetGPU] {
    let product = try product
    return holds.enumerated().map { index, places in
      FleetGPU(
        node: "n\(index / 8)", index: index, uuid: "U\(index)", product: product, pool: "p",
        holds: Set(places.map { InstancePlace(profileID: $0.0, start: $0.1) }))
    }
  }

  private static func uuids(_ plan: Plan) -> [String?] { plan.gpus.map(\.uuid) }

  @Test func emptyGPUsAreTakenInOrder() throws {
    let bound = PlanBinding.bind(
      try Self.plan([[("a", 9, 0)], [("b", 0, 0)]]), to: try Self.fleet([[], [], []]), previous: nil)
    #expect(Self.uuids(bound) == ["U0", "U1"])
    #expect(bound.gpus.map(\.node) == ["n0", "n0"])
  }

  @Test func aNodeThatTheSpreadNeedsIsKept() throws {
    var plan = try Self.plan([[("a", 9, 0)], [("a", 9, 0)], [("b", 0, 0)]])
    plan.gpus[0].node = "n1"
    plan.gpus[1].node = "n0"
    plan.gpus[2].node = "n0"
    let spread = Workload(
      id: "a", model: "m", rate: 1, sloLatencyMs: 1,
      constraints: Constraints(spread: Spread(over: .node, atLeast: 2)))
    let fixed = PlanBinding.fixedGPUs(plan, [spread, Workload(id: "b", model: "m", rate: 1, sloLatencyMs: 1)])
    #expect(fixed == [0, 1])
    // On n0 stands what b wants, beside it what a had; both instances of a would be kept on n0.
    var holds: [[(Int, Int)]] = [[(9, 0)], [(9, 0)], [(0, 0)]]
    holds += [[(Int, Int)]](repeating: [], count: 6)
    let bound = PlanBinding.bind(plan, to: try Self.fleet(holds), previous: nil, keepingNodesOf: fixed)
    #expect(bound.gpus.map(\.node) == ["n1", "n0", "n0"])
    #expect(Set(Self.uuids(bound)).count == 3)
    #expect(bound.gpus[2].uuid == "U2")
    let free = PlanBinding.bind(plan, to: try Self.fleet(holds), previous: nil)
    #expect(free.gpus.map(\.node) == ["n0", "n0", "n0"], "without the spread what stands counts more")
  }

  @Test func whatStandsIsKept() throws {
    let bound = PlanBinding.bind(
      try Self.plan([[("a", 9, 0), ("b", 9, 4)], [("c", 0, 0)], [("d", 14, 0), ("e", 9, 4)]]),
      to: try Self.fleet([[], [(0, 0)], [(9, 4), (14, 0)], [(9, 0), (9, 4)]]), previous: nil)
    #expect(Self.uuids(bound) == ["U3", "U1", "U2"])
  }

  @Test func ofEqualGPUsASegmentKeepsItsOwn() throws {
    let first = PlanBinding.bind(
      try Self.plan([[("a", 0, 0)], [("b", 0, 0)], [("c", 0, 0)]]), to: try Self.fleet([[], [], []]), previous: nil)
    let second = PlanBinding.bind(
      try Self.plan([[("c", 0, 0)], [("b", 0, 0)]]), to: try Self.fleet([[(0, 0)], [(0, 0)], [(0, 0)]]),
      previous: first)
    #expect(Self.uuids(second) == ["U2", "U1"])
  }

  @Test func anUnchangedPlanKeepsItsBindingWhateverStands() throws {
    let plan = try Self.plan([[("a", 9, 0)], [("b", 0, 0)]])
    let first = PlanBinding.bind(plan, to: try Self.fleet([[], [], []]), previous: nil)
    // Half way through an apply of something else, another binding would keep more.
    let second = PlanBinding.bind(plan, to: try Self.fleet([[(0, 0)], [(9, 0)], []]), previous: first)
    #expect(second == first)
  }

  @Test func aLostGPUMovesOnlyWhatWasOnIt() throws {
    let plan = try Self.plan([[("a", 9, 0)], [("b", 0, 0)], [("c", 14, 2)]])
    let holds = [[(9, 0)], [(0, 0)], [(14, 2)], []]
    let first = PlanBinding.bind(plan, to: try Self.fleet(holds), previous: nil)
    var left = try Self.fleet(holds)
    left.remove(at: 1)
    let second = PlanBinding.bind(plan, to: left, previous: first)
    #expect(Self.uuids(second) == ["U0", "U3", "U2"])
  }

  @Test func aGPUThatAPlannerNamesIsTaken() throws {
    var plan = try Self.plan([[("a", 9, 0)], [("b", 0, 0)]])
    plan.gpus[0].uuid = "U2"
    #expect(Self.uuids(PlanBinding.bind(plan, to: try Self.fleet([[], [], []]), previous: nil)) == ["U2", "U0"])
    // One that is not there any more is another.
    plan.gpus[0].uuid = "gone"
    #expect(Self.uuids(PlanBinding.bind(plan, to: try Self.fleet([[], []]), previous: nil)) == ["U0", "U1"])
  }

  @Test func aNodeThatAPlannerHasChosenIsKeptTo() throws {
    var plan = try Self.plan([[("a", 9, 0)], [("a", 9, 0)], [("b", 0, 0)]])
    plan.gpus[0].node = "n1"
    plan.gpus[1].node = "n0"
    var fleet = try Self.fleet([[(9, 0)], [(9, 0)], [], []])
    for index in fleet.indices { fleet[index].node = "n\(index / 2)" }
    let bound = PlanBinding.bind(plan, to: fleet, previous: nil, keepingNodesOf: [0, 1])
    #expect(Self.uuids(bound) == ["U2", "U0", "U1"])
    #expect(bound.gpus.map(\.node) == ["n1", "n0", "n0"])
  }

  /// Instances kept, counted from scratch.
  private static func kept(_ plan: Plan, _ fleet: [FleetGPU]) -> Int {
    plan.gpus.reduce(0) { sum, gpu in
      let there = fleet.first { $0.uuid == gpu.uuid }?.holds ?? []
      let wanted = gpu.segments.map {
        InstancePlace(profileID: gpu.product.profiles[$0.profile].driverProfileID, start: $0.start)
      }
      return sum + wanted.count { there.contains($0) }
    }
  }

  /// The most that any binding keeps, by trying all.
  private static func most(_ plan: Plan, _ fleet: [FleetGPU], _ row: Int = 0, _ taken: Set<Int> = []) -> Int {
    guard row < plan.gpus.count else { return 0 }
    var best = 0
    for column in fleet.indices where !taken.contains(column) {
      var one = plan
      one.gpus = [plan.gpus[row]]
      one.gpus[0].uuid = fleet[column].uuid
      best = max(best, kept(one, fleet) + most(plan, fleet, row + 1, taken.union([column])))
    }
    return best
  }

  @Test func noBindingKeepsMore() throws {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    let layouts: [[(Int, Int)]] = [
      [(0, 0)], [(9, 0), (9, 4)], [(5, 0), (14, 4)], [(14, 0), (14, 2), (14, 4)], [(19, 0), (19, 1), (9, 4)], [(9, 4)],
      [],
    ]
    for round in 0..<150 {
      let rows = Int.random(in: 1...4, using: &random)
      let plan = try Self.plan(
        (0..<rows).map { row in
          (layouts.randomElement(using: &random) ?? []).enumerated().map { ("w\(row)-\($0)", $1.0, $1.1) }
        })
      let fleet = try Self.fleet(
        (0..<rows + Int.random(in: 0...2, using: &random)).map { _ in layouts.randomElement(using: &random) ?? [] })
      let bound = PlanBinding.bind(plan, to: fleet, previous: nil)
      let uuids = bound.gpus.compactMap(\.uuid)
      #expect(Set(uuids).count == rows, "seed \(seed), round \(round)")
      #expect(Self.kept(bound, fleet) == Self.most(plan, fleet), "seed \(seed), round \(round)")
    }
  }

  @Test func aLargePoolIsBoundWithEveryExactFitKept() throws {
    let layouts: [[(Int, Int)]] = [[(0, 0)], [(9, 0), (9, 4)], [(14, 0), (14, 2), (14, 4)]]
    let count = 3 * PlanBinding.exactSize
    let plan = try Self.plan(
      (0..<count).map { row in layouts[row % 3].enumerated().map { ("w\(row)-\($0)", $1.0, $1.1) } })
    let fleet = try Self.fleet((0..<count).map { layouts[($0 + 1) % 3] })
    let bound = PlanBinding.bind(plan, to: fleet, previous: nil)
    #expect(Set(Self.uuids(bound)).count == count)
    #expect(Self.kept(bound, fleet) == plan.gpus.reduce(0) { $0 + $1.segments.count })
  }
}
