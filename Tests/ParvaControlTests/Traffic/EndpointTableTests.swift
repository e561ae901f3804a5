import Foundation
import ParvaControlTestSupport
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

/// Which servers get requests, against a second reading of the rules.
@Suite struct EndpointTableTests {
  private static let statuses = [
    "starting", "healthy", "healthy", "healthy", "unhealthy", "stopping", "waiting", "failed",
  ]
  private static let launch = LaunchSpec(command: "/bin/server", port: 9000)

  private static func instance(_ start: Int, _ dice: inout SeededGenerator) -> WantedInstance {
    WantedInstance(
      profileID: 19, start: start, segment: "s/\(start)", workload: ["a", "b"].randomElement(using: &dice),
      model: "m", batch: 1, processes: Int.random(in: 1...2, using: &dice),
      capacity: Double.random(in: 0...9e9, using: &dice), launch: launch)
  }

  private static func assignment(_ uuid: String, _ revision: Int, _ dice: inout SeededGenerator) -> NodeAssignment {
    let starts = (0..<7).filter { _ in Bool.random(using: &dice) }
    return NodeAssignment(
      revision: revision, gpus: [WantedGPU(uuid: uuid, instances: starts.map { instance($0, &dice) })])
  }

  private static func node(_ number: Int, _ dice: inout SeededGenerator) throws -> NodeRecord {
    let (name, uuid) = ("n\(number)", FleetSamples.uuid("n\(number)", 0))
    var record = FleetSamples.record(
      name, try FleetSamples.state(name, gpus: 1), zone: ["x", nil].randomElement(using: &dice) ?? nil)
    record.applied = assignment(uuid, 1, &dice)
    if Bool.random(using: &dice) {
      record.expected = Bool.random(using: &dice) ? assignment(uuid, 2, &dice) : record.applied
    }
    record.isUnreachable = Int.random(in: 0..<4, using: &dice) == 0
    record.isLost = record.isUnreachable && Bool.random(using: &dice)
    for gpu in record.applied?.gpus ?? [] {
      for instance in gpu.instances {
        for ordinal in 0..<(instance.processes ?? 1) {
          record.state?.services.append(
            ServiceDocument(
              kind: "server", gpu: uuid, profileId: 19, start: instance.start, uuid: "MIG-1", ordinal: ordinal,
              workload: instance.workload, pid: 7, port: 9000 + ordinal,
              status: statuses.randomElement(using: &dice) ?? "", restarts: 0, message: nil))
        }
      }
    }
    return record
  }

