import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct PlanInForceTests {
  private static var product: GPUProduct { get throws { try #require(ProductCatalogue.product(named: "A100-80GB")) } }

  /// Nodes of one GPU each.
  private static func fleet(_ names: String...) throws -> FleetInventory {
    FleetInventory(try names.map { FleetSamples.record($0, try FleetSamples.state($0, gpus: 1), zone: "z") })
  }

  /// A plan of (segment, driver profile id, start) for each node's GPU.
  private static func plan(_ gpus: (String, [(String, Int, Int)])...) throws -> Plan {
    let product = try product
    let planned = try gpus.map { node, segments in
      PlannedGPU(
        pool: "A100-80GB@z", product: product, node: node, uuid: FleetSamples.uuid(node, 0),
        segments: try segments.map { id, profile, start in
          let parts = id.split(separator: "/")
          return Segment(
            workload: String(parts[0]), ordinal: try #require(Int(parts[1])), model: "m",
            profile: try #require(product.profileIndex(driverID: profile)), start: start, batch: 2, processes: 1,
            capacity: 10, load: 5, latencyMs: 3)
        })
    }
    return Plan(
      planner: "test", admission: "half-slo", status: .feasible, gpus: planned, unplaced: [],
      summary: PlanSummary(
        gpuCount: planned.count, allocatedSlices: 0, externalFragmentation: 0, internalSlack: 0,
        profileSource: .measured))
  }

  /// What a node has that was told its part of a plan.
  private static func standing(_ plan: Plan) -> [String: [WantedGPU]] {
    NodeAssignments(plan, nodes: [], workloads: RegistrationTable()).gpus
  }

  @Test func aPlanThatStandsEverywhereIsInForceAsItIs() throws {
    let plan = try Self.plan(("a", [("v/0", 9, 0), ("w/0", 9, 4)]), ("b", [("w/1", 0, 0)]))
    #expect(
      PlanInForce.plan(standing: Self.standing(plan), on: try Self.fleet("a", "b"), published: plan) == plan)
  }

  @Test("F10: what stands is in force, not what was published and never applied")
  func standingComesBeforePublished() throws {
    let stands = try Self.plan(("a", [("w/0", 9, 0)]), ("b", []))
    let published = try Self.plan(("b", [("w/0", 9, 4)]))
    var standing = Self.standing(stands)
    standing["b"] = []
    let inForce = PlanInForce.plan(standing: standing, on: try Self.fleet("a", "b"), published: published)
    #expect(inForce?.gpus.map(\.node) == ["a"])
    #expect(inForce?.gpus.first?.segments.map(\.start) == [0])
  }

  @Test("without nodes a plan is in force as it is on nodes that it says nothing of")
  func whereThereAreNoNodesThePublishedPlanIsInForce() throws {
    for seed in 0..<5 {
      let input = RandomDemand.input(seed: UInt64(seed), products: [try Self.product], models: 4, workloads: 20)
      var published = OptimalPlanner().plan(input)
      try #require(published.gpus.count > 2)
      published.gpus[1].segments = []
      let none = PlanInForce.plan(standing: [:], on: FleetInventory([]), published: published)
      #expect(none?.gpus.count == published.gpus.count - 1)
      #expect(none == PlanInForce.plan(standing: [:], on: try Self.fleet("a"), published: published))
    }
  }

  @Test func whereNothingIsKnownThePublishedPlanIsInForce() throws {
    let published = try Self.plan(("a", [("w/0", 9, 0)]), ("b", [("v/0", 9, 4)]))
    #expect(PlanInForce.plan(standing: [:], on: try Self.fleet("a", "b"), published: published) == published)
    #expect(PlanInForce.plan(standing: [:], on: try Self.fleet("a", "b"), published: nil) == nil)
  }

  @Test func aSegmentThatStandsNowhereKeepsItsPlannedPlaceWhereNothingIsInTheWay() throws {
    let stands = try Self.plan(("a", [("v/0", 9, 0)]))
    var standing = Self.standing(stands)
    standing["b"] = []
    let free = try Self.plan(("a", [("v/0", 9, 0), ("w/0", 9, 4)]))
    #expect(PlanInForce.plan(standing: standing, on: try Self.fleet("a", "b"), published: free) == free)
    let taken = try Self.plan(("a", [("w/0", 9, 0)]), ("b", [("x/0", 9, 4)]))
    let inForce = PlanInForce.plan(standing: standing, on: try Self.fleet("a", "b"), published: taken)
    #expect(inForce?.gpus.map { $0.segments.map(\.id) } == [["v/0"], ["x/0"]])
  }

  @Test("F10: what was published for a workload that stands, and never applied, is not in force")
  func moreOfWhatStandsIsNotInForce() throws {
    let stands = try Self.plan(("a", [("w/0", 9, 0)]))
    let published = try Self.plan(("a", [("w/0", 9, 0), ("w/1", 9, 4)]))
    let inForce = PlanInForce.plan(
      standing: Self.standing(stands), on: try Self.fleet("a"), published: published)
    #expect(inForce?.gpus.map { $0.segments.map(\.id) } == [["w/0"]])
  }

  @Test func withoutAPlanWhatStandsIsInForceAlone() throws {
    let stands = try Self.plan(("a", [("v/0", 9, 0)]))
    let inForce = PlanInForce.plan(standing: Self.standing(stands), on: try Self.fleet("a"), published: nil)
    #expect(inForce?.gpus.first?.segments.map(\.id) == ["v/0"])
    #expect(inForce?.gpus.first?.pool == "A100-80GB@z")
  }

  @Test func aNodeThatMovedToAnotherZoneTakesItsGPUsAlong() throws {
    let stands = try Self.plan(("a", [("v/0", 9, 0)]))
    let moved = FleetInventory([FleetSamples.record("a", try FleetSamples.state("a", gpus: 1), zone: "y")])
    let inForce = PlanInForce.plan(standing: Self.standing(stands), on: moved, published: stands)
    #expect(inForce?.gpus.map(\.pool) == ["A100-80GB@y"])
  }
}
