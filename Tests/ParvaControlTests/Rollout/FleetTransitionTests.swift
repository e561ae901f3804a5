import ParvaControlTestSupport
import ParvaEngine
import ParvaWire
import Testing

@testable import ParvaControl

/// What the way starts from: what is up, what starts, what cannot come.
@Suite struct FleetTransitionTests {
  private static let launch = LaunchSpec(command: "/bin/server", port: 9000, health: "/")

  private static func instance(_ segment: String) -> WantedInstance {
    WantedInstance(
      profileID: 9, start: 0, segment: segment, workload: "w", model: "m", batch: 1, processes: 1, capacity: 100,
      launch: launch)
  }

  /// A node of one GPU that has verified an instance, with its server in this state; nil is one without anything.
  private static func record(_ name: String, _ segment: String?, server status: String = "healthy") throws -> NodeRecord
  {
    let uuid = FleetSamples.uuid(name, 0)
    var state = FleetSamples.state(name, [try FleetSamples.gpu(name, 0, instances: segment == nil ? [] : [(9, 0)])])
    state.verified = VerifiedDocument(revision: 1)
    if segment != nil {
      state.services = [
        ServiceDocument(
          kind: "server", gpu: uuid, profileId: 9, start: 0, uuid: "MIG-0", ordinal: 0, workload: "w", pid: 1,
          port: 9000,
          status: status, restarts: 0, message: nil)
      ]
    }
    var record = FleetSamples.record(name, state)
    record.applied = NodeAssignment(
      revision: 1, gpus: segment.map { [WantedGPU(uuid: uuid, instances: [instance($0)])] } ?? [])
    return record
  }

  private static func fleet(_ records: NodeRecord...) -> Fleet {
    var fleet = Fleet()
    for record in records { fleet.nodes[record.name] = record }
    fleet.inventory = FleetInventory(records)
    return fleet
  }

  private static func goal(_ holders: [String: String]) -> RolloutGoal {
    RolloutGoal(
      NodeAssignments(
        gpus: Dictionary(
          uniqueKeysWithValues: holders.map { name, segment in
            (name, [WantedGPU(uuid: FleetSamples.uuid(name, 0), instances: [instance(segment)])])
          })), rates: ["w": 90])
  }

  @Test("an instance whose server still starts is waited for before what it replaces goes")
  func whatStartsIsStillToCome() throws {
    let fleet = Self.fleet(try Self.record("a", "w/0"), try Self.record("b", "w/1", server: "starting"))
    var way = FleetTransition(fleet, to: Self.goal(["b": "w/1"]), RolloutTerms(nodes: ["a", "b"]))
    #expect(way.transition.keepsService)
    let first = way.machine.begin()
    #expect(first.map { way.machine.parts[$0].node } == ["b"])
    let told = try #require(first.first.map { way.tell($0) })
    #expect(told == Self.goal(["b": "w/1"]).assignments.gpus["b"])
    #expect(way.awaited(of: first[0]).map(\.uuid) == [FleetSamples.uuid("b", 0)])
    way.machine.ended(first[0], well: true)
    #expect(way.machine.begin().map { way.machine.parts[$0].node } == ["a"])
  }

  @Test("a queue moves what stands only where other servers follow from it", arguments: [1, 2])
  func aQueueAloneMovesNothing(processes: Int) throws {
    var record = try Self.record("a", "w/0")
    record.applied?.gpus[0].instances[0].processes = processes
    for ordinal in 1..<processes {
      guard var server = record.state?.services.first else { continue }
      server.ordinal = ordinal
      record.state?.services.append(server)
    }
    var goal = Self.goal(["a": "w/0"])
    goal.assignments.gpus["a"]?[0].instances[0].processes = processes
    for queue in [WantedInstance.Queue.perProcess, .shared] {
      goal.assignments.gpus["a"]?[0].instances[0].queue = queue
      let way = FleetTransition(Self.fleet(record), to: goal, RolloutTerms(nodes: ["a"]))
      #expect(way.transition.waves.isEmpty == (processes == 1 || queue == .perProcess), "\(queue)")
    }
  }

  @Test("what is to come on a node that is gone replaces nothing")
  func whatCannotComeReplacesNothing() throws {
    let fleet = Self.fleet(try Self.record("a", "w/0"))
    let way = FleetTransition(fleet, to: Self.goal(["gone": "w/0"]), RolloutTerms(nodes: ["a", "gone"]))
    #expect(way.transition.waves.flatMap(\.steps).allSatisfy { $0.action == .create })
    #expect(way.unreached == ["a"])
  }

  @Test(
    "where a step was verified that nobody here heard of, what the driver shows of before and after is taken for there")
  func whatIsLikelyIsKept() throws {
    var unheard = try Self.record("a", "w/0")
    unheard.state?.verified = VerifiedDocument(AssignmentVersion(revision: 2, phase: 1))
    #expect(unheard.certain == [])
    let fleet = Self.fleet(unheard, try Self.record("b", nil))
    let way = FleetTransition(fleet, to: Self.goal(["b": "w/0"]), RolloutTerms(nodes: ["a", "b"]))
    #expect(way.transition.keepsService)
    #expect(way.transition.waves.map { $0.steps.map(\.action) } == [[.create], [.destroy]])
  }
}
