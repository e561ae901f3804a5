import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaWire
import Testing

/// The push over real HTTP to agents that are made up.
@Suite struct PlanPusherTests {
  private static func harness(
    _ agents: [String: FakeAgent], folder: TemporaryFolder? = nil,
    _ configure: @escaping (inout Controller.Configuration) -> Void = { _ in }
  ) async throws -> Harness {
    let api = try await Harness(folder: folder) { configuration in
      configuration.push.longestPause = .milliseconds(20)
      configuration.push.longestPoll = .milliseconds(20)
      configure(&configuration)
    }
    for (name, agent) in agents {
      try await api.join(try FleetSamples.state(name, gpus: 2), address: agent.address)
    }
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 900))
    return api
  }

  private static func ended(_ api: Harness, _ begun: HTTPResponse) async throws -> HTTPResponse {
    #expect(begun.status == 202, "\(begun.text)")
    let location = try #require(begun.headers["Location"])
    return await api.send("GET", location, query: [(name: "wait", value: "30")])
  }

  /// Returns once the newest operation has ended and is as wanted; each round waits for the end of one.
  private static func untilNewest(
    _ api: Harness, _ isWanted: (HTTPResponse) -> Bool
  ) async throws -> HTTPResponse {
    let end = ContinuousClock.now + .seconds(120)
    while true {
      let id = await api.send("GET", "/v1/operations").json("operations", "0", "id")
      if let id {
        let operation = await api.send("GET", "/v1/operations/\(id)", query: [(name: "wait", value: "30")])
        if operation.json("status") != "running", isWanted(operation) { return operation }
        try #require(ContinuousClock.now < end, "the newest operation is \(operation.text)")
      }
      await Task.yield()
    }
  }

  @Test func everyNodeGetsItsSignedAssignmentAndIsFollowedToItsEnd() async throws {
    let agents = ["n1": try FakeAgent(.verified), "n2": try FakeAgent(.verified)]
    let api = try await Self.harness(agents)
    let plan = await api.send("GET", "/v1/plan")
    let operation = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(operation.json("status") == "verified")
    #expect(operation.json("planRevision") == plan.headers["Parva-Plan-Revision"])
    let received = try #require(agents["n1"]?.received.first)
    let signature = try #require(WebhookSignature(secret: FleetSamples.secret))
    _ = try signature.verify(
      headers: received.headers, body: received.body, now: Int(Date().timeIntervalSince1970))
    #expect(received.wanted.gpus.map(\.uuid) == [FleetSamples.uuid("n1", 0)])
    let segment = plan.json("gpus", "0", "segments", "0", "id")
    let instance = try #require(received.wanted.gpus.first?.instances.first { $0.segment == segment })
    #expect(String(instance.start) == plan.json("gpus", "0", "segments", "0", "start"))
    #expect(instance.workload == "w")
    // A node without segments is told so, or what stands there would stay.
    #expect(agents["n2"]?.received.map(\.wanted.gpus) == [[]])
    try await api.controller.stop()
  }

  @Test func aPushIsRepeatedUntilTheNodeTakesIt() async throws {
    let agent = try FakeAgent(.problem(503, code: "busy"), .problem(500, code: "internal_error"), .verified)
    let api = try await Self.harness(["n1": agent])
    let operation = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(operation.json("status") == "verified")
    #expect(operation.json("nodes", "0", "attempts") == "3")
    #expect(Set(agent.received.map { $0.headers["webhook-id"] }).count == 1)
    try await api.controller.stop()
  }

  @Test("the end of a push is never stored without what its node has verified")
  func whatIsVerifiedIsStoredFirst() async throws {
    let agent = try FakeAgent(.verified)
    let folder = try TemporaryFolder()
    var gated: GatedStore?
    let api = try await Harness(
      folder: folder, { $0.push.longestPoll = .milliseconds(20) },
      storing: { store in
        let gate = GatedStore(store)
        gated = gate
        return gate
      })
    try await api.join(try FleetSamples.state("n1", gpus: 2), address: agent.address)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 900))
    _ = await api.send("GET", "/v1/plan")
    try #require(gated).fail(with: StoreError(.full, "no room"), where: { !$0.assignments.isEmpty })
    let operation = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(operation.json("nodes", "0", "status") == "verified")
    // What is left is stored as far as it goes.
    try await api.controller.stop()
    let store = try SQLiteStore(path: folder.file("parva.sqlite"))
    let contents = try await store.load()
    #expect(contents.nodes.map(\.applied) == [nil])
    // So the next controller asks the node again, and learns what stands there.
    #expect(contents.openOperations.map(\.id) == [try #require(operation.json("id"))])
    try await store.close()
  }

  @Test("a look at a node's operation carries the node's signature, as the assignment does")
  func looksAreSigned() async throws {
    let agent = try FakeAgent(.working)
    let api = try await Self.harness(["n1": agent])
    async let begun = api.send("POST", "/v1/plan/apply")
    await agent.untilReceived(1)
    agent.finish()
    #expect(try await Self.ended(api, await begun).json("status") == "verified")
    let signature = try #require(WebhookSignature(secret: FleetSamples.secret))
    #expect(!agent.looks.isEmpty)
    for headers in agent.looks {
      let id = try signature.verify(headers: headers, body: Data(), now: Int(Date().timeIntervalSince1970))
      #expect(id.hasSuffix(".n1"))
    }
    try await api.controller.stop()
  }

  struct End: Sendable, CustomTestStringConvertible {
    let answer: FakeAgent.Answer
    let status: String
    let code: String
    var testDescription: String { "\(status) \(code)" }
  }

  @Test(arguments: [
    End(
      answer: .problem(401, code: "webhook_signature_mismatch"), status: "failed", code: "webhook_signature_mismatch"),
    End(answer: .problem(409, code: "revision_stale"), status: "failed", code: "revision_stale"),
    End(
      answer: .ended(.rolledBack, code: "insufficient_resources"), status: "rolled_back", code: "insufficient_resources"
    ),
    End(answer: .ended(.refused, code: "instance_in_use"), status: "refused", code: "instance_in_use"),
    End(answer: .ended(.stuck, code: "gpu_is_lost"), status: "stuck", code: "gpu_is_lost"),
  ]) func whatEndsOtherwiseIsToldAndNotTriedAgain(_ end: End) async throws {
    let agent = try FakeAgent(end.answer)
    let api = try await Self.harness(["n1": agent])
    let operation = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(operation.json("status") == "failed")
    #expect(operation.json("nodes", "0", "status") == end.status)
    #expect(operation.json("nodes", "0", "code") == end.code)
    #expect(agent.received.count == 1)
    try await api.controller.stop()
  }

  @Test func aNodeThatForgetsItsOperationIsSentTheAssignmentAgain() async throws {
    let agent = try FakeAgent(.working, .verified)
    let api = try await Self.harness(["n1": agent])
    let begun = await api.send("POST", "/v1/plan/apply")
    await agent.untilReceived(1)
    agent.restart()
    #expect(try await Self.ended(api, begun).json("status") == "verified")
    #expect(agent.received.count == 2)
    try await api.controller.stop()
  }

  @Test func whileARevisionIsPushedItsOperationIsAnsweredAndANewerOneTakesItsPlace() async throws {
    let agent = try FakeAgent(.working, .verified)
    let api = try await Self.harness(["n1": agent])
    let first = await api.send("POST", "/v1/plan/apply")
    await agent.untilReceived(1)
    #expect(await api.send("POST", "/v1/plan/apply").headers["Location"] == first.headers["Location"])
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("x", rate: 900))
    let second = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(second.json("status") == "verified")
    let old = try await Self.ended(api, first)
    #expect(old.json("status") == "superseded")
    #expect(old.json("nodes", "0", "status") == "superseded")
    try await api.controller.stop()
  }

  @Test func oneIdempotencyKeyIsOneOperationAcrossRestarts() async throws {
    let agent = try FakeAgent(.verified)
    var api = try await Self.harness(["n1": agent])
    let key: HTTPHeaders = ["Idempotency-Key": "k1"]
    let first = try await Self.ended(api, await api.send("POST", "/v1/plan/apply", key))
    let again = await api.send("POST", "/v1/plan/apply", key)
    #expect(again.json("id") == first.json("id"))
    #expect(again.headers["Idempotency-Replayed"] == "true")
    api = try await api.restarted()
    #expect(await api.send("POST", "/v1/plan/apply", key).json("id") == first.json("id"))
    #expect(await api.send("POST", "/v1/plan/apply").json("id") != first.json("id"))
    #expect(
      await api.send("POST", "/v1/plan/apply", key, body: "{}").problem == "422 idempotency_key_reused")
    try await api.controller.stop()
  }

  @Test func aPushThatAControllerLeftUnfinishedIsTakenUpByTheNext() async throws {
    let agents = ["n1": try FakeAgent(.verified), "n2": try FakeAgent(.working, .verified)]
    var api = try await Self.harness(agents)
    let begun = await api.send("POST", "/v1/plan/apply")
    await agents["n2"]?.untilReceived(1)
    await agents["n1"]?.untilReceived(1)
    api = try await api.restarted()
    let ended = try await Self.ended(api, begun)
    #expect(ended.json("status") == "verified")
    #expect(ended.json("resumed") == "1")
    #expect(agents["n2"]?.received.count == 2)
    try await api.controller.stop()
  }

  @Test func withoutNodesThereIsNothingToPush() async throws {
    let api = try await Harness()
    #expect(await api.send("POST", "/v1/plan/apply").problem == "409 no_nodes")
    #expect(await api.send("GET", "/v1/operations/none").problem == "404 not_found")
    #expect(
      await api.send("POST", "/v1/plan/apply", query: [(name: "revision", value: "99")]).problem
        == "409 plan_superseded")
    try await api.controller.stop()
  }

  @Test("a node that was just told to hold something is drained, whatever its last heartbeat said")
  func whatIsPushedIsNotForgotten() async throws {
    let agent = try FakeAgent(.verified)
    let api = try await Self.harness(["n1": agent])
    _ = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(await api.send("DELETE", "/v1/nodes/n1").status == 202)
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "state") == "draining")
    try await api.controller.stop()
  }

  @Test func aDrainedNodeGoesWhenItsEmptyAssignmentIsVerified() async throws {
    let agent = try FakeAgent(.verified)
    let api = try await Self.harness(["n1": agent])
    try await api.beat(FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0, instances: [(19, 0)])]))
    #expect(await api.send("DELETE", "/v1/nodes/n1").status == 202)
    let operation = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(operation.json("nodes", "0", "instances") == "0")
    #expect(operation.json("status") == "verified")
    #expect(await api.send("GET", "/v1/nodes/n1").problem == "410 node_removed")
    try await api.controller.stop()
  }

  @Test func withAutoApplyEveryPlanIsPushedByItself() async throws {
    let agent = try FakeAgent(.verified)
    let api = try await Self.harness(["n1": agent]) { $0.appliesByItself = true }
    let plan = await api.send("GET", "/v1/plan")
    let revision = try #require(plan.headers["Parva-Plan-Revision"])
    while agent.received.last.map({ String($0.wanted.revision) }) != revision {
      await agent.untilReceived(agent.received.count + 1)
    }
    try await api.controller.stop()
  }

  @Test("F6: with auto-apply a node that ended stuck is pushed to again until it has what the plan wants")
  func aStuckNodeIsPushedToAgain() async throws {
    let agents = ["n1": try FakeAgent(.ended(.stuck, code: "gpu_is_lost"), .verified), "n2": try FakeAgent(.verified)]
    let api = try await Self.harness(agents) { configuration in
      configuration.appliesByItself = true
      configuration.push.look = .milliseconds(10)
      configuration.push.firstRetry = .milliseconds(10)
    }
    let revision = await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"]
    _ = try await Self.untilNewest(api) {
      $0.json("planRevision") == revision && $0.json("status") == "verified"
    }
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "verifiedRevision") == revision)
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "matchesPlan") == "1")
    try await api.controller.stop()
  }

  @Test("with auto-apply only the node that failed is pushed to again, and the others are left alone")
  func onlyWhatFailedIsPushedToAgain() async throws {
    let refused = FakeAgent.Answer.ended(.refused, code: "instance_in_use")
    let agents = ["n1": try FakeAgent(refused), "n2": try FakeAgent(.verified)]
    let api = try await Self.harness(agents) { configuration in
      configuration.appliesByItself = true
      configuration.push.look = .milliseconds(10)
      configuration.push.firstRetry = .milliseconds(10)
      configuration.push.longestRetry = .milliseconds(20)
    }
    let revision = await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"]
    let isRetry: (HTTPResponse) -> Bool = { operation in
      operation.json("planRevision") == revision && operation.json("nodes", "1", "name") == nil
    }
    let first = try await Self.untilNewest(api, isRetry)
    let second = try await Self.untilNewest(api) { isRetry($0) && $0.json("id") != first.json("id") }
    #expect([first, second].map { $0.json("nodes", "0", "name") } == ["n1", "n1"])
    #expect([first, second].map { $0.json("status") } == ["failed", "failed"])
    let received = agents.mapValues { $0.received.filter { String($0.wanted.revision) == revision }.count }
    // Not at all where it had verified the same under the revision before.
    #expect(try #require(received["n2"]) <= 1)
    #expect(try #require(received["n1"]) >= 3)
    // A push asked for is one of the whole plan all the same.
    let whole = await api.send("POST", "/v1/plan/apply")
    #expect(whole.json("nodes", "1", "unchanged") == "1")
    try await api.controller.stop()
  }

  @Test("F6: with auto-apply a node that went back to an old revision by itself is pushed to again")
  func aNodeThatWasRestoredIsPushedToAgain() async throws {
    let agent = try FakeAgent(.verified)
    let api = try await Self.harness(["n1": agent]) { configuration in
      configuration.appliesByItself = true
      configuration.push.look = .milliseconds(10)
    }
    let revision = try #require(await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"])
    while agent.received.last.map({ String($0.wanted.revision) }) != revision {
      await agent.untilReceived(agent.received.count + 1)
    }
    _ = try await Self.untilNewest(api) {
      $0.json("planRevision") == revision && $0.json("status") == "verified"
    }
    let count = agent.received.count
    try await api.beat(FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0)], verified: 0))
    await agent.untilReceived(count + 1)
    #expect(agent.received.last.map { String($0.wanted.revision) } == revision)
    try await api.controller.stop()
  }

  @Test("F8: a plan is pushed only to the nodes that it changes; the others are verified and unchanged at once")
  func onlyWhatChangesIsPushed() async throws {
    let agents = ["n1": try FakeAgent(.verified), "n2": try FakeAgent(.verified)]
    let api = try await Self.harness(agents)
    _ = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    let nothing = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(nothing.json("status") == "verified")
    #expect([nothing.json("nodes", "0", "unchanged"), nothing.json("nodes", "1", "unchanged")] == ["1", "1"])
    #expect(agents.values.map(\.received.count) == [1, 1])
    // More than one GPU can serve: a second one is used, on the other node or on this, but not on both.
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("x", model: "vgg19", rate: 900))
    let some = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(some.json("status") == "verified")
    for (index, name) in ["n1", "n2"].enumerated() {
      let isUnchanged = some.json("nodes", "\(index)", "unchanged") == "1"
      #expect(agents[name]?.received.count == (isUnchanged ? 1 : 2))
      #expect(await api.send("GET", "/v1/nodes/\(name)").json("status", "matchesPlan") == "1")
    }
    try await api.controller.stop()
  }

  @Test("F8: across a restart what nodes have verified is known, and a plan that changes nothing is pushed to nobody")
  func whatIsVerifiedIsKnownAfterARestart() async throws {
    let agents = ["n1": try FakeAgent(.verified), "n2": try FakeAgent(.verified)]
    var api = try await Self.harness(agents)
    _ = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    api = try await api.restarted()
    let operation = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
    #expect(operation.json("status") == "verified")
    #expect(agents.values.map(\.received.count) == [1, 1])
    try await api.controller.stop()
  }
}
