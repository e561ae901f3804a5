import Foundation
import ParvaHTTP
import ParvaWire
import Testing

@testable import ParvaNode

/// The points of docs/hardware.md that a whole agent shows.
@Suite(.blocking) struct AgentPointTests {
  @Test("point 7: a heartbeat's reading ends the ownership of what is gone")
  func aReadingEndsOwnership() async throws {
    let bench = try NodeAgentTests.Bench(["A100-80GB"])
    #expect(try await bench.apply(NodeAgentTests.body(1, [(0, 9, 4)])).status == .verified)
    let ours = try #require(try bench.node.gpu().instances.first)
    try bench.node.driver.destroyCompute(gpu: SimulatedNode.uuid(0), instance: ours.id, compute: 0)
    try bench.node.driver.destroyInstance(gpu: SimulatedNode.uuid(0), instance: ours.id)
    _ = try await bench.agent.document()
    await bench.agent.settled()
    let theirs = try bench.node.create(9, at: 4)
    #expect(theirs == ours)
    #expect(try await bench.agent.document().owned == [])
    #expect(try await bench.apply(NodeAgentTests.body(2, [])).status == .verified)
    #expect(try bench.node.gpu().instances == [theirs])
  }

  @Test("point 18: a message for another node with the same secret is refused", arguments: ["msg_1.n2", "msg_1", "n1"])
  func aMessageForAnotherNode(_ id: String) async throws {
    let bench = try NodeAgentTests.Bench()
    let answer = await bench.post(NodeAgentTests.body(1, [(0, 9, 0)]), id: id)
    #expect(answer.status == 401)
    #expect(try NodeAgentTests.code(answer) == "credentials_invalid")
    #expect(String(decoding: answer.body, as: UTF8.self).contains("this node is n1"))
    #expect(try bench.places() == [[], []])
    #expect(await bench.post(NodeAgentTests.body(1, [(0, 9, 0)]), id: "op-7.n1").status == 202)
    await bench.agent.settled()
  }

  @Test("point 18: state and metrics are shown beyond the machine for credentials only")
  func stateTakesCredentials() async throws {
    let bench = try NodeAgentTests.Bench()
    let signature = try #require(WebhookSignature(secret: NodeAgentTests.secret))
    let token = "a-token-of-enough-bytes"
    let router = Router(
      routes: NodeRoutes(
        agent: bench.agent, authority: .signed([signature]), readToken: SecretDigest(of: token),
        now: { NodeAgentTests.now }
      ).routes)
    func status(_ path: String, from peer: String?, _ headers: HTTPHeaders = HTTPHeaders()) async -> Int {
      await router.respond(to: HTTPRequest(method: "GET", path: path, headers: headers, remoteAddress: peer)).status
    }
    var signed = HTTPHeaders()
    for (name, value) in signature.headers(id: "read.n1", timestamp: NodeAgentTests.now, body: Data()) {
      signed[name] = value
    }
    var forged = signed
    forged["webhook-id"] = "other.n1"
    // Signed with the same secret, for another node.
    var foreign = HTTPHeaders()
    for (name, value) in signature.headers(id: "read.n2", timestamp: NodeAgentTests.now, body: Data()) {
      foreign[name] = value
    }
    let operation = try await bench.apply(NodeAgentTests.body(1, [(0, 9, 0)])).id
    for path in ["/v1/state", "/metrics", "/v1/operations/\(operation)"] {
      for peer in [nil, "unix", "127.0.0.1", "::1"] { #expect(await status(path, from: peer) == 200) }
      for peer in ["10.0.0.9", "2001:db8::1", "1270.0.0.1"] {
        #expect(await status(path, from: peer) == 401)
        #expect(await status(path, from: peer, ["Authorization": "Bearer another-token"]) == 401)
        #expect(await status(path, from: peer, forged) == 401)
        #expect(await status(path, from: peer, foreign) == 401)
        #expect(await status(path, from: peer, ["Authorization": "Bearer \(token)"]) == 200)
        #expect(await status(path, from: peer, signed) == 200)
      }
    }
    #expect(await status("/healthz", from: "10.0.0.9") == 200)
    // By the names that the controller has for the same.
    for (headers, code) in [
      ([:], "credentials_missing"), (["Authorization": "Bearer another-token"], "credentials_invalid"),
      (forged, "credentials_invalid"),
    ] as [(HTTPHeaders, String)] {
      let answer = await router.respond(
        to: HTTPRequest(method: "GET", path: "/v1/state", headers: headers, remoteAddress: "10.0.0.9"))
      #expect(try NodeAgentTests.code(answer) == code)
    }
  }
}
