import Foundation
import ParvaControlTestSupport
import ParvaHTTP
import ParvaWire
import Synchronization
import Testing

@testable import ParvaControl

/// Automatic applies under windows that keep them waiting.
@Suite struct WindowedApplyTests {
  private static let freeze = #"{"kind":"freeze","start":"2000-01-01T00:00:00Z","end":"2900-01-01T00:00:00Z"}"#

  private static func harness(
    _ agent: FakeAgent, now: @escaping @Sendable () -> Date = { Date() }
  ) async throws -> Harness {
    let api = try await Harness { configuration in
      configuration.now = now
      configuration.scheduleLead = 0
      configuration.appliesByItself = true
      configuration.push.look = .milliseconds(10)
      configuration.push.longestPause = .milliseconds(20)
      configuration.push.longestPoll = .milliseconds(20)
    }
    try await api.join(try FleetSamples.state("n", gpus: 2), address: agent.address)
    return api
  }

  private static func put(_ api: Harness, _ name: String, _ body: String) async {
    #expect([200, 201].contains(await api.send("PUT", "/v1/windows/\(name)", body: body).status))
  }

  /// Returns once automatic applies are where they are to be.
  private static func until(_ api: Harness, _ state: String) async throws {
    let end = ContinuousClock.now + .seconds(120)
    while true {
      let fleet = await api.send("GET", "/v1/fleet")
      if fleet.json("autoApply", "state") == state { return }
      try #require(ContinuousClock.now < end, "\(fleet.text)")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  @Test("a plan waits while a freeze lasts and is published all the same; an operator brings it there by force")
  func waiting() async throws {
    let agent = try FakeAgent(.verified)
    let api = try await Self.harness(agent)
    try await Self.until(api, "settled")
    await Self.put(api, "now", Self.freeze)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 900))
    #expect(await api.send("GET", "/v1/plan", query: [("wait", "60")]).json("gpus", "0", "node") == "n")
    try await Self.until(api, "waiting")
    let fleet = await api.send("GET", "/v1/fleet")
    #expect(fleet.json("rollouts", "open") == "0" && fleet.json("rollouts", "shutBy", "0") == "now")
    #expect(agent.received.allSatisfy { $0.wanted.gpus.allSatisfy(\.instances.isEmpty) })
    #expect(await api.send("POST", "/v1/plan/apply").problem == "409 window_closed")
    #expect(await api.send("POST", "/v1/plan/apply", query: [("dryRun", "true")]).status == 200)
    #expect(await api.send("POST", "/v1/plan/apply", query: [("force", "true")]).status == 202)
    try await Self.until(api, "settled")
    #expect(agent.received.last?.wanted.gpus.contains { !$0.instances.isEmpty } == true)
    try await api.controller.stop()
    await agent.shutdown()
  }

  @Test("a plan that waits goes once the window is taken away; windows outlive a restart")
  func opening() async throws {
    let agent = try FakeAgent(.verified)
    let api = try await Self.harness(agent)
    await Self.put(api, "now", Self.freeze)
    await Self.put(api, "once", #"{"kind":"allow","start":"2000-01-01T00:00:00Z","end":"2000-01-02T00:00:00Z"}"#)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 900))
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    try await Self.until(api, "waiting")
    #expect(await api.send("DELETE", "/v1/windows/now").status == 204)
    let listed = await api.send("GET", "/v1/windows")
    #expect(listed.json("rollouts", "shutBy", "0") == "once" && listed.json("windows", "0", "now") == "0")
    try await Self.until(api, "waiting")
    #expect(await api.send("DELETE", "/v1/windows/once").status == 204)
    try await Self.until(api, "settled")
    await Self.put(api, "kept", Self.freeze)
    let before = await api.send("GET", "/v1/windows").text
    let later = try await api.restarted()
    #expect(await later.send("GET", "/v1/windows").text == before)
    #expect(await later.send("DELETE", "/v1/windows/kept").status == 204)
    #expect(await later.send("DELETE", "/v1/windows/kept").problem == "404 not_found")
    try await later.controller.stop()
    await agent.shutdown()
  }

  @Test("what a workload lacks since its schedule asks for more is no capacity that the fleet has lost")
  func scheduledRise() async throws {
    let agent = try FakeAgent(.verified)
    let wall = Mutex(try Date("2027-01-25T06:00:00Z", strategy: .iso8601))
    let api = try await Self.harness(agent) { wall.withLock { $0 } }
    let entry = #"{"from":"08:00","to":"10:00","timeZone":"UTC","rate":5000}"#
    let body = Bodies.workload("w", rate: 50).replacing(#""labels":{}"#, with: #""schedule":[\#(entry)]"#)
    #expect(await api.send("POST", "/v1/workloads", body: body).status == 201)
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    try await Self.until(api, "settled")
    try await api.beat(try agent.state())
    api.controller.conditions.look()
    #expect(await api.send("GET", "/v1/workloads/w").json("status", "state") == "served")
    wall.withLock { $0 += 2 * 3_600 }
    // Nothing but the time has changed.
    try await api.beat(try agent.state())
    api.controller.conditions.look()
    let late = await api.send("GET", "/v1/workloads/w")
    #expect(late.json("status", "state") == "partial", "\(late.text)")
    #expect(late.json("status", "conditions", "2", "status") == "False")
    #expect(api.controller.conditions.lostCapacity == 0)
    try await api.controller.stop()
    await agent.shutdown()
  }

  @Test("capacity that a fleet has lost is replaced in a freeze, unless that is frozen, too", arguments: [true, false])
  func lostCapacity(_ isSpared: Bool) async throws {
    let agent = try FakeAgent(.verified)
    let api = try await Self.harness(agent)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 900))
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    try await Self.until(api, "settled")
    try await api.beat(try agent.state())
    api.controller.conditions.look()
    #expect(await api.send("GET", "/v1/workloads/w").json("status", "state") == "served")
    #expect(api.controller.conditions.lostCapacity == 0)
    await Self.put(
      api, "now", isSpared ? Self.freeze : Self.freeze.replacing("}", with: #","except":[]}"#))
    let told = agent.received.count
    let lost = try #require(agent.received.last?.wanted.gpus.first { !$0.instances.isEmpty }?.uuid)
    try await api.beat(try agent.state(lost: lost))
    api.controller.conditions.look()
    #expect(api.controller.conditions.lostCapacity == 1)
    if isSpared {
      await agent.untilReceived(told + 1)
      #expect(agent.received.last?.wanted.gpus.contains { $0.uuid != lost && !$0.instances.isEmpty } == true)
    } else {
      try await Self.until(api, "waiting")
      #expect(agent.received.count == told)
      // What is asked of it is another matter than what it has lost.
      _ = await api.send("PATCH", "/v1/workloads/w", body: #"{"rate":800}"#)
      api.controller.conditions.look()
      #expect(api.controller.conditions.lostCapacity == 0)
    }
    try await api.controller.stop()
    await agent.shutdown()
  }
}
