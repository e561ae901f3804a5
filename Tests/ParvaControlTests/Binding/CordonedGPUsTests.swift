import ParvaControlTestSupport
import ParvaEngine
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct CordonedGPUsTests {
  /// Two nodes; the one that holds the workload is cordoned.
  private static func world() throws -> (world: FleetWorld, holder: String) {
    var world = try FleetWorld(
      nodes: 2, gpus: 1, workloads: [Samples.workload("w", rate: 300)], grace: .seconds(60))
    try world.plan()
    _ = try world.apply()
    world.tick()
    let holder = try #require(world.published?.gpus.first?.node)
    var record = try #require(world.fleet[holder])
    record.duty = .cordoned
    world.fleet.declare(record, at: world.now)
    return (world, holder)
  }

  private static func replan(_ world: inout FleetWorld, _ change: (inout Workload) -> Void) throws -> Plan {
    var workload = try #require(world.demand.registrations["w"]?.workload)
    change(&workload)
    world.demand.revision += 1
    world.demand.registrations = RegistrationTable([Samples.registration(workload)])
    try world.plan()
    return try #require(world.published)
  }

  @Test("what stands on a cordoned node stays while it keeps the objective")
  func whatIsWellStays() throws {
    var (world, holder) = try Self.world()
    let plan = try Self.replan(&world) { $0.rate = 310 }
    #expect(plan.gpus.contains { $0.node == holder && !$0.segments.isEmpty })
    #expect(plan.unplaced.isEmpty)
  }

  @Test("what does not keep a tighter objective goes from a cordoned node, and comes elsewhere as it has to be")
  func whatMissesTheObjectiveGoes() throws {
    var (world, holder) = try Self.world()
    let before = try #require(world.published?.gpus.lazy.flatMap(\.segments).map(\.latencyMs).max())
    // No batch of what stands there is quick enough by the rule of the half objective.
    let plan = try Self.replan(&world) { $0.sloLatencyMs = before * 2 }
    #expect(plan.unplaced.isEmpty && plan.partial.isEmpty)
    let segments = plan.gpus.flatMap(\.segments)
    #expect(segments.allSatisfy { $0.latencyMs < 0.45 * before * 2 })
    #expect(segments.reduce(0) { $0 + $1.load } >= 300 * (1 - 1e-9))
    let kept = plan.gpus.filter { $0.node == holder }.flatMap(\.segments)
    #expect(kept.count < (world.running[holder] ?? []).reduce(0) { $0 + $1.instances.count })
  }

  @Test("another profile of the model is judged, too")
  func anotherProfile() throws {
    var (world, holder) = try Self.world()
    let slow = ModelProfile(
      model: "resnet50", product: "A100-80GB", source: .measured,
      points: [ProfilePoint(profile: 0, batch: 1, processes: 1, throughput: 50, latencyMs: 20)])
    world.demand.profiles[ProfileKey(model: "resnet50", product: "A100-80GB")] = StoredProfile(slow, revision: 2)
    let plan = try Self.replan(&world) { _ in }
    let claims = plan.gpus.flatMap(\.segments).filter { $0.batch != 1 || $0.processes != 1 || $0.capacity > 50 }
    #expect(claims.isEmpty, "\(claims) is more than the profile has, on \(holder) or beside it")
  }
}
