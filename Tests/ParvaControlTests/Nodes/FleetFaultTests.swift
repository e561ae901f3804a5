import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

/// Random faults of a fleet with several zones.
@Suite struct FleetFaultTests {
  private static func workloads(_ random: inout SeededGenerator) -> [Workload] {
    (0..<6).map { number in
      Samples.workload(
        "w\(number)", model: ["resnet50", "bert", "densenet121"][number % 3],
        rate: Double(Int.random(in: 20...900, using: &random)))
    }
  }

  @Test(
    "F7: no instance is destroyed for a silence shorter than the grace, nor while most nodes are silent",
    arguments: 0..<4)
  func shortSilencesDestroyNothing(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    var world = try FleetWorld(nodes: 8, gpus: 3, workloads: Self.workloads(&random), grace: .seconds(20))
    try world.plan()
    #expect(world.published?.unplaced.isEmpty == true, "seed \(seed)")
    _ = try world.apply()
    var silentUntil: [String: Int] = [:]
    for second in 0..<240 {
      // A node is back for two heartbeats at least before it falls silent again.
      if Int.random(in: 0..<6, using: &random) == 0, let name = world.names.randomElement(using: &random),
        silentUntil[name, default: 0] + 3 <= second
      {
        silentUntil[name] = second + Int.random(in: 1...18, using: &random)
      }
      if second % 80 == 40 {
        // The controller is cut off from all, for longer than the grace, and they come back one a second.
        for (index, name) in world.names.shuffled(using: &random).enumerated() {
          silentUntil[name] = second + 30 + index
        }
      }
      world.silent = Set(silentUntil.filter { $0.value > second }.keys)
      world.tick()
      if world.isPlanningDue || Int.random(in: 0..<8, using: &random) == 0 { try world.plan() }
      #expect(try world.apply() == [], "seed \(seed), second \(second)")
    }
  }

  @Test(
    "F10: what was planned while nodes were lost and never applied destroys nothing once they are back",
    arguments: 0..<4)
  func plansThatWereNeverAppliedDestroyNothing(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    var world = try FleetWorld(nodes: 7, gpus: 3, workloads: Self.workloads(&random), grace: .seconds(5))
    try world.plan()
    _ = try world.apply()
    for round in 0..<6 {
      world.silent = Set(world.names.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)))
      for _ in 0..<12 {
        world.tick()
        if world.isPlanningDue { try world.plan() }
      }
      let lost = world.published?.gpus.compactMap(\.node).filter(world.silent.contains) ?? []
      #expect(lost.isEmpty, "seed \(seed), round \(round): the plan counts on lost nodes")
      world.silent = []
      for _ in 0..<3 { world.tick() }
      try world.plan()
      #expect(try world.apply() == [], "seed \(seed), round \(round)")
    }
  }

  @Test(
    "F7: nothing new is planned on a node that is silent, and what found no room for that does once it is back",
    arguments: 0..<6)
  func nothingNewComesToSilentNodes(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    let base = Self.workloads(&random)
    var world = try FleetWorld(nodes: 6, gpus: 1, workloads: base, grace: .seconds(30))
    try world.plan()
    _ = try world.apply()
    for second in 0..<90 {
      if second % 15 == 0 {
        world.silent = Set(world.names.shuffled(using: &random).prefix(Int.random(in: 0...3, using: &random)))
      }
      world.tick()
      if Int.random(in: 0..<5, using: &random) == 0 {
        world.demand.revision += 1
        world.demand.registrations = RegistrationTable(
          base.map { workload in
            var workload = workload
            workload.rate *= Double.random(in: 0.3...4, using: &random)
            return Samples.registration(workload)
          })
        try world.plan()
      } else if world.isPlanningDue {
        try world.plan()
      }
      for gpu in world.published?.gpus ?? [] {
        guard let node = gpu.node, let record = world.fleet[node], record.isUnreachable, world.isFresh else { continue }
        let there = world.running[node]?.first { $0.uuid == gpu.uuid }?.instances ?? []
        for segment in gpu.segments {
          let id = gpu.product.profiles[segment.profile].driverProfileID
          let place = InstancePlace(profileID: id, start: segment.start)
          #expect(
            there.contains { $0.place == place && $0.workload == segment.workload },
            "seed \(seed), second \(second): \(segment.id) is new on \(node)")
        }
      }
      _ = try world.apply()
    }
    world.silent = []
    for _ in 0..<3 {
      world.tick()
      if world.isPlanningDue { try world.plan() }
    }
    let fresh = world.setup.job(for: world.demand, on: world.fleet.snapshot().inventory, replacing: nil)
    let lacking = try PlanningDuty.perform(fresh).unplaced.map(\.workload)
    #expect(world.published?.unplaced.map(\.workload) == lacking, "seed \(seed)")
  }
}
