import Foundation
import ParvaControlTestSupport
import ParvaWire
import Synchronization
import Testing

@testable import ParvaControl

/// When proxies were last told to send to a place, under a clock that the test moves. No GPU is behind the node.
@Suite struct TrafficBoardTests {
  private static let uuid = FleetSamples.uuid("n0", 0)
  private static let place = SegmentPlace(gpu: uuid, place: InstancePlace(profileID: 19, start: 0))

  /// A controller's board after a start, with one node that has not spoken since.
  private final class World: Sendable {
    let folder: TemporaryFolder
    let nodes: NodeRegistry
    let store: SQLiteStore
    let board: TrafficBoard
    let clock: Clock

    init(launch: LaunchSpec? = LaunchSpec(command: "/bin/server", port: 9000)) throws {
      let clock = Clock()
      folder = try TemporaryFolder()
      let store = try SQLiteStore(path: folder.file("s.sqlite"))
      self.store = store
      nodes = NodeRegistry(
        nodes: [try TrafficBoardTests.record(launch)], removed: [], store: store, settings: NodeRegistry.Settings(),
        priced: [], now: { clock.now }, onChange: {})
      board = TrafficBoard(told: [:], store: store, nodes: nodes, plan: { nil }, now: { clock.now })
      self.clock = clock
    }

    /// The node says how its server is.
    func hear(_ status: String) async throws {
      _ = nodes.heard(try TrafficBoardTests.state(status), from: "n0")
      await board.refresh()
    }
  }

  private final class Clock: Sendable {
    private let time = Mutex(Samples.time + 1000)
    var now: Date { time.withLock { $0 } }
    func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
  }

  private static func state(_ status: String) throws -> NodeStateDocument {
    var state = FleetSamples.state("n0", [try FleetSamples.gpu("n0", 0, instances: [(19, 0)])], verified: 1)
    state.services = [
      ServiceDocument(
        kind: "server", gpu: uuid, profileId: 19, start: 0, uuid: "MIG-1", ordinal: 0, workload: "w", pid: 7,
        port: 9000, status: status, restarts: 0, message: nil)
    ]
    return state
  }

  private static func record(
    _ launch: LaunchSpec? = LaunchSpec(command: "/bin/server", port: 9000)
  ) throws -> NodeRecord {
    let instance = WantedInstance(
      profileID: 19, start: 0, segment: "w/0", workload: "w", model: "m", batch: 1, processes: 1, capacity: 10,
      launch: launch)
    var record = FleetSamples.record("n0", try state("healthy"))
    record.applied = NodeAssignment(revision: 1, gpus: [WantedGPU(uuid: uuid, instances: [instance])])
    return record
  }

