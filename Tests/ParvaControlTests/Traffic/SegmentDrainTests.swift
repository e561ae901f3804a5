import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import ParvaWire
import Testing

/// Servers get no new requests for some time before they are stopped. The agents are made up, no GPU is behind them.
@Suite struct SegmentDrainTests {
  /// Seconds.
  private static let drain = 0.15

  /// A node as its agent would tell of it: what it was told last, with every server healthy.
  private final class Node {
    let name: String
    let agent: FakeAgent
    var heard = 0
    var state: NodeStateDocument

    init(_ name: String) throws {
      self.name = name
      agent = try FakeAgent(.verified)
      state = try FleetSamples.state(name, gpus: 1)
    }

    func take(_ wanted: NodeAssignment) throws {
      let instances = wanted.gpus.first?.instances ?? []
      let gpu = try FleetSamples.gpu(name, 0, instances: instances.map { ($0.profileID, $0.start) })
      state = FleetSamples.state(name, [gpu])
      state.verified = VerifiedDocument(wanted.version)
      state.services = instances.flatMap { instance in
        (0..<(instance.processes ?? 1)).map { ordinal in
          ServiceDocument(
            kind: "server", gpu: gpu.uuid, profileId: instance.profileID, start: instance.start, uuid: "MIG-\(name)",
            ordinal: ordinal, workload: instance.workload, pid: 7, port: 9_000 + instance.start * 8 + ordinal,
            status: "healthy", restarts: 0, message: nil)
        }
      }
    }

    /// What it said of servers that would not go on under this assignment.
    func stopped(by wanted: NodeAssignment, after before: NodeAssignment?) -> [ServiceDocument] {
      state.services.filter { service in
        let place = InstancePlace(profileID: service.profileId, start: service.start)
        let (old, new) = (
          before?.instance(gpu: service.gpu, place: place), wanted.instance(gpu: service.gpu, place: place)
        )
        return (new?.workload, new?.batch, new?.processes) != (old?.workload, old?.batch, old?.processes)
      }
    }
  }

  private static func body(_ rates: [String: Int]) -> String {
    let workloads = rates.sorted { $0.key < $1.key }.map { name, rate in
      #"{"id":"\#(name)","model":"resnet50","rate":\#(rate),"slo":{"latencyMs":200},"#
        + #""launch":{"command":"/bin/server","port":9000}}"#
    }
    return #"{"workloads":[\#(workloads.joined(separator: ","))]}"#
  }

  @Test("along random roll-outs no server is stopped that had requests within the drain time", arguments: 0..<3)
  func nothingIsStoppedUndrained(number: Int) async throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed: seed)
    let api = try await Harness { configuration in
      configuration.push.drainTime = .seconds(Self.drain)
      configuration.push.longestPause = .milliseconds(20)
      configuration.push.longestPoll = .milliseconds(20)
    }
    let nodes = try (0..<3).map { try Node("n\($0)") }
    for node in nodes { try await api.join(node.state, address: node.agent.address) }
    var stopped = 0
    for _ in 0..<5 {
      let rates = ["a", "b", "c"].reduce(into: [:]) { $0[$1] = Int.random(in: 50...4000, using: &dice) }
      _ = await api.send("PUT", "/v1/workloads", body: Self.body(rates))
      _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
      let begun = await api.send("POST", "/v1/plan/apply")
      let location = try #require(begun.headers["Location"], "seed \(seed): \(begun.text)")
      let wishes = (0..<3).map { _ in ["pause", "resume", "none", "none", "none", "abort"].randomElement(using: &dice) }
      let end = ContinuousClock.now + .seconds(60)
      var looks = 0
      while ["running", "paused"].contains(await api.send("GET", location).json("status")) {
        try #require(ContinuousClock.now < end, "seed \(seed): the operation does not end")
        if looks < wishes.count, let wish = wishes[looks], wish != "none" {
          _ = await api.send("POST", "\(location)/\(wish)")
        } else if looks >= wishes.count {
          _ = await api.send("POST", "\(location)/resume")
        }
        looks += 1
        for node in nodes { stopped += try await Self.look(node, api, seed) }
        try await Task.sleep(for: .milliseconds(10))
      }
      for node in nodes { stopped += try await Self.look(node, api, seed) }
    }
    #expect(stopped > 0, "seed \(seed): nothing was ever stopped")
    try await api.controller.stop()
    for node in nodes { await node.agent.shutdown() }
  }

  /// Judges what the agent was told since the last look, then lets it say that it is so. Answers how many servers went.
  private static func look(_ node: Node, _ api: Harness, _ seed: UInt64) async throws -> Int {
    var count = 0
    let received = node.agent.received
    while node.heard < received.count {
      let told = received[node.heard]
      let before = node.heard > 0 ? received[node.heard - 1].wanted : nil
      let table = api.controller.traffic.view.table
      for service in node.stopped(by: told.wanted, after: before) {
        count += 1
        let endpoint = table.endpoints.first {
          $0.key.node == node.name && $0.port == service.port && $0.workload == service.workload
        }
        let drained = endpoint.map { told.time.timeIntervalSince($0.since) } ?? .infinity
        #expect(endpoint?.state ?? .draining == .draining, "seed \(seed): \(service)")
        #expect(drained >= Self.drain - 0.005, "seed \(seed): drained for \(drained) s: \(service)")
      }
      try node.take(told.wanted)
      node.heard += 1
      if node.heard == received.count { try await api.beat(node.state) }
    }
    return count
  }
}
