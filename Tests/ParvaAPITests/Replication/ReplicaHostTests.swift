import Foundation
import Logging
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaWire
import Synchronization
import Testing

@testable import ParvaAPI

/// Several controllers on one store, each behind a server of its own.
@Suite struct ReplicaHostTests {
  private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

  private typealias Node = ReplicaNode

  @Test func anyReplicaTakesWritesAndReadsWhatItTook() async throws {
    let log = SharedLog()
    let nodes = [try await Node(log), try await Node(log), try await Node(log)]
    let none = try await nodes[0].ask("POST", "/v1/workloads", Bodies.workload("early"))
    #expect(none.problem == "503 not_leader" && none.headers["Retry-After"] == "1")
    await log.lead(nodes[1].store)
    try await nodes[1].until("leader")
    for (index, node) in nodes.enumerated() {
      let made = try await node.ask("POST", "/v1/workloads", Bodies.workload("w\(index)"))
      #expect(made.status == 201, "\(made.text)")
      #expect(made.headers["Parva-Role"] == (index == 1 ? "leader" : "follower"))
      #expect(made.headers["Parva-Position"] == nil && made.headers["Parva-Staleness"] == nil)
      // Read at once where it was written.
      let read = try await node.ask("GET", "/v1/workloads/w\(index)")
      #expect(read.status == 200 && read.json("id") == "w\(index)", "\(read.text)")
      #expect((read.headers["Parva-Staleness"].flatMap { Double($0) } != nil) == (index != 1))
      let sure = try await node.ask("GET", "/v1/workloads/w\(index)?consistent=true")
      #expect(sure.status == 200 && sure.headers["Parva-Staleness"] == nil)
      // What a refusal says is the leader's word, too.
      #expect(try await node.ask("POST", "/v1/workloads", Bodies.workload("w\(index)")).problem == "409 already_exists")
      #expect(try await node.ask("GET", "/v1/workloads?consistent=maybe").problem == "400 invalid_parameter")
      let ready = try await node.ask("GET", "/v1/plan?wait=60")
      #expect(ready.status == 200, "\(ready.text)")
    }
    #expect(try await nodes[0].ask("GET", "/readyz").json("replica", "leader") == nodes[1].address)
    #expect(try await nodes[1].ask("GET", "/readyz").json("replica", "role") == "leader")
    let metrics = try await nodes[0].ask("GET", "/metrics").text
    #expect(metrics.contains(#"parva_replica_forwarded_total{outcome="answered"}"#))
    // Whoever is passed something on for a leader that it is not says so, and passes nothing on.
    let looped = try await nodes[0].ask(
      "POST", "/v1/workloads", Bodies.workload("loop"), headers: ["Parva-Forwarded-By": "http://x"])
    #expect(looped.problem == "503 not_leader")
    for node in nodes { await node.end() }
  }

  @Test func whoTakesOverPlansNothingAnewAndOthersGoOnReading() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(3, on: log)
    _ = try await nodes[2].ask("POST", "/v1/workloads", Bodies.workload("web"))
    let old = nodes[0].host.controller
    for next in [1, 2, 0] {
      let planned = try await nodes[next].ask("GET", "/v1/plan?consistent=true&wait=60")
      #expect(planned.status == 200)
      let stream = Task { try await nodes[next].ask("GET", "/v1/plan?after=999&wait=30") }
      let before = nodes[next].host.controller
      while before.board.view.plan?.record.demandRevision != before.registry.revision { await Task.yield() }
      let since = try await nodes[next].ask("GET", "/v1/workloads/web").json("status", "conditions", "0", "since")
      await log.lead(nodes[next].store)
      // The others answer whatever happens.
      let read = try await nodes[(next + 1) % 3].ask("GET", "/v1/workloads/web")
      #expect(read.status == 200, "\(read.text)")
      try await nodes[next].until("leader")
      let plan = try await nodes[next].ask("GET", "/v1/plan?consistent=true")
      #expect(plan.body == planned.body && plan.headers["Parva-Plan-Origin"] == "stored", "\(plan.text)")
      // What was read before is not read anew, and since when something is so stays.
      let after = nodes[next].host.controller
      #expect(after !== before && after.board.view.plan === before.board.view.plan)
      let told = try await nodes[next].ask("GET", "/v1/workloads/web").json("status", "conditions", "0", "since")
      #expect(told == since && since != nil)
      let written = try await nodes[(next + 1) % 3].ask("PATCH", "/v1/workloads/web", #"{"labels":{"n":"\#(next)"}}"#)
      #expect(written.status == 200, "\(written.text)")
      _ = try? await stream.value
    }
    // One of a term before stores and pushes nothing any more.
    var batch = StoreBatch()
    batch.demandRevision = 99
    await #expect(throws: StoreError.self) { try await old.store.commit(batch) }
    for node in nodes { await node.end() }
  }

