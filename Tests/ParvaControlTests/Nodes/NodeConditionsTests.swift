import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

/// What differs from what is wanted of a node, class by class, against what the controller itself knows and decides.
@Suite struct NodeConditionsTests {
  struct Drift: Sendable, CustomTestStringConvertible {
    enum Repair: Sendable {
      /// The node's own doing; the controller pushes and plans nothing.
      case agent
      /// The plan is pushed to the node again.
      case push
      /// Another plan, without the GPU.
      case plan
    }

    let testDescription: String
    let type: String
    let reason: String
    let repair: Repair
    let befall: @Sendable (inout NodeStateDocument) throws -> Void

    init(
      _ name: String, _ type: String, _ reason: String, _ repair: Repair,
      _ befall: @escaping @Sendable (inout NodeStateDocument) throws -> Void
    ) {
      (testDescription, self.type, self.reason, self.repair, self.befall) = (name, type, reason, repair, befall)
    }
  }

  /// Of the first instance that Parva made.
  private static func service(_ kind: String, _ status: String, _ state: NodeStateDocument) throws -> ServiceDocument {
    let owned = try #require(state.owned.first)
    return ServiceDocument(
      kind: kind, gpu: owned.gpu, profileId: owned.profileId, start: owned.start, uuid: "MIG-1", ordinal: 0,
      workload: "w", pid: nil, status: status, restarts: 8, message: "out of memory")
  }

  private static func index(_ state: NodeStateDocument) throws -> Int {
    let owned = try #require(state.owned.first)
    return try #require(state.observed.gpus.firstIndex { $0.uuid == owned.gpu })
  }

  static let drifts: [Drift] = [
    Drift("an instance is gone", "MatchesPlan", "instance_gone", .agent) { state in
      let gpu = try index(state)
      let owned = state.owned.removeFirst()
      state.observed.gpus[gpu].instances.removeAll { $0.id == owned.instance }
    },
    Drift("the node was rebooted", "MatchesPlan", "instance_gone", .agent) { state in
      state.owned = []
      for gpu in state.observed.gpus.indices { state.observed.gpus[gpu].instances = [] }
    },
    Drift("an MPS daemon is dead", "ServicesHealthy", "mps_down", .agent) { state in
      state.services = [try service("mps", "failed", state)]
    },
    Drift("a server does not come up", "ServicesHealthy", "server_starting", .agent) { state in
      state.services = [try service("server", "starting", state)]
    },
    Drift("a server crashes again and again", "ServicesHealthy", "server_down", .agent) { state in
      state.services = [try service("server", "failed", state)]
    },
    Drift("the node was wiped", "MatchesPlan", "records_gone", .push) { state in
      (state.verified, state.owned) = (nil, [])
      for gpu in state.observed.gpus.indices { state.observed.gpus[gpu].instances = [] }
    },
    Drift("the node went back to an older plan", "MatchesPlan", "other_revision", .push) { state in
      state.verified = VerifiedDocument(revision: 0)
    },
    Drift("a foreign instance stands on a GPU", "GPUsHealthy", "foreign_instances", .plan) { state in
      state.observed.gpus[try index(state)].instances.append(
        ObservedInstance(id: 99, profileID: 19, start: 6, size: 1))
    },
    Drift("a GPU is lost", "GPUsHealthy", "gpu_faulty", .plan) { state in
      state.observed.gpus[try index(state)].fault = "gpu_is_lost"
    },
    Drift("a GPU is not there any more", "GPUsHealthy", "gpu_missing", .plan) { state in
      state.observed.gpus.remove(at: try index(state))
    },
  ]

  private static func world() throws -> FleetWorld {
    let workloads = (0..<4).map { Samples.workload("w\($0)", rate: 300) }
    var world = try FleetWorld(nodes: 4, gpus: 3, workloads: workloads, grace: .seconds(20))
    try world.plan()
    try #require(world.published?.unplaced.isEmpty == true)
    _ = try world.apply()
    for _ in 0..<3 { world.tick() }
    return world
  }

  private static func row(_ world: FleetWorld, _ name: String, _ type: String) throws -> ConditionDocument {
    try #require(world.fleet.conditions(of: name).first { $0.type == type })
  }

  private static func capacity(_ world: FleetWorld) -> Double {
    (0..<4).reduce(0) { $0 + (world.fleet.running("w\($1)")?.capacity ?? 0) }
  }

