import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import Synchronization
import Testing

@testable import ParvaAPI

/// What followers say of what the leader alone knows, and what becomes of them when it goes.
@Suite(.timeLimit(.minutes(1))) struct ReplicaWordsTests {
  private static func isOwn(_ response: HTTPResponse) -> Bool { response.headers["Parva-Staleness"] != nil }

  @Test("planning that fails is told at followers, and nobody waits there for a plan that does not come")
  func planningThatFails() async throws {
    let nodes = try await ReplicaNode.several(2, on: SharedLog())
    let (first, second) = (nodes[0], nodes[1])
    _ = try await second.ask("POST", "/v1/workloads", Bodies.workload("a"))
    let (leader, follower) = (first.host.controller, second.host.controller)
    _ = await follower.board.wait(for: .seconds(50)) { $0.plan.map { $0.record.demandRevision == 1 } ?? false }
    // From here on nothing is planned there.
    leader.halt()
    #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("b")).status == 201)
    #expect(try await second.ask("GET", "/readyz").json("status") == "ok")
    #expect(try await second.ask("GET", "/v1/workloads/b").json("status", "code") == nil)
    let waiting = Task { try await second.ask("GET", "/v1/plan?wait=60") }
    leader.board.fail(
      at: 2, "no luck",
      trouble: PlanningTrouble(
        code: "worker_crashed", message: "SIGILL", demandRevision: 2, resort: nil, attempts: 3))
    let plan = try await waiting.value
    #expect(plan.status == 200 && plan.headers["Parva-Demand-Revision"] == "1", "\(plan.text)")
    let ready = try await second.ask("GET", "/readyz")
    #expect(ready.status == 200 && ready.json("status") == "degraded", "\(ready.text)")
    #expect(ready.json("planning", "code") == "worker_crashed" && ready.json("replica", "role") == "follower")
    #expect(try await second.ask("GET", "/v1/workloads/b").json("status", "code") == "planning_failed")
    #expect(try await second.ask("GET", "/metrics").text.contains("parva_planning_degraded 1"))
    // What a follower that begins anew is told, too.
    await second.store.reset()
    while second.host.controller === follower { await Task.yield() }
    while try await second.ask("GET", "/readyz").json("status") != "degraded" { await Task.yield() }
    // It ends like it began.
    leader.board.publish(try #require(leader.board.view.plan))
    while try await second.ask("GET", "/readyz").json("status") != "ok" { await Task.yield() }
    for node in [second, first] { await node.end() }
  }

  @Test("what ails the leader's store is in the followers' /readyz, by its code, until it is over")
  func storeTrouble() async throws {
    let nodes = try await ReplicaNode.several(2, on: SharedLog())
    let (first, second) = (nodes[0], nodes[1])
    _ = try await second.ask("POST", "/v1/workloads", Bodies.workload("a"))
    _ = try await second.ask("GET", "/v1/plan?consistent=true&wait=60")
    while try await second.ask("GET", "/readyz").status != 200 { await Task.yield() }
    first.store.ail(StoreError(.failed, "etcd refuses: permission denied"))
    #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("b")).problem == "503 store_failed")
    while try await second.ask("GET", "/readyz").status == 200 { await Task.yield() }
    let told = try await second.ask("GET", "/readyz")
    #expect(told.problem == "503 store_failed" && told.json("detail")?.contains(first.address) == true, "\(told.text)")
    #expect(try await second.ask("GET", "/v1/workloads/a").status == 200)
    first.store.ail(nil)
    while try await second.ask("GET", "/readyz").status != 200 { await Task.yield() }
    for node in [second, first] { await node.end() }
  }

  @Test("a follower that has found another log than its own answers reads, and passes nothing on")
  func anotherLog() async throws {
    let nodes = try await ReplicaNode.several(2, on: SharedLog())
    let (first, second) = (nodes[0], nodes[1])
    #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("a")).status == 201)
    second.store.ail(StoreError(.corrupt, "etcd was put back"))
    #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("b")).problem == "503 store_corrupt")
    #expect(try await second.ask("GET", "/v1/workloads?consistent=true").problem == "503 store_corrupt")
    for path in ["/v1/workloads/a", "/v1/fleet"] { #expect(Self.isOwn(try await second.ask("GET", path)), "\(path)") }
    #expect(try await first.ask("GET", "/v1/workloads/b").status == 404)
    second.store.ail(nil)
    #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("b")).status == 201)
    for node in [second, first] { await node.end() }
  }

  @Test("a word that is the one before has nobody look again")
  func wordsThatAreNoNews() async throws {
    let nodes = try await ReplicaNode.several(2, on: SharedLog())
    let controller = nodes[1].host.controller
    let looks = Mutex(0)
    let waiting = Task {
      await controller.board.wait(for: .seconds(50)) { _ in
        looks.withLock { $0 += 1 }
        return false
      }
    }
    while looks.withLock({ $0 }) == 0 { await Task.yield() }
    for _ in 0..<1000 { controller.follower?.hear(nil) }
    #expect(looks.withLock { $0 } < 500)
    waiting.cancel()
    _ = await waiting.value
    for node in nodes.reversed() { await node.end() }
  }

  @Test("what the leader alone knows is its word at followers, and theirs, with its age, where it says nothing")
  func leadersWord() async throws {
    let log = SharedLog()
    let nodes = try await ReplicaNode.several(2, on: log)
    let (first, second) = (nodes[0], nodes[1])
    let hook = #"{"url":"http://127.0.0.1:9/"}"#
    #expect(try await second.ask("PUT", "/v1/webhooks/h", hook).status == 201)
    #expect(try await second.ask("POST", "/v1/webhooks/h/test", "{}").status == 200)
    let words = ["/v1/fleet", "/v1/webhooks", "/v1/webhooks/h", "/v1/webhooks/h/deliveries"]
    for path in words {
      let (here, there) = (try await second.ask("GET", path), try await first.ask("GET", path))
      #expect(here.status == 200 && here.body == there.body && !Self.isOwn(here), "\(here.text)")
    }
    #expect(try await second.ask("GET", "/v1/webhooks/h/deliveries").json("deliveries", "0", "code") != nil)
    let metrics = [try await first.ask("GET", "/metrics").text, try await second.ask("GET", "/metrics").text]
    for name in [#"parva_webhook_oldest_waiting_seconds{webhook="h"}"#, "parva_held_rates"] {
      #expect(metrics.map { $0.contains("\n\(name) ") } == [true, false], "\(name)")
    }
    #expect(metrics.allSatisfy { $0.contains(#"parva_webhook_waiting_events{webhook="h"}"#) })
    for path in ["/v1/webhooks/h/dead-letters", "/v1/nodes"] { #expect(Self.isOwn(try await second.ask("GET", path))) }
    #expect(try await second.ask("GET", "/v1/webhooks/none").problem == "404 not_found")
    // One that takes connections and says nothing.
    await first.server.shutdown(deadline: .zero)
    let silent = try SilentListener(at: first.address)
    async let fleet = second.ask("GET", "/v1/fleet")
    await silent.untilAsked(1)
    let own = try await fleet
    #expect(own.status == 200 && Self.isOwn(own), "\(own.text)")
    silent.close()
    await log.lead(nil)
    for path in words {
      let own = try await second.ask("GET", path)
      #expect(own.status == 200 && Self.isOwn(own), "\(own.text)")
    }
    for node in [second, first] { await node.end() }
  }

  @Test("one request that is slow does not keep others from leading, and what comes late is not done")
  func leadershipIsGivenUpWhileARequestIsOpen() async throws {
    let log = SharedLog()
    let nodes = try await ReplicaNode.several(2, on: log, handOver: .zero)
    let (first, second) = (nodes[0], nodes[1])
    #expect(try await first.ask("POST", "/v1/workloads", Bodies.workload("a")).status == 201)
    let slow = Gate(isOpen: false)
    let ending = Task { try await first.host.stop { await slow.pass() } }
    while first.store.standing != .follower(of: nil) { await Task.yield() }
    // It still has connections.
    #expect(try await first.ask("POST", "/v1/workloads", Bodies.workload("b")).problem == "503 not_leader")
    let read = try await first.ask("GET", "/v1/workloads/a")
    #expect(read.status == 200 && Self.isOwn(read), "\(read.text)")
    await log.lead(second.store)
    try await second.until("leader")
    #expect(try await second.ask("GET", "/v1/workloads/b").status == 404)
    #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("b")).status == 201)
    slow.open()
    try await ending.value
    await first.server.shutdown(deadline: .zero)
    await second.end()
  }

  @Test("one whose requests end soon is not waited for, and a follower that ends passes on until its last request")
  func whoEndsWithoutWaiting() async throws {
    let log = SharedLog()
    let nodes = try await ReplicaNode.several(2, on: log, handOver: .seconds(600))
    let (first, second) = (nodes[0], nodes[1])
    let slow = Gate(isOpen: false)
    let ending = Task { try await second.host.stop { await slow.pass() } }
    await slow.untilHeld()
    #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("a")).status == 201)
    slow.open()
    try await ending.value
    await second.server.shutdown(deadline: .zero)
    #expect(first.store.standing == .leader(term: 1))
    try await first.host.stop()
    #expect(first.store.standing == .follower(of: nil))
    await first.server.shutdown(deadline: .zero)
  }

  @Test("a follower that is cut off from the store does not wait for it after every write")
  func writesOfWhoIsCutOff() async throws {
    let nodes = try await ReplicaNode.several(2, on: SharedLog())
    let (first, second) = (nodes[0], nodes[1])
    second.store.hold(true)
    // That it is cut off it knows after a second.
    #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("a")).status == 201)
    let begun = ContinuousClock.now
    for index in 0..<8 {
      #expect(try await second.ask("POST", "/v1/workloads", Bodies.workload("w\(index)")).status == 201)
      // What it has shown it shows again, as the leader has it.
      #expect(try await second.ask("GET", "/v1/workloads/w\(index)").status == 200)
    }
    #expect(begun.duration(to: .now) < .seconds(12))
    second.store.hold(false)
    for node in [second, first] { await node.end() }
  }
}
