import Foundation
import ParvaWire
import Testing

@testable import ParvaNode

/// The agent with services: what runs on an instance goes before it, and only when the instance really goes.
@Suite(.serialized, .blocking) struct AgentServicesTests {
  private struct Rig {
    let node: SimulatedNode
    let bench: ServiceBench
    let agent: NodeAgent

    init() throws {
      node = try SimulatedNode(["A100-80GB"])
      bench = try ServiceBench()
      agent = NodeAgent(
        configuration: NodeAgent.Configuration(name: "n1"), driver: node.driver,
        store: try NodeStore(directory: bench.directory.appendingPathComponent("state"), bootID: "boot"),
        services: bench.services, simulated: true)
    }

    func apply(_ revision: Int, _ instances: [WantedInstance]) async throws -> NodeOperationDocument {
      let wanted = NodeAssignment(
        revision: revision, gpus: [WantedGPU(uuid: SimulatedNode.uuid(0), instances: instances)])
      let operation = try agent.submit(wanted)
      await agent.settled()
      return try #require(agent.operation(operation.id))
    }

    /// Lets the driver list a process on a MIG device, as hardware would.
    func list(_ pids: [Int?], on uuid: String, name: String = "server") throws {
      try node.setProcesses(pids.compactMap { $0.map { "\(uuid) \($0) 1 C \(name)" } })
    }
  }

  @Test func serversEndBeforeTheirInstanceAndStartOnTheNext() async throws {
    let rig = try Rig()
    var instance = rig.bench.instance(processes: 2)
    #expect(try await rig.apply(1, [instance]).status == .verified)
    rig.bench.untilHealthy(3)
    let before = rig.bench.services.documents
    try rig.list(before.map(\.pid), on: before[0].uuid)
    instance.start = 4
    let operation = try await rig.apply(2, [instance])
    #expect(operation.status == .verified, "\(operation)")
    #expect(before.allSatisfy { !ServiceBench.isRunning($0.pid) })
    rig.bench.untilHealthy(3)
    #expect(rig.bench.services.documents.allSatisfy { $0.start == 4 && $0.uuid != before[0].uuid })
    let document = try await rig.agent.document()
    #expect(document.services.map(\.kind) == ["mps", "server", "server"])
    #expect(document.services.map(\.workload) == ["resnet", "resnet", "resnet"])
  }

  @Test func aRefusedPlanEndsNothing() async throws {
    let rig = try Rig()
    let (ours, other) = (rig.bench.instance(at: 0), WantedInstance(profileID: 9, start: 4))
    #expect(try await rig.apply(1, [ours, other]).status == .verified)
    rig.bench.untilHealthy(1)
    let before = rig.bench.services.documents
    let foreign = try #require(try rig.node.gpu().instances.first { $0.start == 4 }?.uuid)
    try rig.list([5_000_001], on: foreign, name: "jupyter")
    let operation = try await rig.apply(2, [])
    #expect(operation.status == .refused)
    #expect(operation.problems.map(\.process) == ["jupyter"])
    rig.bench.services.tick()
    #expect(rig.bench.services.documents == before)
  }

  /// The driver lists its GPUs and then cannot read one: nothing has ended by then.
  @Test("F3: a plan that is refused late ends no service") func aLateRefusalEndsNothing() async throws {
    let rig = try Rig()
    #expect(try await rig.apply(1, [rig.bench.instance(processes: 2)]).status == .verified)
    rig.bench.untilHealthy(3)
    let before = rig.bench.services.documents
    try rig.node.setFaults(["fail nvmlDeviceGetUUID 1 1000000 15"])
    let operation = try await rig.apply(2, [WantedInstance(profileID: 14, start: 0)])
    #expect(operation.status == .refused)
    #expect(operation.problems.map(\.code) == ["gpu_faulty"])
    rig.bench.services.tick()
    #expect(rig.bench.services.documents == before)
    #expect(before.allSatisfy { ServiceBench.isRunning($0.pid) })
  }

  @Test func serversComeBackWhenAnApplyIsUndone() async throws {
    let rig = try Rig()
    let instance = rig.bench.instance(at: 0)
    #expect(try await rig.apply(1, [instance]).status == .verified)
    rig.bench.untilHealthy(1)
    try rig.node.setFaults(["fail nvmlDeviceCreateGpuInstanceWithPlacement 1 2 23"])
    #expect(try await rig.apply(2, [WantedInstance(profileID: 14, start: 0)]).status == .rolledBack)
    rig.bench.untilHealthy(1)
    let uuid = try rig.node.gpu().instances.first?.uuid
    #expect(rig.bench.services.documents.map(\.uuid) == [uuid])
  }

  @Test func aRestartedAgentFindsItsServers() async throws {
    let rig = try Rig()
    #expect(try await rig.apply(1, [rig.bench.instance()]).status == .verified)
    rig.bench.untilHealthy(1)
    let before = rig.bench.timeless
    try rig.bench.restartAgent()
    let next = NodeAgent(
      configuration: NodeAgent.Configuration(name: "n1"), driver: rig.node.driver, store: rig.agent.store,
      services: rig.bench.services, simulated: true)
    try await next.start()
    rig.bench.untilHealthy(1)
    #expect(rig.bench.timeless == before)
    #expect(try rig.bench.starts().count == 1)
  }
}