  @Test("what a replica has passed on for others is the least that it answers with itself")
  func answersNeverGoBack() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(2, on: log)
    _ = try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("a"))
    // Cut off from the store, and not from the leader.
    nodes[1].store.hold(true)
    #expect(try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("b")).status == 201)
    for _ in 0..<3 {
      let read = try await nodes[1].ask("GET", "/v1/workloads/b")
      #expect(read.status == 200 && read.headers["Parva-Staleness"] == nil, "\(read.text)")
    }
    // Nor does it where nobody can be asked any more.
    await log.lead(nil)
    #expect(try await nodes[1].ask("GET", "/v1/workloads").problem == "503 copy_too_old")
    nodes[1].store.hold(false)
    while try await nodes[1].ask("GET", "/v1/workloads/b").headers["Parva-Staleness"] == nil { await Task.yield() }
    for node in nodes { await node.end() }
  }

  @Test("what a replica lacks of what it has shown, it gets from another one where the store is away for all")
  func whatWasShownComesFromOthers() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(3, on: log, seal: Self.secret)
    _ = try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("a"))
    nodes[1].store.hold(true)
    nodes[2].store.hold(true)
    #expect(try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("b")).status == 201)
    // Nobody can write or read there, and who led cannot say that it still does.
    await log.lead(nil)
    for id in ["b", "a"] {
      let read = try await nodes[1].ask("GET", "/v1/workloads/\(id)")
      #expect(read.status == 200 && read.headers["Parva-Staleness"] != nil, "\(read.text)")
    }
    // One that has shown nothing newer answers with what it has.
    #expect(try await nodes[2].ask("GET", "/v1/workloads/b").status == 404)
    // Nobody else is given what is stored: there are secrets in it.
    for headers in [[:], ["Parva-Forwarded-By": "http://evil"]] as [HTTPHeaders] {
      let asked = try await nodes[0].ask("GET", PeerExchange.logPath + "?after=0", headers: headers)
      #expect(asked.problem == "403 peer_unverified")
    }
    for node in nodes { node.store.hold(false) }
    await log.lead(nodes[2].store)
    try await nodes[2].until("leader")
    #expect(try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("c")).status == 201)
    for node in nodes { #expect(try await node.ask("GET", "/v1/workloads/b?consistent=true").status == 200) }
    for node in nodes { await node.end() }
  }

  @Test("reads that wait for what was shown are answered by who takes the place", .timeLimit(.minutes(1)))
  func waitingReadsOverATakeOver() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(2, on: log)
    nodes[1].store.hold(true)
    #expect(try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("b")).status == 201)
    await log.lead(nil)
    try await withThrowingTaskGroup(of: HTTPResponse.self) { group in
      for _ in 0..<20 { group.addTask { try await nodes[1].ask("GET", "/v1/workloads/b") } }
      nodes[1].store.hold(false)
      await log.lead(nodes[1].store)
      for try await read in group { #expect(read.status == 200 && read.json("id") == "b", "\(read.text)") }
    }
    for node in nodes { await node.end() }
  }

  @Test("requests that were passed on to a leader which was stopped end when it leads no more", .timeLimit(.minutes(1)))
  func aStoppedLeaderIsLeft() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(3, on: log)
    while nodes[2].store.standing != nodes[1].store.standing { await Task.yield() }
    // It takes connections and says nothing.
    await nodes[0].server.shutdown(deadline: .zero)
    let silent = try SilentListener(at: nodes[0].address)
    defer { silent.close() }
    let write = Task { try await nodes[2].ask("POST", "/v1/workloads", Bodies.workload("w")) }
    let read = Task { try await nodes[2].ask("GET", "/v1/workloads?consistent=true") }
    await silent.untilAsked(2)
    await log.lead(nodes[1].store)
    try await nodes[1].until("leader")
    #expect(try await write.value.problem == "503 outcome_unknown")
    // What is only read, the next one is asked.
    let answered = try await read.value
    #expect(answered.status == 200 || answered.problem == "503 not_leader", "\(answered.text)")
    for node in nodes { await node.end() }
  }

  @Test("who leads no more says how old what it still answers with is, though its copy goes on")
  func ageOfWhoWasReplaced() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(2, on: log)
    nodes[0].building.shut()
    await log.lead(nodes[1].store)
    try await nodes[1].until("leader")
    #expect(try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("new")).status == 201)
    let written = ContinuousClock.now
    while nodes[0].store.position < nodes[1].store.position { await Task.yield() }
    let asked = ContinuousClock.now
    let read = try await nodes[0].ask("GET", "/v1/workloads")
    let age = try #require(read.headers["Parva-Staleness"].flatMap { Double($0) })
    // It is told to the millisecond.
    #expect(!read.text.contains("new") && .seconds(age) >= written.duration(to: asked) - .milliseconds(1))
    nodes[0].building.open()
    try await nodes[0].until("follower")
    for node in nodes { await node.end() }
  }

  @Test func aCopyThatIsReadAnewAndOneThatIsTooOld() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(2, on: log)
    _ = try await nodes[0].ask("POST", "/v1/workloads", Bodies.workload("a"))
    let before = nodes[1].host.controller
    await nodes[1].store.reset()
    while nodes[1].host.controller === before { await Task.yield() }
    _ = try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("b"))
    #expect(try await nodes[1].ask("GET", "/v1/workloads/b").status == 200)
    _ = try await nodes[1].ask("GET", "/v1/plan?consistent=true&wait=60")
    // The store's trouble is told by code, and reading goes on.
    nodes[1].store.ail(StoreError(.unavailable, "no majority"))
    let ailing = try await nodes[1].ask("GET", "/readyz")
    #expect(ailing.problem == "503 store_unavailable")
    let told = "It follows \(nodes[0].address), which leads in term"
    #expect(ailing.json("detail")?.contains(told) == true, "\(ailing.text)")
    #expect(try await nodes[1].ask("GET", "/v1/workloads/b").status == 200)
    nodes[1].store.ail(nil)
    #expect(try await nodes[1].ask("GET", "/readyz").status == 200)
    for node in nodes { await node.end() }
  }

  @Test func tokensAndCertificatesCountEverywhere() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(2, on: log, needsToken: true, seal: Self.secret)
    let made = try await nodes[0].host.controller.tokens.create(
      TokenRegistry.Wish(name: "ops", role: .operator, createdBy: "test"))
    let bearer: HTTPHeaders = ["Authorization": "Bearer \(made.secret)"]
    let written = try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("a"), headers: bearer)
    #expect(written.status == 201, "\(written.text)")
    #expect(try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("b")).problem == "401 credentials_missing")
    // Nobody but a replica says who somebody is.
    var forged = bearer
    forged["Parva-Forwarded-By"] = "http://evil"
    forged["Parva-Peer-Identity"] = PeerSeal.identity("CN=admin", [])
    #expect(
      try await nodes[0].ask("GET", "/v1/workloads", headers: forged).problem == "403 peer_unverified")
    let exchange = try await nodes[0].ask("POST", PeerExchange.path, #"{"after":-1,"uses":{}}"#, headers: bearer)
    #expect(exchange.problem == "403 peer_unverified")
    // A use at a follower is told to the leader, which keeps it.
    _ = try await nodes[1].ask("GET", "/v1/workloads", headers: bearer)
    while nodes[0].host.controller.tokens.token(made.token.id)?.lastUsedAt == nil { await Task.yield() }
    for node in nodes { await node.end() }
  }

  @Test func endpointsAreTheLeadersEverywhereAndStayWhileAnotherTakesOver() async throws {
    let log = SharedLog()
    let nodes = try await Node.several(2, on: log)
    // A node that speaks to the follower.
    var state = FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0, instances: [(profile: 0, start: 0)])])
    state.verified = VerifiedDocument(revision: 7)
    state.services = [
      ServiceDocument(
        kind: "server", gpu: "GPU-n1-0", profileId: 0, start: 0, uuid: "MIG-1", ordinal: 0, workload: "web", pid: 7,
        port: 9000, status: "healthy", restarts: 0, message: nil)
    ]
    let put = try await nodes[1].ask("PUT", "/v1/nodes/n1", #"{"address":"http://127.0.0.1:1"}"#)
    #expect(put.status == 201, "\(put.text)")
    let wanted = WantedInstance(
      profileID: 0, start: 0, segment: "web/1", workload: "web", model: "m", batch: 1, processes: 1, capacity: 100,
      launch: LaunchSpec(command: "/bin/server", port: 9000))
    nodes[0].host.controller.nodes.verified(
      NodeAssignment(revision: 7, gpus: [WantedGPU(uuid: "GPU-n1-0", instances: [wanted])]), on: "n1")
    let beat = try await nodes[1].ask("POST", "/v1/nodes/n1/status", try FleetSamples.body(state))
    #expect(beat.status == 200, "\(beat.text)")
    func version(_ node: Node) async throws -> String? {
      let list = try await node.ask("GET", "/v1/endpoints")
      return list.json("endpoints", "0", "state") == "ready" ? list.json("version") : nil
    }
    let told = try #require(try await version(nodes[0]))
    while try await version(nodes[1]) != told { await Task.yield() }
    let asked = try await nodes[1].ask(
      "POST", "/v3/discovery:endpoints", #"{"node":{"id":"edge"},"resource_names":["workload/web"]}"#)
    #expect(asked.status == 200 && asked.headers["Parva-Staleness"] != nil, "\(asked.text)")
    // How the servers are is stored, so that all can tell what runs.
    try await nodes[0].host.controller.nodes.flush()
    #expect(try await nodes[1].ask("GET", "/v1/nodes/n1?consistent=true").text.contains("healthy"))
    await log.lead(nodes[1].store)
    try await nodes[1].until("leader")
    for node in nodes.reversed() { #expect(try await version(node) == told) }
    for node in nodes { await node.end() }
  }

  @Test func aLostAnswerIsNotAskedForAgain() async throws {
    let count = Mutex(0)
    var quiet = Logger(label: "test")
    quiet.logLevel = .critical
    // One that dies in the middle of its answer.
    let server = HTTPServer(
      configuration: .init(addresses: ["127.0.0.1:0"]),
      router: Router(
        routes: ["POST", "GET"].map { method in
          Route(
            method, "/v1/workloads",
            .async { _ in
              count.withLock { $0 += 1 }
              return HTTPResponse(status: 200, contentType: "text/plain") { _ in throw CancellationError() }
            })
        }, logger: quiet), logger: quiet)
    let address = "http://" + (try server.start()[0])
    let link = PeerLink(address: "http://127.0.0.1:1", seal: nil)
    func code(_ method: String, _ leader: ReplicaStanding.Leader?) async -> String {
      do throws(ProblemDetails) {
        let request = HTTPRequest(method: method, path: "/v1/workloads", body: Data("{}".utf8))
        return "\(try await link.pass(request, to: leader).response.status)"
      } catch {
        return error.code
      }
    }
    let leader = ReplicaStanding.Leader(term: 1, address: address)
    #expect(await code("POST", leader) == "outcome_unknown")
    #expect(count.withLock { $0 } == 1)
    #expect(await code("GET", leader) == "not_leader")
    #expect(await code("POST", nil) == "not_leader")
    #expect(await code("POST", ReplicaStanding.Leader(term: 1, address: link.address)) == "not_leader")
    await server.shutdown(deadline: .zero)
    #expect(await code("POST", leader) == "not_leader")
  }
}
