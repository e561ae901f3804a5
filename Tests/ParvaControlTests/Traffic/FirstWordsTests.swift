import Foundation
import ParvaControlTestSupport
import ParvaTestSupport
import ParvaWire
import Synchronization
import Testing

@testable import ParvaControl

/// What proxies are told after a take-over, while nodes find the controller that leads now one after the other. No GPU is
/// behind them.
@Suite struct FirstWordsTests {
  private final class Clock: Sendable {
    private let seconds = Mutex(0.0)
    private let start = ContinuousClock.now
    var now: Date { Samples.time + 1000 + seconds.withLock { $0 } }
    var instant: ContinuousClock.Instant { start + .seconds(seconds.withLock { $0 }) }
    func advance(to time: Double) { seconds.withLock { $0 = time } }
  }

  /// When a node speaks, in seconds since the start: first, and then with every heartbeat. Nil is never.
  private struct Node {
    var name: String
    var first: Double?
    var next: Double?
    /// Whether the controller before this one did not reach it.
    var wasUnreachable = false
    var wasLost = false

    func state() throws -> NodeStateDocument {
      var state = FleetSamples.state(name, [try FleetSamples.gpu(name, 0, instances: [(19, 0)])], verified: 1)
      state.services = [
        ServiceDocument(
          kind: "server", gpu: FleetSamples.uuid(name, 0), profileId: 19, start: 0, uuid: "MIG-\(name)", ordinal: 0,
          workload: "w", pid: 7, port: 9000, status: "healthy", restarts: 0, message: nil)
      ]
      return state
    }

    func record() throws -> NodeRecord {
      let instance = WantedInstance(
        profileID: 19, start: 0, segment: "w/\(name)", workload: "w", model: "m", batch: 1, processes: 1, capacity: 10,
        launch: LaunchSpec(command: "/bin/server", port: 9000))
      var record = FleetSamples.record(name, try state())
      (record.isUnreachable, record.isLost) = (wasUnreachable, wasLost)
      record.applied = NodeAssignment(
        revision: 1, gpus: [WantedGPU(uuid: FleetSamples.uuid(name, 0), instances: [instance])])
      return record
    }
  }

  @Test(
    "servers that are well keep their requests through a take-over, and those that are gone lose them in time",
    arguments: 0..<48)
  func nobodyIsDroppedForComingLate(number: Int) async throws {
    var dice = SeededGenerator(seed: TestSeed.of(offset: UInt64(number)))
    let interval: Double = [0.5, 1, 3, 10][number % 4]
    let patience: Double = max(10, 3 * interval)
    let isLateAllowed = Bool.random(using: &dice)
    var nodes = (0..<Int.random(in: 2...6, using: &dice)).map { index in
      let isDead = Int.random(in: 0..<5, using: &dice) == 0
      let first = Double.random(in: 0...patience * (isLateAllowed ? 1.5 : 0.99), using: &dice)
      // The one before reached all, some, or none of them.
      let wasUnreachable = number % 3 == 2 || number % 3 == 1 && Bool.random(using: &dice)
      return Node(
        name: "n\(index)", first: isDead ? nil : first, next: isDead ? nil : first, wasUnreachable: wasUnreachable)
    }
    let clock = Clock()
    var settings = NodeRegistry.Settings()
    settings.heartbeat = .seconds(interval)
    settings.clock = { clock.instant }
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    let registry = NodeRegistry(
      nodes: try nodes.map { try $0.record() }, removed: [], store: store, settings: settings, priced: [],
      now: { clock.now }, onChange: {})
    let board = TrafficBoard(told: [:], store: store, nodes: registry, plan: { nil }, now: { clock.now })
    let step: Double = min(1, interval / 2)
    var time = 0.0
    while time < patience * 2 {
      time += step
      clock.advance(to: time)
      for index in nodes.indices {
        guard let next = nodes[index].next, next <= time else { continue }
        _ = registry.heard(try nodes[index].state(), from: nodes[index].name)
        nodes[index].next = time + interval * Double.random(in: 0.9...1.5, using: &dice)
      }
      try await registry.check()
      await board.refresh()
      let view = board.view
      let isTimeUp = time > patience + step
      #expect(view.isSettled || !isTimeUp, "after \(time) s of \(patience) nobody is told anything: \(nodes)")
      guard view.isSettled else { continue }
      for endpoint in view.table.endpoints {
        let node = try #require(nodes.first { $0.name == endpoint.key.node })
        let hasSpoken = node.first.map { $0 <= time } ?? false
        // Nobody is told that a server is gone because its node took its time.
        if hasSpoken || time <= patience { #expect(endpoint.state == .ready, "\(node) after \(time) s of \(patience)") }
        if node.first == nil, isTimeUp, !registry.trafficState.isCutOff {
          #expect(endpoint.state == .gone, "\(node) after \(time) s of \(patience)")
        }
      }
    }
  }

  @Test(
    "of all that were not reached before a start nobody is gone until the time is over, which rings; who was lost is not waited for"
  )
  func thoseThatWereNotReached() throws {
    let names = ["n0", "n1", "n2"]
    var nodes = try names.map { try Node(name: $0, wasUnreachable: true).record() }
    nodes.append(try Node(name: "lost", wasUnreachable: true, wasLost: true).record())
    let start = ContinuousClock.now
    var fleet = FleetState(nodes: nodes, settings: FleetState.Settings(), at: start)
    #expect(fleet.takesItselfForCutOff && !fleet.hasHeardAll && !fleet.haveSpoken(["n0"]) && fleet.haveSpoken(["lost"]))
    // Two of three are back with a word each, and the third may be on its way.
    for name in names.dropLast() {
      _ = fleet.heard(try Node(name: name).state(), from: name, at: start + .seconds(1), date: Samples.time)
      #expect(fleet[name]?.isUnreachable == false)
    }
    _ = fleet.heard(try Node(name: "lost").state(), from: "lost", at: start + .seconds(1), date: Samples.time)
    #expect(fleet["lost"]?.isLost == true, "it takes two")
    _ = fleet.check(at: start + .seconds(30))
    #expect(!fleet.takesItselfForCutOff && !fleet.hasHeardAll)
    for name in names.dropLast() {
      _ = fleet.heard(try Node(name: name).state(), from: name, at: start + .seconds(30), date: Samples.time)
    }
    let before = fleet.edition
    _ = fleet.check(at: start + .seconds(30.1))
    #expect(fleet.hasHeardAll && fleet.edition > before)
  }
}
