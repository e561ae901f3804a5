import Foundation
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct MoveLimitTests {
  @Test(
    "no minute sees more than is allowed, but for one part that is larger, and nobody waits without need",
    arguments: 0..<20)
  func noMinuteSeesMore(_ offset: UInt64) {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    let most = Int.random(in: 1...20, using: &random)
    var window = MoveWindow(most: most)
    var now = ContinuousClock.now
    var taken: [(at: ContinuousClock.Instant, count: Int)] = []
    for _ in 0..<400 {
      now += .seconds(Double.random(in: 0...20, using: &random))
      let count = Int.random(in: 1...25, using: &random)
      let lately = taken.filter { now - $0.at < .seconds(60) }
      let sum = lately.reduce(0) { $0 + $1.count }
      if let next = window.take(count, at: now) {
        #expect(sum + count > most && !lately.isEmpty, "seed \(seed)")
        #expect(next > now && next <= now + .seconds(60), "seed \(seed)")
        // It is told when it may: asked then, it is taken.
        var later = window
        #expect(later.take(count, at: next) == nil, "seed \(seed)")
        var early = window
        #expect(early.take(count, at: next - .milliseconds(1)) != nil, "seed \(seed)")
      } else {
        #expect(sum + count <= most || lately.isEmpty, "seed \(seed)")
        taken.append((now, count))
      }
    }
  }

  @Test("automatic applies make no more in a minute than is allowed, and say what waits and why")
  func automaticAppliesWait() async throws {
    let agents = [try FakeAgent(.verified), try FakeAgent(.verified)]
    let api = try await Harness { configuration in
      configuration.push.longestPause = .milliseconds(20)
      configuration.push.longestPoll = .milliseconds(20)
      configuration.push.look = .milliseconds(20)
      configuration.nodes.heartbeat = .seconds(300)
      configuration.push.movesPerMinute = 1
      // Nothing of it comes to its end by itself here.
      configuration.push.movesWindow = .seconds(86_400)
      configuration.appliesByItself = true
    }
    for (index, agent) in agents.enumerated() {
      try await api.join(try FleetSamples.state("n\(index)", gpus: 1), address: agent.address)
    }
    _ = await api.send(
      "POST", "/v1/workloads/batch",
      body: Bodies.batch(Bodies.workload("a", rate: 2400), Bodies.workload("b", rate: 2400)))
    let end = ContinuousClock.now + .seconds(60)
    var (id, operation, fleet) = ("", HTTPResponse(status: 0), HTTPResponse(status: 0))
    func isWaiting(_ node: Int) -> Bool {
      operation.json("nodes", "\(node)", "code") == "waits"
        && operation.json("nodes", "\(node)", "message")?.contains("automatic applies make 1 in a minute") == true
        && operation.json("nodes", "\(1 - node)", "status") == "verified"
    }
    repeat {
      id = await api.send("GET", "/v1/operations").json("operations", "0", "id") ?? "none"
      operation = await api.send("GET", "/v1/operations/\(id)")
      fleet = await api.send("GET", "/v1/fleet")
      try #require(ContinuousClock.now < end, "\(operation.text) \(fleet.text)")
      await Task.yield()
    } while !(isWaiting(0) || isWaiting(1)) || fleet.json("autoApply", "state") != "limited"
    #expect(operation.json("rollout", "automatic") == "1")
    #expect(agents.count { $0.received.last?.wanted.gpus.isEmpty == false } == 1)
    // It ends all the same when it is asked to.
    #expect(await api.send("POST", "/v1/operations/\(id)/abort").status == 202)
    let aborted = await api.send("GET", "/v1/operations/\(id)", query: [(name: "wait", value: "60")])
    #expect(aborted.json("status") == "aborted", "\(aborted.text)")
    // Who applies by hand does not wait.
    let applied = await api.send("POST", "/v1/plan/apply")
    let location = try #require(applied.headers["Location"], "\(applied.text)")
    let verified = await api.send("GET", location, query: [(name: "wait", value: "60")])
    #expect(verified.json("status") == "verified", "\(verified.text)")
    try await api.controller.stop()
  }
}
