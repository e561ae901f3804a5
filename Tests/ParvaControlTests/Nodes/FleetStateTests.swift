import Foundation
import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct FleetStateTests {
  private static let start = ContinuousClock.now

  private static func fleet(_ count: Int) throws -> FleetState {
    let nodes = try (0..<count).map { number in
      FleetSamples.record(
        "n\(number)", try FleetSamples.state("n\(number)", gpus: 2), zone: "zone-\(number % 3)")
    }
    return FleetState(nodes: nodes, settings: FleetState.Settings(), at: start)
  }

  /// Where the GPUs of the joined inventory lie in memory: another place where they were joined again.
  private static func place(_ fleet: inout FleetState) -> UInt {
    fleet.snapshot().inventory.gpus.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
  }

  @Test("F4: a heartbeat that changes nothing that plans look at leaves the joined inventory as it is")
  func equalHeartbeatsJoinNothing() throws {
    var fleet = try Self.fleet(12)
    // Held, so that its memory is not given to another.
    let held = fleet.snapshot()
    let place = Self.place(&fleet)
    var state = try FleetSamples.state("n3", gpus: 2)
    for second in 1...20 {
      let now = Self.start + .seconds(second)
      #expect(fleet.heard(state, from: "n3", digest: 7, at: now, date: Samples.time + Double(second)) == .ready)
      #expect(fleet.heardAgain(7, from: "n3", at: now, date: Samples.time + Double(second)) == .ready)
      #expect(fleet.heardAgain(8, from: "n3", at: now, date: Samples.time) == nil)
      #expect(fleet["n3"]?.heardAt == Samples.time + Double(second))
      #expect(Self.place(&fleet) == place)
    }
    #expect(fleet.generation == 0)
    // What plans look at does join anew, and only that.
    state.observed.gpus[0].fault = "gpu_is_lost"
    _ = fleet.heard(state, from: "n3", at: Self.start, date: Samples.time)
    #expect(Self.place(&fleet) != place)
    #expect(fleet.generation == 1)
    #expect(held.inventory.usable.count == 24)
  }

  @Test("what a node wrote before it ended its part does not make what runs there unknown; what it went back to does")
  func lateWordsAreNoNews() throws {
    let gpu = try FleetSamples.gpu("n0", 0, instances: [(profile: 0, start: 0)])
    let instance = WantedInstance(
      profileID: 0, start: 0, segment: "w/0", workload: "w", model: "resnet50", batch: 1, processes: 1, capacity: 100)
    func wanted(_ phase: Int) -> NodeAssignment {
      NodeAssignment(revision: 2, phase: phase, gpus: [WantedGPU(uuid: gpu.uuid, instances: [instance])])
    }
    func said(_ phase: Int, operation: String?) -> NodeStateDocument {
      var state = FleetSamples.state("n0", [gpu])
      state.verified = VerifiedDocument(AssignmentVersion(revision: 2, phase: phase))
      state.operation = operation
      return state
    }
    var fleet = FleetState(
      nodes: [FleetSamples.record("n0", FleetSamples.state("n0", [gpu]))], settings: FleetState.Settings(),
      at: Self.start)
    for phase in 0...1 {
      fleet.expect(wanted(phase), on: "n0")
      fleet.verified(wanted(phase), on: "n0")
      if phase == 0 { _ = fleet.heard(said(0, operation: nil), from: "n0", at: Self.start, date: Samples.time) }
    }
    #expect(fleet.running("w")?.capacity == 100)
    _ = fleet.heard(said(0, operation: "op"), from: "n0", at: Self.start, date: Samples.time)
    #expect(fleet.running("w")?.capacity == 100)
    #expect(fleet["n0"]?.isWordDue == true)
    _ = fleet.heard(said(1, operation: nil), from: "n0", at: Self.start, date: Samples.time)
    #expect(fleet.running("w")?.capacity == 100)
    // A node that was restored says so with every word.
    _ = fleet.heard(said(0, operation: nil), from: "n0", at: Self.start, date: Samples.time)
    #expect(fleet.running("w")?.capacity == 0)
  }

  @Test("a lost node gives way to one that reports its GPUs under another name")
  func lostNodesGiveWay() throws {
    var fleet = try Self.fleet(4)
    func usable(_ fleet: inout FleetState) -> [String] { fleet.snapshot().inventory.usable.map(\.node) }
    var heir = try FleetSamples.state("n0", gpus: 2)
    heir.name = "heir"
    fleet.declare(FleetSamples.record("heir", nil), at: Self.start)
    func beat(_ fleet: inout FleetState, _ seconds: Int, _ names: [String]) throws {
      for name in names {
        let state = name == "heir" ? heir : try FleetSamples.state(name, gpus: 2)
        _ = fleet.heard(state, from: name, at: Self.start + .seconds(seconds), date: Samples.time)
      }
      _ = fleet.check(at: Self.start + .seconds(seconds))
    }
    let others = ["n1", "n2", "n3"].flatMap { [$0, $0] }
    try beat(&fleet, 1, ["n0", "n1", "n2", "n3", "heir"])
    #expect(usable(&fleet) == others)
    for second in 2..<200 { try beat(&fleet, second, ["n1", "n2", "n3", "heir"]) }
    #expect(fleet["n0"]?.isLost == true)
    #expect(usable(&fleet) == ["heir", "heir"] + others)
    #expect(fleet.node("n0")?.gpus.map(\.exclusion) == [.nodeLost, .nodeLost])
    // What is joined step by step is what is joined at once.
    let joined = usable(&fleet)
    #expect(FleetInventory(fleet.snapshot().page(after: "", limit: .max)).usable.map(\.node) == joined)
    let generation = fleet.generation
    for second in 200..<230 { try beat(&fleet, second, ["n0", "n1", "n2", "n3", "heir"]) }
    #expect(usable(&fleet) == others)
    #expect(fleet.generation > generation)
    fleet.remove("n0")
    #expect(usable(&fleet) == ["heir", "heir"] + others)
  }

  @Test("what a node said of a revision stands when a push of the same revision ends, and goes with a newer one")
  func aPushKeepsWhatANodeSaidOfTheRevision() throws {
    var fleet = try Self.fleet(1)
    var state = try FleetSamples.state("n0", gpus: 2)
    state.verified = VerifiedDocument(revision: 3, degraded: "gpu_lost")
    _ = fleet.heard(state, from: "n0", at: Self.start, date: Samples.time)
    fleet.verified(NodeAssignment(revision: 3, gpus: []), on: "n0")
    #expect(fleet["n0"]?.state?.verified?.degraded == "gpu_lost")
    #expect(fleet["n0"]?.hasVerified([]) == false)
    fleet.verified(NodeAssignment(revision: 4, gpus: []), on: "n0")
    #expect(fleet["n0"]?.hasVerified([]) == true)
  }

  @Test("F9: what a push brought that was given up counts as soon as the node says that it stands")
  func aLateVerificationIsTakenUp() throws {
    var fleet = try Self.fleet(1)
    let wanted = NodeAssignment(
      revision: 5,
      gpus: [
        WantedGPU(
          uuid: FleetSamples.uuid("n0", 0),
          instances: [WantedInstance(profileID: 19, start: 0, segment: "w/0", workload: "w", capacity: 10)])
      ])
    fleet.expect(wanted, on: "n0")
    fleet.gaveUp(5, on: "n0", mayCome: true)
    #expect(fleet["n0"]?.hasVerified(wanted.gpus) == false)
    let state = FleetSamples.state("n0", [try FleetSamples.gpu("n0", 0, instances: [(19, 0)])], verified: 5)
    _ = fleet.heard(state, from: "n0", at: Self.start, date: Samples.time)
    #expect(fleet["n0"]?.hasVerified(wanted.gpus) == true)
    #expect(fleet["n0"]?.standing == wanted.gpus)
    #expect(fleet.running("w")?.capacity == 10)
  }

  @Test("what a node has verified is not what it has while something else is on its way there")
  func whatIsOnItsWayIsNotVerified() throws {
    var fleet = try Self.fleet(1)
    func wanted(_ revision: Int, _ start: Int) -> NodeAssignment {
      NodeAssignment(
        revision: revision,
        gpus: [
          WantedGPU(
            uuid: FleetSamples.uuid("n0", 0), instances: [WantedInstance(profileID: 19, start: start, workload: "w")])
        ])
    }
    fleet.verified(wanted(1, 0), on: "n0")
    #expect(fleet["n0"]?.hasVerified(wanted(1, 0).gpus) == true)
    // The same under another revision takes nothing away.
    fleet.expect(wanted(2, 0), on: "n0")
    #expect(fleet["n0"]?.hasVerified(wanted(1, 0).gpus) == true)
    fleet.expect(wanted(3, 1), on: "n0")
    #expect(fleet["n0"]?.hasVerified(wanted(1, 0).gpus) == false)
    #expect(fleet["n0"]?.hasVerified(wanted(3, 1).gpus) == false)
    // Given up, it may come yet.
    fleet.gaveUp(3, on: "n0", mayCome: true)
    #expect(fleet["n0"]?.hasVerified(wanted(1, 0).gpus) == false)
    fleet.verified(wanted(3, 1), on: "n0")
    #expect(fleet["n0"]?.hasVerified(wanted(3, 1).gpus) == true)
    // What the node went back from does not come any more.
    fleet.expect(wanted(4, 2), on: "n0")
    fleet.gaveUp(4, on: "n0", mayCome: false)
    #expect(fleet["n0"]?.hasVerified(wanted(3, 1).gpus) == true)
  }

  @Test("F9: an instance runs only once all servers that it is to have are there and healthy")
  func servicesDecideWhatRuns() throws {
    var instance = WantedInstance(
      profileID: 19, start: 0, segment: "w/0", workload: "w", model: "m", batch: 1, processes: 2, capacity: 10,
      launch: LaunchSpec(command: "/bin/server"))
    var state = FleetSamples.state("n0", [try FleetSamples.gpu("n0", 0, instances: [(19, 0)])], verified: 1)
    func capacity() -> Double {
      var record = FleetSamples.record("n0", state)
      record.applied = NodeAssignment(
        revision: 1, gpus: [WantedGPU(uuid: FleetSamples.uuid("n0", 0), instances: [instance])])
      var running = RunningCapacity()
      record.addRunning("w", to: &running)
      return running.capacity
    }
    func server(_ ordinal: Int, _ status: String) -> ServiceDocument {
      ServiceDocument(
        kind: "server", gpu: FleetSamples.uuid("n0", 0), profileId: 19, start: 0, uuid: "MIG-1", ordinal: ordinal,
        workload: "w", pid: nil, port: nil, pipeDirectory: nil, status: status, restarts: 0, message: nil)
    }
    #expect(capacity() == 0)
    state.services = [server(0, "healthy")]
    #expect(capacity() == 0)
    state.services = [server(0, "healthy"), server(1, "starting")]
    #expect(capacity() == 0)
    state.services = [server(0, "healthy"), server(1, "healthy")]
    #expect(capacity() == 10)
    // With a shared queue one server holds all.
    (instance.queue, state.services) = (.shared, [server(0, "healthy")])
    #expect(capacity() == 10)
    state.services = [server(0, "starting")]
    #expect(capacity() == 0)
    // What somebody else starts is not waited for.
    (instance.launch, state.services) = (nil, [])
    #expect(capacity() == 10)
  }

  /// Random changes of a fleet with several zones: what is kept up to date is what the records alone say, and whoever has
  /// seen a generation has seen what is offered in it.
  @Test("F4: what is kept change by change is what the records say", arguments: 0..<8)
  func theSharesJoinToWhatTheRecordsSay(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    var fleet = try Self.fleet(6)
    var now = Self.start
    var offers = Offers(fleet.snapshot().inventory)
    for step in 0..<200 {
      let name = "n\(Int.random(in: 0..<9, using: &random))"
      now += .seconds(Int.random(in: 0...8, using: &random))
      let generation = fleet.generation
      switch Int.random(in: 0..<8, using: &random) {
      case 0: fleet.remove(name)
      case 1:
        var record = FleetSamples.record(
          name, nil, zone: ["zone-0", "zone-1", nil].randomElement(using: &random) ?? nil)
        record.isDraining = Int.random(in: 0..<4, using: &random) == 0
        fleet.declare(record, at: now)
      case 2: _ = fleet.check(at: now)
      case 3: _ = fleet.acceptSilence(at: now)
      default:
        var state = try FleetSamples.state(name, gpus: Int.random(in: 0...3, using: &random))
        if var gpu = state.observed.gpus.first {
          switch Int.random(in: 0..<5, using: &random) {
          case 0: gpu.fault = "gpu_is_lost"
          case 1: gpu.uuid = "GPU-shared"
          case 2: gpu = try FleetSamples.gpu(name, 0, product: "H100-80GB-SXM")
          case 3: gpu = try FleetSamples.gpu(name, 0, instances: [(19, 0)])
          default: break
          }
          state.observed.gpus[0] = gpu
        }
        if Int.random(in: 0..<6, using: &random) == 0 { state.operation = "op" }
        _ = fleet.heard(state, from: name, at: now, date: Samples.time)
      }
      let snapshot = fleet.snapshot()
      #expect(snapshot.inventory == FleetInventory(Array(snapshot.nodes.values)), "seed \(seed), step \(step)")
      let next = Offers(snapshot.inventory)
      if next != offers { #expect(fleet.generation > generation, "seed \(seed), step \(step)") }
      offers = next
      for name in snapshot.nodes.keys {
        #expect(fleet.node(name)?.gpus == Array(snapshot.inventory.gpus(of: name)), "seed \(seed), step \(step)")
      }
    }
  }

  /// What plans are made of.
  private struct Offers: Equatable {
    var isEmpty: Bool
    var pools: [Pool]
    var gpus: [[String]]

    init(_ inventory: FleetInventory) {
      isEmpty = inventory.isEmpty
      pools = inventory.pools
      gpus = inventory.usable.map { [$0.node, $0.uuid, $0.pool ?? ""] }
    }
  }

  // MARK: - Silence

  /// Heartbeats of these nodes, once every ten seconds, with a look at the clock after each.
  private static func pass(
    _ seconds: Int, heard: [String], _ fleet: inout FleetState, _ now: inout ContinuousClock.Instant
  ) {
    for _ in 0..<seconds / 10 {
      now += .seconds(10)
      for name in heard {
        let state = fleet[name]?.state
        if let state { _ = fleet.heard(state, from: name, at: now, date: Samples.time) }
      }
      _ = fleet.check(at: now)
    }
  }

  @Test("F7: nodes that come back one by one after a silence of all keep their part, and the rest for a grace after")
  func nodesThatReturnOneByOneKeepTheirPart() throws {
    var fleet = try Self.fleet(20)
    var now = Self.start
    let names = (0..<20).map { "n\($0)" }
    Self.pass(10, heard: names, &fleet, &now)
    Self.pass(600, heard: [], &fleet, &now)
    #expect(fleet.counted == FleetCount(nodes: [.unreachable: 20], isCutOff: true))
    for count in 1...20 {
      Self.pass(20, heard: Array(names.prefix(count)), &fleet, &now)
      // Ten of twenty back: no longer cut off, and the grace of the others begins.
      #expect(fleet.counted.isCutOff == (count < 10))
      if count == 12 { Self.pass(10, heard: Array(names.prefix(count)), &fleet, &now) }
      if count < 13 { #expect(fleet.counted.nodes[.lost] == nil, "\(count) back") }
    }
    #expect(fleet.generation > 0, "those that stayed away for a grace after the others were back are lost")
    Self.pass(20, heard: names, &fleet, &now)
    #expect(fleet.counted == FleetCount(nodes: [.ready: 20], isCutOff: false))
  }

  @Test func aNodeThatIsLostCountsNoMoreForTheSilenceOfMost() throws {
    var fleet = try Self.fleet(4)
    var now = Self.start
    let names = (0..<4).map { "n\($0)" }
    for left in [3, 2, 1] {
      Self.pass(120, heard: Array(names.prefix(left)), &fleet, &now)
      #expect(fleet.counted.isCutOff == false)
      #expect(fleet.counted.nodes[.lost] == 4 - left)
    }
    Self.pass(120, heard: [], &fleet, &now)
    #expect(fleet.counted == FleetCount(nodes: [.lost: 3, .unreachable: 1], isCutOff: true))
    #expect(fleet.acceptSilence(at: now) == ["n0"])
    #expect(fleet.counted == FleetCount(nodes: [.lost: 4], isCutOff: false))
  }
}