  @Test("each class of drift has its condition, its reason and its repair", arguments: drifts)
  func drift(_ drift: Drift) throws {
    var world = try Self.world()
    let name = try #require(world.names.first { world.running[$0]?.isEmpty == false })
    let well = try #require(world.states[name])
    let gpu = try #require(well.owned.first?.gpu)
    for row in world.fleet.conditions(of: name) { #expect(row.status == .isTrue, "\(row)") }
    let (began, capacity) = (try Self.row(world, name, drift.type).since, Self.capacity(world))
    let reached = try Self.row(world, name, "Reachable")
    try world.befall(name, drift.befall)
    world.tick()
    let broken = try Self.row(world, name, drift.type)
    #expect((broken.status, broken.reason) == (.isFalse, drift.reason))
    #expect(broken.since == Timestamp.text(world.date) && broken.since != began)
    // What stands beside something foreign runs on until it has another place.
    if drift.reason != "foreign_instances" { #expect(Self.capacity(world) < capacity) }
    // It goes on, and began when it began.
    world.tick()
    #expect(try Self.row(world, name, drift.type) == broken)
    #expect(try Self.row(world, name, "Reachable") == reached)
    switch drift.repair {
    case .agent:
      #expect(!world.isPlanningDue)
      #expect(try world.apply() == [])
      #expect(world.fleet[name]?.expected == nil)
      world.befall(name) { $0 = well }
    case .push:
      #expect(!world.isPlanningDue)
      #expect(world.fleet[name]?.hasVerified(world.assignments.gpus[name] ?? []) == false)
      _ = try world.apply()
    case .plan:
      #expect(world.isPlanningDue)
      try world.plan()
      #expect(world.assignments.gpus[name]?.contains { $0.uuid == gpu } != true)
      _ = try world.apply()
    }
    world.tick()
    let mended = try Self.row(world, name, "MatchesPlan")
    #expect(mended.status == .isTrue, "\(mended)")
    for workload in world.demand.registrations.rows {
      #expect(world.fleet.running(workload.id)?.carries(workload.workload.rate) == true, "\(workload.id)")
    }
    if drift.repair != .plan {
      #expect(try Self.row(world, name, drift.type).since == Timestamp.text(world.date))
      #expect(try Self.row(world, name, "Ready").status == .isTrue)
    }
  }

  @Test("of a node that is silent nothing is known, and after the grace plans go on without it")
  func silence() throws {
    var world = try Self.world()
    let name = try #require(world.names.first { world.running[$0]?.isEmpty == false })
    world.silent = [name]
    for _ in 0..<5 { world.tick() }
    #expect(try Self.row(world, name, "Reachable").reason == "heartbeats_missed")
    for type in ["MatchesPlan", "GPUsHealthy", "ServicesHealthy"] {
      #expect(try Self.row(world, name, type).status == .unknown)
    }
    #expect(try Self.row(world, name, "Ready").status == .isFalse)
    for _ in 0..<25 { world.tick() }
    #expect(try Self.row(world, name, "Reachable").reason == "grace_over")
    try world.plan()
    #expect(world.assignments.gpus[name] == nil)
    world.silent = []
    for _ in 0..<3 { world.tick() }
    #expect(try Self.row(world, name, "Reachable").status == .isTrue)
  }

  @Test(
    "a cordoned node keeps what it has and gets nothing new; maintenance empties it and keeps it")
  func duties() throws {
    var world = try Self.world()
    let holder = try #require(world.names.first { world.running[$0]?.isEmpty == false })
    let empty = try #require(world.names.first { world.running[$0]?.isEmpty != false })
    func set(_ duty: NodeDuty, _ name: String) throws {
      var record = try #require(world.fleet[name])
      record.duty = duty
      world.fleet.declare(record, at: world.now)
      world.tick()
      try world.plan()
    }
    for name in [holder, empty] {
      try set(.cordoned, name)
      #expect(try world.apply() == [])
      #expect(try Self.row(world, name, "Schedulable").reason == "node_cordoned")
      #expect(NodeCondition(of: try #require(world.fleet[name])) == .cordoned)
    }
    let kept = world.running[holder]
    // More demand goes elsewhere.
    world.demand.registrations.apply(["more": Samples.registration(Samples.workload("more", rate: 300))])
    world.demand.revision += 1
    try world.plan()
    try #require(world.published?.unplaced.isEmpty == true)
    _ = try world.apply()
    #expect(world.running[empty]?.isEmpty == true)
    #expect(world.running[holder] == kept)
    try set(.maintenance, holder)
    _ = try world.apply()
    world.tick()
    #expect(world.running[holder]?.isEmpty == true)
    #expect(try Self.row(world, holder, "Schedulable").reason == "node_maintenance")
    #expect(try Self.row(world, holder, "MatchesPlan").status == .isTrue)
    #expect(world.fleet.node(holder)?.gpus.allSatisfy { $0.exclusion == .nodeMaintenance } == true)
    try set(.inService, holder)
    #expect(try Self.row(world, holder, "Schedulable").status == .isTrue)
  }

  @Test(
    "whatever becomes of the demand, nothing new comes to a cordoned node, and what is asked for stays",
    arguments: 0..<8)
  func cordonsHold(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    var world = try Self.world()
    for round in 0..<12 {
      let comment = Comment(rawValue: "seed \(seed), round \(round)")
      let name = try #require(world.names.randomElement(using: &random))
      var record = try #require(world.fleet[name])
      record.duty = Int.random(in: 0..<3, using: &random) == 0 ? .inService : .cordoned
      world.fleet.declare(record, at: world.now)
      let before = world.running
      for workload in 0..<5 where Bool.random(using: &random) {
        let id = "w\(workload)"
        let isGone = Int.random(in: 0..<5, using: &random) == 0
        let rate = Double(Int.random(in: 10...2500, using: &random))
        world.demand.registrations.apply([
          id: isGone ? nil : Samples.registration(Samples.workload(id, rate: rate))
        ])
      }
      world.demand.revision += 1
      try world.plan()
      let plan = try #require(world.published)
      let names = plan.gpus.flatMap(\.segments).map(\.id)
      #expect(Set(names).count == names.count, comment)
      let unserved = Set(plan.unplaced.map(\.workload) + plan.partial.map(\.workload))
      for row in world.demand.registrations.rows where !unserved.contains(row.id) {
        let segments = plan.gpus.flatMap(\.segments).filter { $0.workload == row.id }
        let load = segments.reduce(0) { $0 + $1.load }
        #expect(abs(load - row.workload.rate) < row.workload.rate * 1e-6, comment)
        #expect(segments.allSatisfy { $0.load <= $0.capacity * (1 + 1e-9) }, comment)
      }
      _ = try world.apply()
      world.tick()
      for name in world.names where world.fleet[name]?.duty == .cordoned {
        let asked = before[name, default: []].flatMap { gpu in
          gpu.instances.filter { world.demand.registrations[$0.workload ?? ""] != nil }
            .map { "\(gpu.uuid) \($0.place) \($0.segment ?? "")" }
        }
        let now = world.running[name, default: []].flatMap { gpu in
          gpu.instances.map { "\(gpu.uuid) \($0.place) \($0.segment ?? "")" }
        }
        #expect(Set(now) == Set(asked), comment)
      }
    }
  }

  @Test(
    "conditions are what the record says, whatever came before, and begin when their status changed", arguments: 0..<8)
  func conditionsAreLevels(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    var world = try Self.world()
    var known: [String: [String: ConditionDocument]] = [:]
    for step in 0..<120 {
      let comment = Comment(rawValue: "seed \(seed), step \(step)")
      let name = try #require(world.names.randomElement(using: &random))
      switch Int.random(in: 0..<8, using: &random) {
      case 0: world.silent.formSymmetricDifference([name])
      case 1: try world.plan()
      case 2: _ = try world.apply()
      case 3:
        var record = try #require(world.fleet[name])
        record.duty = try #require(NodeDuty.allCases.randomElement(using: &random))
        world.fleet.declare(record, at: world.now)
      case 4:
        let revision = Int.random(in: 1...5, using: &random)
        world.fleet.expect(NodeAssignment(revision: revision, gpus: []), on: name)
        if Bool.random(using: &random) { world.fleet.gaveUp(revision, on: name, mayCome: Bool.random(using: &random)) }
      default:
        let drift = try #require(Self.drifts.randomElement(using: &random))
        try? world.befall(name) { state in
          // A drift before it may have taken the GPU away.
          guard let owned = state.owned.first, state.observed.gpus.contains(where: { $0.uuid == owned.gpu }) else {
            return
          }
          try drift.befall(&state)
        }
      }
      world.tick()
      for name in world.names {
        let (record, gpus, rows) = try #require(world.fleet.node(name))
        let fresh = record.conditions(
          usable: gpus.count { $0.exclusion == nil }, plan: world.assignments.planned(revision: world.revision))
        #expect(
          rows.map { [$0.type, $0.status.rawValue, $0.reason, $0.message] }
            == fresh.map { [$0.type, $0.status.rawValue, $0.reason, $0.message] }, comment)
        for row in rows {
          if let before = known[name]?[row.type] {
            #expect(row.since == (before.status == row.status ? before.since : Timestamp.text(world.date)), comment)
          }
          known[name, default: [:]][row.type] = row
        }
      }
    }
  }
}
