import Foundation
import ParvaControlTestSupport
import ParvaHTTP
import ParvaWire
import Synchronization
import Testing

@testable import ParvaControl

/// What nodes are told of the term in which a controller leads.
@Suite struct PushTermTests {
  private static func push(
    _ agent: FakeAgent, term: Int, isSure: @escaping @Sendable () -> Bool = { true },
    onDeposed: @escaping @Sendable () -> Void
  ) async throws -> FleetOperationDocument.Node {
    let registry = NodeRegistry(
      nodes: [], removed: [], store: try SQLiteStore(path: try TemporaryFolder().file("s")), settings: .init(),
      priced: [], now: { Samples.time }, onChange: {})
    _ = try await registry.put(NodeSpec(address: agent.address), named: "n1", if: .none)
    var settings = PushSettings()
    (settings.term, settings.leadership) = (term, Leadership(isSure: isSure, onDeposed: onDeposed))
    settings.longestPause = .milliseconds(1)
    let node = Mutex(FleetOperationDocument.Node(name: "n1", instances: 0))
    let push = NodePush(
      operation: "o", node: "n1", wanted: NodeAssignment(revision: 3, gpus: []), nodes: registry, settings: settings,
      client: HTTPClient(configuration: settings.client), limit: RequestLimit(4), now: { 0 }
    ) { change in node.withLock { change(&$0) } }
    _ = await push.run()
    return node.withLock { $0 }
  }

  @Test(arguments: [0, 7]) func anAssignmentCarriesTheTermOfItsSender(_ term: Int) async throws {
    let agent = try FakeAgent(.verified)
    let node = try await Self.push(agent, term: term) { Issue.record("nobody was deposed") }
    #expect(node.status == .verified)
    let body = try #require(agent.received.first).body
    #expect(try JSONDecoder().decode(PushedAssignment.self, from: body).term == term)
    #expect(String(decoding: body, as: UTF8.self).contains("term") == (term > 0))
    await agent.shutdown()
  }

  @Test func whoIsToldOfALaterTermHearsOfIt() async throws {
    let agent = try FakeAgent(.problem(409, code: PushedAssignment.superseded))
    let count = Mutex(0)
    let node = try await Self.push(agent, term: 2) { count.withLock { $0 += 1 } }
    #expect(node.status == .failed && node.code == "term_superseded")
    #expect(count.withLock { $0 } == 1 && agent.received.count == 1)
    await agent.shutdown()
  }

  /// A controller that was stopped for longer than its lease sends nothing before it knows that it leads.
  @Test func whoMayHaveBeenReplacedSendsNothing() async throws {
    let agent = try FakeAgent(.verified)
    let asked = Mutex(0)
    let node = try await Self.push(agent, term: 2) {
      asked.withLock { asked in
        asked += 1
        return asked > 3
      }
    } onDeposed: {
    }
    #expect(node.status == .verified && node.attempts == 1 && asked.withLock { $0 } == 4)
    await agent.shutdown()
  }
}
