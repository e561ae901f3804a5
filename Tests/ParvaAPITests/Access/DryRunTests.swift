import Foundation
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Testing

/// A dry run says what a request would do, and does nothing of it.
@Suite struct DryRunTests {
  private static let dry = [(name: "dryRun", value: "true")]

  @Test("each route that changes something has its dry run: it stores nothing and foretells the answer")
  func everyChangeCanBeTried() async throws {
    let clock = ManualClock()
    var gated: GatedStore?
    let api = try await Harness({ $0.nodes.clock = { clock.now } }) { store in
      let gate = GatedStore(store)
      gated = gate
      return gate
    }
    let store = try #require(gated)
    let routes = RouteTable(api.controller).routes
    let changing = Set(routes.filter { $0.access?.isRecorded == true }.map { "\($0.method) \($0.pattern)" })
    #expect(Set(ChangingRequest.all.map(\.operation)).union(ChangingRequest.left) == changing)
    try await api.join(try FleetSamples.state("n1", gpus: 1))
    var last = ""
    for change in ChangingRequest.all {
      try await change.prepare(api, clock)
      let method = String(change.operation.prefix { $0 != " " })
      let path = change.path.replacing("LAST", with: last)
      let rows = store.auditRows
      let dry = await api.send(method, path, query: Self.dry, body: change.body)
      #expect(dry.status == 200, "\(change.operation): \(dry.text)")
      #expect(store.auditRows == rows, "\(change.operation)")
      // What was to be new is new still, and what was to go is there.
      let done = await api.send(method, path, body: change.body)
      #expect((200..<300).contains(done.status), "\(change.operation): \(done.text)")
      #expect(store.auditRows == rows + 1, "\(change.operation)")
      if routes.first(where: { "\($0.method) \($0.pattern)" == change.operation })?.triesItself != true {
        #expect(dry.headers["Content-Type"] == "application/vnd.parva.dry-run+json", "\(change.operation)")
        #expect(dry.json("status") == "\(done.status)", "\(change.operation): \(dry.text)")
        #expect(dry.json("changed") == "1", "\(change.operation): \(dry.text)")
        #expect((dry.json("before") != nil) == change.before, "\(change.operation): \(dry.text)")
        #expect((dry.json("after") != nil) == change.after, "\(change.operation): \(dry.text)")
        #expect(
          !dry.text.contains("parva_") && !dry.text.contains("whsec_"), "\(change.operation) tells a secret")
      }
      if let location = done.headers["Location"] {
        last = location.split(separator: "/").last.map(String.init) ?? ""
      }
    }
    try await api.controller.stop()
  }

  @Test("whatever else is no read refuses the parameter, and none passes it over")
  func nobodyPassesItOver() async throws {
    let api = try await Harness(starts: false)
    for route in RouteTable(api.controller).routes
    where route.access?.isRecorded == false && !["GET", "HEAD"].contains(route.method) {
      if route.pattern.contains("nodes") {
        _ = await api.send("PUT", "/v1/nodes/n1", body: #"{"address":"http://127.0.0.1:2"}"#)
      }
      let path = route.pattern.replacing("{name}", with: "n1")
      let answer = await api.send(route.method, path, query: Self.dry, body: "{}")
      #expect(answer.problem == "400 unknown_parameter", "\(route.method) \(route.pattern): \(answer.text)")
    }
  }

  @Test("a dry run is in the audit as what it is, and as no change")
  func theAuditKnows() async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("PUT", "/v1/workloads/a", query: Self.dry, body: Bodies.workload("a"))
    _ = await api.send("PUT", "/v1/workloads/a", query: [("dryRun", "maybe")], body: Bodies.workload("a"))
    let list = await api.send("GET", "/v1/audit")
    let rows = try JSONDecoder().decode(JSONValue.self, from: list.body)["entries"].elements
    #expect(rows.map { $0["path"] } == ["/v1/workloads/a", "/v1/workloads/a?dryRun=true"])
    #expect(rows.map { $0["status"] } == [400, 200] && rows.allSatisfy { $0["changed"] == false }, "\(list.text)")
  }

  @Test("a dry run tells the workload as it would be, and that the store takes no writes")
  func whatIsTold() async throws {
    var gated: GatedStore?
    let api = try await Harness(
      starts: false,
      storing: { store in
        let gate = GatedStore(store)
        gated = gate
        return gate
      })
    _ = await api.send("PUT", "/v1/workloads/a", body: Bodies.workload("a"))
    let patched = await api.send("PATCH", "/v1/workloads/a", query: Self.dry, body: #"{"rate":7,"priority":2}"#)
    #expect(patched.json("workload", "rate") == "7.0" && patched.json("workload", "priority") == "2", "\(patched.text)")
    #expect(patched.headers["ETag"] == nil && patched.headers["Location"] == nil)
    let set = await api.send(
      "PUT", "/v1/workloads", query: Self.dry, body: Bodies.batch(Bodies.workload("b"), Bodies.workload("c")))
    #expect(set.json("changes", "0", "set", "count") == "2" && set.json("changes", "0", "removed", "first", "0") == "a")
    gated?.fail(with: StoreError(.full, "full")) { !$0.registrations.isEmpty }
    #expect(await api.send("PUT", "/v1/workloads/b", body: Bodies.workload("b")).problem == "507 store_full")
    let full = await api.send("PUT", "/v1/workloads/b", query: Self.dry, body: Bodies.workload("b"))
    #expect(full.problem == "507 store_full")
  }

  @Test(
    "whatever is asked, a dry run answers as the request then does, and leaves everything as it was", arguments: 0..<8)
  func foretells(_ round: Int) async throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let api = try await Harness(starts: false) { $0.maxWorkloads = 6 }
    let ids = ["a", "b", "c", "d"]
    for step in 0..<60 {
      let id = ids.randomElement(using: &random)!
      let rate = [1.0, 2, -1].randomElement(using: &random)!
      let (method, path, body): (String, String, String) =
        switch Int.random(in: 0..<7, using: &random) {
        case 0: ("POST", "/v1/workloads", Bodies.workload(id, rate: rate))
        case 1: ("PUT", "/v1/workloads/\(id)", Bodies.workload(id, rate: rate))
        case 2: ("PATCH", "/v1/workloads/\(id)", #"{"rate":\#(rate)}"#)
        case 3: ("DELETE", "/v1/workloads/\(id)", "")
        case 4:
          (
            "POST", "/v1/workloads/batch",
            Bodies.batch(Bodies.workload(id, rate: rate), Bodies.workload("x\(step % 5)", rate: 1))
          )
        case 5: ("PUT", "/v1/workloads", Bodies.batch(Bodies.workload(id, rate: rate), Bodies.workload("e", rate: 1)))
        default: ("PATCH", "/v1/workloads", #"[{"id":"\#(id)","rate":\#(rate)},{"id":"e","rate":2}]"#)
        }
      var headers = HTTPHeaders()
      let revision = api.controller.registry.revision
      if Bool.random(using: &random) { headers["If-Match"] = "\"\(Int.random(in: 0...revision, using: &random))\"" }
      if Int.random(in: 0..<4, using: &random) == 0, method != "PUT" { headers["Idempotency-Key"] = "k\(step % 3)" }
      let before = await api.send("GET", "/v1/workloads").text
      let dry = await api.send(method, path, query: Self.dry, headers, body: body)
      #expect(await api.send("GET", "/v1/workloads").text == before, "seed \(seed), step \(step)")
      #expect(api.controller.registry.revision == revision, "seed \(seed), step \(step)")
      let done = await api.send(method, path, headers, body: body)
      let has = api.controller.registry.revision != revision
      let comment: Comment = "seed \(seed), step \(step): \(method) \(path) \(dry.text) \(done.text)"
      if done.status < 300 {
        #expect(dry.status == 200 && dry.json("status") == "\(done.status)", comment)
        #expect(dry.json("changed") == (has ? "1" : "0"), comment)
      } else {
        #expect(dry.problem == done.problem && dry.json("pointer") == done.json("pointer"), comment)
      }
    }
  }
}
