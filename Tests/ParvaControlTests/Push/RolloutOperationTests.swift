import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaWire
import Testing

/// A workload that moves from one made-up node to another: the one lets go when the other serves, and not before.
@Suite struct RolloutOperationTests {
  /// Two nodes; `old` holds the workload and is to be drained, `new` gets it.
  private struct Move {
    var api: Harness
    let old: (name: String, agent: FakeAgent)
    let new: (name: String, agent: FakeAgent)

    /// - Parameter answers: of the node that gets the workload, after it has verified that it holds nothing.
    init(_ answers: FakeAgent.Answer..., folder: TemporaryFolder? = nil) async throws {
      api = try await Harness(folder: folder) { configuration in
        configuration.push.longestPause = .milliseconds(20)
        configuration.push.longestPoll = .milliseconds(20)
      }
      let agents = [try FakeAgent(.verified), try FakeAgent(.verified)]
      for (index, agent) in agents.enumerated() {
        try await api.join(try FleetSamples.state("n\(index)", gpus: 1), address: agent.address)
      }
      _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 2400))
      let first = try await Self.ended(api, await api.send("POST", "/v1/plan/apply"))
      try #require(first.json("status") == "verified", "\(first.text)")
      let holds = try #require(agents.firstIndex { $0.received.last?.wanted.gpus.isEmpty == false })
      old = ("n\(holds)", agents[holds])
      new = ("n\(1 - holds)", agents[1 - holds])
      new.agent.answer(answers)
      try await speak(old)
      try await speak(new)
      let removal = await api.send("DELETE", "/v1/nodes/\(old.name)")
      try #require(removal.status == 202, "\(removal.text)")
    }

    static func ended(_ api: Harness, _ begun: HTTPResponse) async throws -> HTTPResponse {
      try #require(begun.status == 202, "\(begun.text)")
      let location = try #require(begun.headers["Location"])
      return await api.send("GET", location, query: [(name: "wait", value: "60")])
    }

    func apply(_ query: (name: String, value: String)...) async -> HTTPResponse {
      await api.send("POST", "/v1/plan/apply", query: query)
    }

    /// A heartbeat that shows what the node was told last.
    func speak(_ node: (name: String, agent: FakeAgent)) async throws {
      let wanted = try #require(node.agent.received.last?.wanted)
      let gpu = try FleetSamples.gpu(
        node.name, 0, instances: (wanted.gpus.first?.instances ?? []).map { ($0.profileID, $0.start) })
      var state = FleetSamples.state(node.name, [gpu])
      state.verified = VerifiedDocument(wanted.version)
      try await api.beat(state)
    }

    /// What the operation says of a node.
    func status(_ operation: HTTPResponse, _ node: String) -> (status: String?, code: String?) {
      for index in 0..<2 where operation.json("nodes", "\(index)", "name") == node {
        return (operation.json("nodes", "\(index)", "status"), operation.json("nodes", "\(index)", "code"))
      }
      return (nil, nil)
    }

    /// Returns once the operation says this of the node.
    func until(_ location: String, _ node: String, is wanted: String) async throws {
      let end = ContinuousClock.now + .seconds(60)
      while true {
        let operation = await api.send("GET", location)
        if status(operation, node).status == wanted { return }
        try #require(ContinuousClock.now < end, "\(node) is not \(wanted): \(operation.text)")
        await Task.yield()
      }
    }
  }

  @Test("what goes is taken away when what replaces it is up, and not before")
  func makeBeforeBreak() async throws {
    let move = try await Move(.working)
    let begun = await move.apply()
    await move.new.agent.untilReceived(2)
    #expect(move.old.agent.received.count == 1)
    let location = try #require(begun.headers["Location"])
    let waiting = await move.api.send("GET", location)
    #expect(move.status(waiting, move.old.name) == ("pending", "waits"), "\(waiting.text)")
    let text = await move.api.send("GET", location, ["Accept": "text/plain"]).text
    #expect(text.contains("waits for the part of \(move.new.name) in wave 1, which is under way"), "\(text)")
    let metrics = await move.api.send("GET", "/metrics").text
    for line in [
      #"parva_operations{status="running"} 1"#, #"parva_operations_ended_total{status="verified"} 1"#,
      #"parva_rollout_parts{state="running"} 1"#, #"parva_rollout_parts{state="waiting"} 1"#,
    ] { #expect(metrics.contains(line + "\n"), "\(line) is missing") }
    move.new.agent.finish()
    // It has verified the instance; it serves when its own word says so.
    try await move.speak(move.new)
    let operation = try await Move.ended(move.api, begun)
    #expect(operation.json("status") == "verified", "\(operation.text)")
    #expect(operation.json("rollout", "waves") == "2")
    #expect(operation.json("rollout", "shortfalls") == nil)
    #expect(move.old.agent.received.map(\.wanted.gpus.isEmpty) == [false, true])
    let versions = [move.new, move.old].compactMap { $0.agent.received.last?.wanted.version }
    #expect(versions[0] < versions[1] && versions[0].revision == versions[1].revision)
    #expect(await move.api.send("GET", "/v1/nodes/\(move.old.name)").problem == "410 node_removed")
    try await move.api.controller.stop()
  }

  @Test("where what replaces it fails, what serves is left alone")
  func whatWaitsForAFailureStays() async throws {
    let move = try await Move(.ended(.rolledBack, code: "insufficient_resources"))
    let operation = try await Move.ended(move.api, await move.apply())
    #expect(operation.json("status") == "failed")
    #expect(move.status(operation, move.new.name).code == "insufficient_resources")
    #expect(move.status(operation, move.old.name) == ("failed", "blocked"))
    #expect(move.old.agent.received.count == 1)
    try await move.api.controller.stop()
  }

  @Test("a server that does not come up blocks what waits for it")
  func whatDoesNotServeBlocks() async throws {
    var move = try await Move(.verified)
    move.api = try await move.api.restarted { $0.push.servingTimeout = .milliseconds(200) }
    try await move.speak(move.old)
    try await move.speak(move.new)
    // The node has verified its part, and never says that the instance is there.
    let operation = try await Move.ended(move.api, await move.apply())
    #expect(operation.json("status") == "failed")
    #expect(move.status(operation, move.new.name) == ("failed", "not_serving"))
    #expect(move.status(operation, move.old.name).code == "blocked")
    #expect(move.old.agent.received.count == 1)
    try await move.api.controller.stop()
  }

  @Test("after a start no way is found before all nodes have spoken")
  func firstWordsAreWaitedFor() async throws {
    var move = try await Move(.verified)
    move.api = try await move.api.restarted { $0.push.wordTimeout = .milliseconds(1) }
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    try await move.speak(move.new)
    for _ in 0..<100 { _ = await move.api.send("GET", location) }
    #expect(move.new.agent.received.count == 1)
    try await move.speak(move.old)
    await move.new.agent.untilReceived(2)
    try await move.speak(move.new)
    #expect(try await Move.ended(move.api, begun).json("status") == "verified")
    try await move.api.controller.stop()
  }

  @Test("with onFailure=rollback a failure brings back what stood before")
  func aFailureRollsBack() async throws {
    let move = try await Move(.ended(.refused, code: "instance_in_use"), .verified)
    let operation = try await Move.ended(move.api, await move.apply((name: "onFailure", value: "rollback")))
    #expect(operation.json("status") == "rolled_back", "\(operation.text)")
    #expect(move.status(operation, move.old.name).status == "rolled_back")
    #expect(move.old.agent.received.count == 1)
    try await move.api.controller.stop()
  }

  @Test func aPausedOperationBeginsNothingMoreUntilItIsResumed() async throws {
    let move = try await Move(.working)
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    await move.new.agent.untilReceived(2)
    let paused = await move.api.send("POST", location + "/pause")
    #expect(paused.status == 202)
    #expect(paused.json("status") == "paused")
    move.new.agent.finish()
    try await move.speak(move.new)
    try await move.until(location, move.new.name, is: "verified")
    #expect(move.status(await move.api.send("GET", location), move.old.name).status == "pending")
    #expect(move.old.agent.received.count == 1)
    #expect(await move.api.send("POST", location + "/resume").status == 202)
    #expect(try await Move.ended(move.api, begun).json("status") == "verified")
    #expect(move.old.agent.received.count == 2)
    try await move.api.controller.stop()
  }

  @Test func aPausedOperationIsPausedAfterARestartToo() async throws {
    var move = try await Move(.verified)
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    await move.new.agent.untilReceived(2)
    #expect(await move.api.send("POST", location + "/pause").status == 202)
    move.api = try await move.api.restarted()
    let there = await move.api.send("GET", location)
    #expect(there.json("status") == "paused")
    try await move.speak(move.old)
    try await move.speak(move.new)
    #expect(move.old.agent.received.count == 1)
    #expect(await move.api.send("POST", location + "/resume").status == 202)
    #expect(try await Move.ended(move.api, begun).json("status") == "verified")
    #expect(move.old.agent.received.count == 2)
    try await move.api.controller.stop()
  }

  @Test func anAbortedOperationEndsWhereItIs() async throws {
    let move = try await Move(.working)
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    await move.new.agent.untilReceived(2)
    #expect(await move.api.send("POST", location + "/abort").status == 202)
    move.new.agent.finish()
    try await move.speak(move.new)
    let operation = try await Move.ended(move.api, begun)
    #expect(operation.json("status") == "aborted")
    #expect(move.status(operation, move.old.name).status == "aborted")
    #expect(move.old.agent.received.count == 1)
    #expect(await move.api.send("POST", location + "/resume").problem == "409 operation_over")
    try await move.api.controller.stop()
  }

  @Test("an abort that was asked for holds across a restart")
  func anAbortIsKept() async throws {
    var move = try await Move(.working)
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    await move.new.agent.untilReceived(2)
    let asked = await move.api.send("POST", location + "/abort")
    #expect(asked.json("rollout", "ending") == "abort")
    move.api = try await move.api.restarted()
    #expect(try await Move.ended(move.api, begun).json("status") == "aborted")
    #expect(move.old.agent.received.count == 1)
    try await move.api.controller.stop()
  }

  @Test("of a roll-back and an abort the later word counts")
  func theLaterWordCounts() async throws {
    let move = try await Move(.working)
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    await move.new.agent.untilReceived(2)
    #expect(await move.api.send("POST", location + "/rollback").status == 202)
    #expect(await move.api.send("POST", location + "/abort").status == 202)
    move.new.agent.finish()
    try await move.speak(move.new)
    #expect(try await Move.ended(move.api, begun).json("status") == "aborted")
    try await move.api.controller.stop()
  }

  @Test("what only a node that is gone could replace is left alone by a roll-back")
  func aRollBackWithoutANodeTakesNothingAway() async throws {
    let move = try await Move(.working, .verified)
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    await move.new.agent.untilReceived(2)
    let path = "/v1/nodes/\(move.old.name)"
    #expect(await move.api.send("DELETE", path, query: [(name: "force", value: "true")]).status == 204)
    #expect(await move.api.send("POST", location + "/rollback").problem == "409 nothing_before")
    try await move.api.controller.stop()
  }

  @Test("a roll-back brings back the plan before, with a later phase of the same revision")
  func rollBackByRequest() async throws {
    let move = try await Move(.working, .verified)
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    await move.new.agent.untilReceived(2)
    for wish in ["pause", "abort", "rollback"] {
      let dry = await move.api.send("POST", "\(location)/\(wish)", query: [(name: "dryRun", value: "true")])
      #expect(dry.status == 200 && dry.json("status") == "202" && dry.json("changed") == "1", "\(wish): \(dry.text)")
    }
    #expect(await move.api.send("GET", location).json("status") == "running")
    #expect(await move.api.send("POST", location + "/rollback").status == 202)
    move.new.agent.finish()
    try await move.speak(move.new)
    let operation = try await Move.ended(move.api, begun)
    #expect(operation.json("status") == "rolled_back", "\(operation.text)")
    let told = move.new.agent.received.map(\.wanted)
    #expect(told.map(\.gpus.isEmpty) == [true, false, true])
    #expect(told[1].version < told[2].version && told[1].revision == told[2].revision)
    #expect(move.old.agent.received.count == 1)
    try await move.api.controller.stop()
  }

  @Test("a roll-back that failed, or an operation that was aborted, is rolled back by another request")
  func aFailedRollBackIsTriedAgain() async throws {
    var move = try await Move(.working, .ended(.stuck, code: "gpu_is_lost"), .verified)
    let begun = await move.apply()
    let location = try #require(begun.headers["Location"])
    await move.new.agent.untilReceived(2)
    #expect(await move.api.send("POST", location + "/rollback").status == 202)
    move.new.agent.finish()
    try await move.speak(move.new)
    #expect(try await Move.ended(move.api, begun).json("status") == "failed")
    // Another controller has it from the store alone.
    move.api = try await move.api.restarted()
    let api = move.api
    try await move.speak(move.old)
    try await move.speak(move.new)
    let dry = await api.send("POST", location + "/rollback", query: [(name: "dryRun", value: "true")])
    #expect(dry.json("status") == "202" && dry.json("changed") == "1", "\(dry.text)")
    #expect(await api.send("GET", location).json("status") == "failed")
    let again = await api.send("POST", location + "/rollback")
    #expect(again.json("status") == "rolling_back", "\(again.text)")
    let operation = try await Move.ended(api, again)
    #expect(operation.json("status") == "rolled_back", "\(operation.text)")
    let told = move.new.agent.received.map(\.wanted)
    #expect(told.map(\.gpus.isEmpty) == [true, false, true, true])
    #expect(told[2].version < told[3].version)
    #expect(move.old.agent.received.count == 1)
    #expect(await api.send("POST", location + "/rollback").problem == "409 operation_over")
    #expect(await api.send("POST", location + "/resume").problem == "409 operation_over")
    try await api.controller.stop()
  }

  @Test func aDryRunTellsTheWavesAndChangesNothing() async throws {
    let move = try await Move(.verified)
    let counts = [move.old, move.new].map(\.agent.received.count)
    let dry = await move.apply((name: "dryRun", value: "true"))
    #expect(dry.status == 200)
    #expect(dry.json("summary", "waves") == "2")
    #expect(dry.json("summary", "keepsService") == "1")
    #expect(dry.json("waves", "0", "steps", "0", "action") == "create")
    #expect(dry.json("waves", "1", "steps", "0", "action") == "destroy")
    let query = [(name: "dryRun", value: "true")]
    let text = await move.api.send("POST", "/v1/plan/apply", query: query, ["Accept": "text/plain"])
    #expect(text.text.contains("2 waves"))
    let picture = await move.api.send("POST", "/v1/plan/apply", query: query, ["Accept": "image/svg+xml"])
    #expect(picture.text.hasPrefix("<svg"))
    #expect(await move.api.send("GET", "/v1/operations").json("operations", "1", "id") == nil)
    #expect([move.old, move.new].map(\.agent.received.count) == counts)
    try await move.api.controller.stop()
  }

  @Test func whatCannotBeAskedIsRefused() async throws {
    let move = try await Move(.verified)
    #expect(await move.api.send("POST", "/v1/operations/none/pause").problem == "404 not_found")
    #expect(await move.apply((name: "onFailure", value: "panic")).problem == "400 invalid_parameter")
    #expect(await move.apply((name: "maxUnavailable", value: "2")).problem == "400 invalid_parameter")
    let operations = await move.api.send("GET", "/v1/operations")
    let first = try #require(operations.json("operations", "0", "id"))
    #expect(await move.api.send("POST", "/v1/operations/\(first)/rollback").problem == "409 operation_over")
    try await move.api.controller.stop()
    let agent = try FakeAgent(.working)
    let api = try await Harness()
    try await api.join(try FleetSamples.state("n0", gpus: 1), address: agent.address)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 50))
    let begun = await api.send("POST", "/v1/plan/apply")
    let location = try #require(begun.headers["Location"])
    #expect(await api.send("POST", location + "/rollback").problem == "409 nothing_before")
    try await api.controller.stop()
  }
}
