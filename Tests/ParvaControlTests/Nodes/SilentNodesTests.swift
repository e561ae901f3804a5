import Foundation
import ParvaControlTestSupport
import ParvaEngine
import ParvaWire
import Testing

@testable import ParvaControl

/// The controller with nodes that fall silent, in time that the test makes pass.
@Suite struct SilentNodesTests {
  @Test("F7: what would be new on a silent node waits for its return, and is planned there then")
  func whatIsNewWaitsForTheReturn() async throws {
    let clock = ManualClock()
    let api = try await Harness { configuration in
      configuration.nodes.heartbeat = .seconds(10)
      configuration.nodes.fleet.grace = .seconds(86_000)
      configuration.nodes.clock = { clock.now }
    }
    let states = try (0..<2).map { try FleetSamples.state("n\($0)", gpus: 1) }
    for state in states { try await api.join(state) }
    for _ in 0..<2 {
      clock.advance(by: .seconds(20))
      try await api.beat(states[0])
    }
    try await api.controller.nodes.check()
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "state") == "unreachable")
    // More than one GPU has room for, and less than two have.
    for id in ["a", "b"] { _ = await api.send("POST", "/v1/workloads", body: Bodies.workload(id, rate: 2400)) }
    let revision = api.controller.registry.revision
    let without = await api.controller.board.wait(for: .seconds(60)) {
      ($0.plan?.record.demandRevision ?? -1) >= revision
    }
    let plan = try #require(without.plan?.plan)
    #expect(plan.gpus.allSatisfy { $0.node == "n0" }, "\(plan.gpus.map(\.node))")
    #expect(plan.unplaced.map(\.code) == [.noStock])
    // Two heartbeats in time bring it back.
    for _ in 0..<2 {
      clock.advance(by: .seconds(10))
      for state in states { try await api.beat(state) }
    }
    let with = await api.controller.board.wait(for: .seconds(60)) { $0.plan?.plan.unplaced.isEmpty == true }
    #expect(Set(with.plan?.plan.gpus.compactMap(\.node) ?? []) == ["n0", "n1"])
    try await api.controller.stop()
  }
}