  @Test(arguments: 0..<20)
  func onlyWhoIsWellAndStaysGetsRequests(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      let nodes = try (0..<3).map { try Self.node($0, &dice) }
      var terms = EndpointTable.Terms()
      terms.isCutOff = Int.random(in: 0..<5, using: &dice) == 0
      terms.loads = PlannedLoads(
        (0..<7).map { start in
          let place = SegmentPlace(gpu: FleetSamples.uuid("n0", 0), place: InstancePlace(profileID: 19, start: start))
          return (place, "a", Double.random(in: 0...1e12, using: &dice))
        })
      if let place = terms.loads.places.keys.sorted().randomElement(using: &dice) { terms.drains = [place] }
      let table = EndpointTable(nodes: nodes, terms, after: nil, at: Samples.time)
      #expect(table.endpoints.count == nodes.reduce(0) { $0 + ($1.state?.services.count ?? 0) }, "seed \(seed)")
      #expect(zip(table.endpoints, table.endpoints.dropFirst()).allSatisfy { $0.key < $1.key }, "seed \(seed)")
      for workload in ["a", "b"] {
        let weights = table[workload].map(\.weight)
        #expect(weights.allSatisfy { $0 >= 1 } && weights.reduce(0, +) < 1 << 32, "seed \(seed)")
        #expect(table[workload].elementsEqual(table.endpoints.filter { $0.workload == workload }), "seed \(seed)")
      }
      for endpoint in table.endpoints {
        let node = try #require(nodes.first { $0.name == endpoint.key.node })
        let (uuid, place) = (endpoint.key.place.gpu, endpoint.key.place.place)
        let stays = node.expected.map {
          $0.instance(gpu: uuid, place: place) == node.applied?.instance(gpu: uuid, place: place)
        }
        let gets =
          endpoint.reported == "healthy" && (!node.isUnreachable || terms.isCutOff) && !node.isLost && stays ?? true
          && !terms.drains.contains(endpoint.key.place)
        // What goes on under another name or capacity alone is kept, which equality does not see.
        if gets || endpoint.state == .ready {
          let isAlike = node.expected?.instance(gpu: uuid, place: place)?.workload == endpoint.workload
          #expect(endpoint.state == .ready || !gets, "seed \(seed): \(endpoint)")
          #expect(gets || isAlike, "seed \(seed): \(endpoint)")
        }
      }
      // The order of nodes and the time make no other version; a state does.
      let again = EndpointTable(
        nodes: Array(nodes.reversed()), terms, after: table, at: Samples.time.addingTimeInterval(9))
      #expect(again == table, "seed \(seed)")
      guard let first = table.endpoints.first(where: { $0.state == .ready }) else { continue }
      terms.drains.insert(first.key.place)
      let later = EndpointTable(nodes: nodes, terms, after: table, at: Samples.time.addingTimeInterval(9))
      #expect(later.version != table.version, "seed \(seed)")
      for (old, new) in zip(table.endpoints, later.endpoints) {
        #expect(new.since == (new.state == old.state ? old.since : Samples.time.addingTimeInterval(9)), "seed \(seed)")
      }
    }
  }

  @Test func weightsArePlannedLoadsOverTheServers() throws {
    var dice = SeededGenerator(seed: TestSeed.of())
    var node = try Self.node(0, &dice)
    (node.expected, node.sent, node.isUnreachable, node.isLost) = (nil, nil, false, false)
    let uuid = FleetSamples.uuid("n0", 0)
    let wanted = [(start: 0, processes: 2), (1, 1)].map { start, processes in
      WantedInstance(
        profileID: 19, start: start, segment: "a/\(start)", workload: "a", model: "m", batch: 1,
        processes: processes, capacity: 80, launch: Self.launch)
    }
    node.applied = NodeAssignment(revision: 1, gpus: [WantedGPU(uuid: uuid, instances: wanted)])
    node.state?.services = wanted.flatMap { instance in
      (0..<(instance.processes ?? 1)).map {
        ServiceDocument(
          kind: "server", gpu: uuid, profileId: 19, start: instance.start, uuid: "MIG-1", ordinal: $0, workload: "a",
          pid: 7, port: 9000 + $0, status: "healthy", restarts: 0, message: nil)
      }
    }
    var terms = EndpointTable.Terms()
    // The second stands from a plan before: it has what it can carry.
    terms.loads = PlannedLoads([
      (SegmentPlace(gpu: uuid, place: InstancePlace(profileID: 19, start: 0)), "a", 50.5)
    ])
    let table = EndpointTable(nodes: [node], terms, after: nil, at: Samples.time)
    #expect(table.endpoints.map(\.weight) == [25_250, 25_250, 80_000])
    #expect(table.endpoints.map(\.segment) == ["a/0", "a/0", "a/1"])
    #expect(table.endpoints.allSatisfy { $0.address == "127.0.0.1" && $0.state == .ready })
  }

  @Test func aServerStaysOneWhoseSegmentIsOnlyNamedAnew() throws {
    var dice = SeededGenerator(seed: TestSeed.of())
    let old = Self.instance(0, &dice)
    var new = old
    (new.segment, new.capacity) = ("other/1", 1)
    #expect(new.runsOn(from: old))
    new.launch?.args = ["{segment}"]
    #expect(!new.runsOn(from: old))
    var named = old
    named.launch?.args = ["{segment}"]
    #expect(!new.runsOn(from: named))
    #expect(named.runsOn(from: named))
  }

  @Test("where a queue changes how many servers there are they are drained, and else they stay", arguments: [1, 2])
  func aQueueThatChangesTheServersIsSeen(processes: Int) throws {
    let uuid = FleetSamples.uuid("n0", 0)
    let place = SegmentPlace(gpu: uuid, place: InstancePlace(profileID: 19, start: 0))
    var instance = WantedInstance(
      profileID: 19, start: 0, segment: "a/0", workload: "a", model: "m", batch: 1, processes: processes, capacity: 9,
      launch: Self.launch)
    var node = FleetSamples.record("n0", try FleetSamples.state("n0", gpus: 1))
    node.applied = NodeAssignment(revision: 1, gpus: [WantedGPU(uuid: uuid, instances: [instance])])
    node.state?.services = (0..<processes).map {
      ServiceDocument(
        kind: "server", gpu: uuid, profileId: 19, start: 0, uuid: "MIG-1", ordinal: $0, workload: "a", pid: 7,
        port: 9000 + $0, status: "healthy", restarts: 0, message: nil)
    }
    // As an older controller wrote it, and the same in full.
    instance.queue = .perProcess
    node.expected = NodeAssignment(revision: 2, gpus: [WantedGPU(uuid: uuid, instances: [instance])])
    func states() -> Set<Endpoint.State> {
      Set(EndpointTable(nodes: [node], .init(), after: nil, at: Samples.time).endpoints.map(\.state))
    }
    #expect(states() == [.ready])
    #expect(node.leaving(for: try #require(node.expected)).isEmpty)
    instance.queue = .shared
    let shared = NodeAssignment(revision: 3, gpus: [WantedGPU(uuid: uuid, instances: [instance])])
    node.expected = nil
    #expect(node.leaving(for: shared) == (processes == 1 ? [] : [place]))
    node.expected = shared
    #expect(states() == (processes == 1 ? [.ready] : [.draining]))
  }
}
