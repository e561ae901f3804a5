import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import Testing

@testable import ParvaAPI

/// What replicas ask of each other, and what they say of each other.
@Suite struct ReplicaPeersTests {
  @Test("waits that are passed on are bounded, and changes pass beside them", .timeLimit(.minutes(1)))
  func waitsAreBounded() async throws {
    let log = SharedLog()
    let nodes = try await ReplicaNode.several(2, on: log)
    _ = try await nodes[1].ask("POST", "/v1/workloads", Bodies.workload("a"))
    let leader = try #require(nodes[1].leader)
    let waits: [[(name: String, value: String)]] = [[("after", "999"), ("wait", "60")], [("after", "999")]]
    func wait(_ index: Int) -> Task<String, Never> {
      Task { [link = nodes[1].link] in
        let request = HTTPRequest(method: "GET", path: "/v1/plan", query: waits[index % 2] + [("consistent", "true")])
        do throws(ProblemDetails) {
          return "\(try await link.pass(request, to: leader).response.status)"
        } catch {
          return error.code
        }
      }
    }
    let waiting = (0..<PeerLink.mostHeld).map(wait)
    while nodes[1].link.heldNow < PeerLink.mostHeld { await Task.yield() }
    #expect(await wait(0).value == "too_busy")
    let refused = try await nodes[1].ask("GET", "/v1/plan?after=999&wait=60&consistent=true")
    #expect(refused.problem == "503 too_busy" && refused.headers["Retry-After"] == "1")
    #expect(try await nodes[1].ask("PUT", "/v1/workloads/b", Bodies.workload("b")).status == 201)
    #expect(try await nodes[1].ask("GET", "/v1/workloads/b?consistent=true").status == 200)
    // A plain read of the plan waits for nothing but a planning that is under way.
    #expect(try await nodes[1].ask("GET", "/v1/plan?consistent=true").status == 200)
    for node in nodes { node.host.releaseWaiters() }
    for one in waiting { #expect(await one.value != "too_busy") }
    #expect(nodes[1].link.heldNow == 0)
    for node in nodes { await node.end() }
  }

  @Test("of two versions, what one of them does not know does not count, and what both know does")
  func versionsBesideEachOther() {
    func member(_ id: String, _ version: String, _ options: [String: String]) -> ReplicaMember {
      var member = ReplicaMember(address: "http://\(id)", version: version, options: options)
      member.id = id
      return member
    }
    let here = member("a", "1", ["margin": "5%", "old": "x"])
    func codes(_ there: ReplicaMember) -> [String] {
      let seen = [here, there].map { SeenReplica($0, since: .now - .seconds(60)) }
      let found = ReplicaFinding.all(seen, own: "a", reach: ["b": .answers(id: "b")], hindrance: nil, now: .now)
      return found.map { "\($0.code.rawValue) \($0.id)" }
    }
    #expect(codes(member("b", "2", ["margin": "5%", "new": "y"])) == [])
    #expect(codes(member("b", "2", ["margin": "9%", "new": "y"])) == ["options_differ b"])
    #expect(codes(member("b", "1", ["margin": "5%", "new": "y"])) == ["options_differ b"])
  }

  @Test("what replicas tell each other is read where a newer version tells more")
  func wordsOfANewerVersion() throws {
    let answer = #"{"edition":3,"endpoints":[],"workloads":["w"],"regions":["eu"]}"#
    let read = try JSONDecoder().decode(PeerExchange.Answer.self, from: Data(answer.utf8))
    #expect(read.edition == 3 && read.table != nil)
    let word = #"{"after":7,"uses":{"t":1.5},"mood":"fine"}"#
    #expect(try JSONDecoder().decode(PeerExchange.Word.self, from: Data(word.utf8)).uses == ["t": 1.5])
    let entry = try ReplicaEntry(StoreBatch(), position: 4, nonce: .max)
    let written = String(decoding: try JSONEncoder().encode(entry), as: UTF8.self)
    let more = written.replacing("{", with: #"{"more":1,"#, maxReplacements: 1)
    #expect(try JSONDecoder().decode(ReplicaEntry.self, from: Data(more.utf8)) == entry)
  }

  @Test(
    "a replica at whose address another leads says so, and passes nothing on to itself",
    .timeLimit(.minutes(1)))
  func aSharedAddress() async throws {
    let log = SharedLog()
    let node = try await ReplicaNode(log)
    let twin = try log.replica()
    await twin.campaign(as: ReplicaMember(address: node.address))
    await log.lead(twin)
    let refused = try await node.ask("PUT", "/v1/workloads/a", Bodies.workload("a"))
    #expect(refused.problem == "503 not_leader")
    #expect(refused.json("detail")?.contains("give each its own") == true, "\(refused.text)")
    let ready = try await node.ask("GET", "/readyz")
    #expect(ready.problem == "503 not_leader" && ready.json("detail")?.contains("--advertise") == true, "\(ready.text)")
    #expect(try await node.ask("GET", "/v1/workloads").status == 200)
    /// The role of the one that is asked, and that of the other.
    func roles() async throws -> [String: String?] {
      let list = try await node.ask("GET", "/v1/replicas")
      return ["0", "1"].reduce(into: [:]) {
        $0[list.json("replicas", $1, "isAsked") ?? ""] = list.json("replicas", $1, "role")
      }
    }
    #expect(try await roles() == ["1": "follower", "0": "leader"])
    // With an address of its own there is nothing to say.
    await log.lead(node.store)
    try await node.until("leader")
    #expect(try await node.ask("PUT", "/v1/workloads/a", Bodies.workload("a")).status == 201)
    #expect(try await roles() == ["1": "leader", "0": "follower"])
    try await twin.close()
    await node.end()
  }

  @Test("replicas say where addresses and options do not fit together, when that begins and when it ends")
  func whatDoesNotFitTogether() async throws {
    let log = SharedLog()
    let first = try await ReplicaNode(log, options: ["margin": "5%"])
    let second = try await ReplicaNode(log, options: ["margin": "9%"])
    await log.lead(first.store)
    try await first.until("leader")
    func findings(_ node: ReplicaNode) async throws -> [String] {
      for _ in 0..<ReplicaCensus.leastFailures { await node.host.census.look() }
      return node.host.census.findings.map { "\($0.code.rawValue) \($0.address)" }.sorted()
    }
    #expect(try await findings(first) == ["options_differ \(second.address)"])
    #expect(try await findings(second) == ["options_differ \(first.address)"])
    let told = try await second.ask("GET", "/v1/replicas")
    let index = told.json("replicas", "0", "address") == first.address ? "0" : "1"
    #expect(told.json("replicas", index, "role") == "leader" && told.json("replicas", index, "isAsked") == "0")
    #expect(told.json("replicas", index, "differences", "0", "there") == "5%", "\(told.text)")
    #expect(told.json("replicas", index, "findings", "0", "code") == "options_differ")
    let metrics = try await first.ask("GET", "/metrics").text
    #expect(metrics.contains("parva_replicas 2\n"))
    #expect(metrics.contains(#"parva_replica_findings{code="options_differ"} 1"#))
    // One where nobody is, and one that says that it is where another is.
    let (lost, twin) = (try log.replica(), try log.replica())
    await lost.campaign(as: ReplicaMember(address: "http://127.0.0.1:1", options: ["margin": "5%"]))
    await twin.campaign(as: ReplicaMember(address: first.address, options: ["margin": "5%"]))
    let all = try await findings(first)
    #expect(
      all == [
        "address_shared \(first.address)", "address_shared \(first.address)", "address_unreachable http://127.0.0.1:1",
        "options_differ \(second.address)",
      ])
    for node in [first, second] { await node.end() }
  }
}