  @Test("what was told of a segment is let go ten minutes after the segment stands nowhere, and not before")
  func whatWasToldIsLetGo() async throws {
    let world = try World(launch: nil)
    try await world.hear("healthy")
    let servers = [ToldEndpoints.Server(address: "10.0.0.1", port: 80)]
    try await world.board.tell("w/0", servers)
    func look() async throws -> Bool {
      try await world.board.forgetTold()
      return world.board.told("w/0") != nil
    }
    world.clock.advance(10_000)
    #expect(try await look())
    world.nodes.verified(NodeAssignment(revision: 2, gpus: []), on: "n0")
    #expect(try await look())
    world.clock.advance(599)
    #expect(try await look())
    // It comes back in time.
    world.nodes.verified(try #require(try Self.record(nil).applied), on: "n0")
    #expect(try await look())
    world.nodes.verified(NodeAssignment(revision: 3, gpus: []), on: "n0")
    #expect(try await look())
    world.clock.advance(600)
    #expect(try await !look())
    #expect(try await world.store.load().toldSegments.isEmpty)
    #expect(world.board.view.table.endpoints.allSatisfy { $0.reported != nil })
  }

  @Test("no more servers are told than there is room for")
  func toldServersAreBounded() async throws {
    let world = try World(launch: nil)
    let servers = (0..<TrafficBoard.mostTold).map { ToldEndpoints.Server(address: "10.0.0.1", port: $0) }
    try await world.board.tell("w/0", servers)
    // The same segment's are replaced.
    try await world.board.tell("w/0", servers)
    await #expect(throws: TrafficBoard.Refusal.full) { try await world.board.tell("w/0", servers + servers) }
  }

  @Test("a place that had requests a moment ago is drained, whatever its server is now")
  func whatWasReadyIsDrained() async throws {
    let world = try World()
    try await world.hear("healthy")
    world.clock.advance(10)
    try await world.hear("unhealthy")
    world.clock.advance(1)
    #expect(await world.board.drain([Self.place]) == .seconds(1))
    world.board.release([Self.place])
    try await world.hear("healthy")
    world.clock.advance(20)
    #expect(await world.board.drain([Self.place]) == .zero)
    world.clock.advance(5)
    #expect(await world.board.drain([Self.place]) == .seconds(5))
    let other = SegmentPlace(gpu: Self.uuid, place: InstancePlace(profileID: 19, start: 1))
    #expect(await world.board.drain([other]) == nil)
  }

  @Test("time in which proxies are told nothing after a start is no drain")
  func theTimeBeforeTheTableIsToldDoesNotCount() async throws {
    let world = try World()
    _ = await world.board.drain([Self.place])
    #expect(!world.board.view.isSettled)
    world.clock.advance(100)
    try await world.hear("healthy")
    #expect(world.board.view.isSettled)
    world.clock.advance(3)
    #expect(await world.board.drain([Self.place]) == .seconds(3))
  }

  @Test("a part does not go after a start before proxies are told anything")
  func aPartWaitsUntilTheTableIsTold() async throws {
    let world = try World()
    _ = await world.board.drain([Self.place])
    world.clock.advance(100)
    let isThrough = Mutex(false)
    let drain = SegmentDrain(traffic: world.board, time: .milliseconds(1), settling: .seconds(600))
    async let settled = {
      #expect(await drain.run([Self.place], RolloutControl()))
      isThrough.withLock { $0 = true }
      return world.board.view.isSettled
    }()
    for _ in 0..<1000 where !isThrough.withLock({ $0 }) { await Task.yield() }
    try await world.hear("healthy")
    world.clock.advance(1)
    #expect(await settled)
  }

  @Test("what an operator asks counts while proxies are told nothing yet, and the wait has an end")
  func theWaitHasAnEnd() async throws {
    let world = try World()
    let control = RolloutControl()
    async let goes = SegmentDrain(traffic: world.board, time: .seconds(600), settling: .seconds(600))
      .run([Self.place], control)
    control.change { $0.isAborted = true }
    #expect(await !goes)
    _ = await world.board.drain([Self.place])
    world.clock.advance(100)
    let drain = SegmentDrain(traffic: world.board, time: .seconds(3), settling: .milliseconds(1))
    #expect(await drain.run([Self.place], RolloutControl()))
    #expect(!world.board.view.isSettled)
  }

  @Test("a node's first word after a start is news to whoever waits until all have spoken, whatever it says")
  func theFirstWordIsNews() throws {
    var fleet = FleetState(nodes: [try Self.record()], settings: FleetState.Settings(), at: .now)
    let before = fleet.edition
    _ = fleet.heard(try Self.state("healthy"), from: "n0", at: .now, date: Samples.time)
    #expect(fleet.edition > before)
    let after = fleet.edition
    _ = fleet.heard(try Self.state("healthy"), from: "n0", at: .now, date: Samples.time)
    #expect(fleet.edition == after)
  }

  @Test("servers get requests again once their node says that it will not carry out what was given up")
  func whatWasGivenUpDrainsNothingForEver() throws {
    var fleet = FleetState(nodes: [try Self.record()], settings: FleetState.Settings(), at: .now)
    func state() -> Endpoint.State? {
      EndpointTable(nodes: fleet.records, .init(), after: nil, at: Samples.time).endpoints.first?.state
    }
    func hear(accepted: Int?) throws -> Bool {
      let before = fleet.edition
      var said = try Self.state("healthy")
      said.accepted = accepted
      _ = fleet.heard(said, from: "n0", at: .now, date: Samples.time)
      return fleet.edition > before
    }
    _ = try hear(accepted: 1)
    #expect(state() == .ready)
    fleet.expect(NodeAssignment(revision: 2, gpus: []), on: "n0")
    #expect(state() == .draining)
    // It may carry that out yet, as long as it has said nothing.
    fleet.gaveUp(2, on: "n0", mayCome: true)
    #expect(state() == .draining)
    #expect(try hear(accepted: 1))
    #expect(state() == .ready)
    // It came late.
    #expect(try hear(accepted: 2))
    #expect(state() == .draining)
    #expect(try hear(accepted: 3))
    #expect(state() == .ready)
    #expect(fleet["n0"]?.sent != nil)
  }
}
