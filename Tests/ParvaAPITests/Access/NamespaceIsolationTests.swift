import Foundation
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

/// One namespace sees, changes and infers nothing of another.
@Suite struct NamespaceIsolationTests {
  private static let alice = Caller(name: "alice", id: "token:a", role: "operator", namespace: "alice")
  private static let bob = Caller(name: "bob", id: "token:b", role: "operator", namespace: "bob")

  /// Without headroom, which is what others leave free.
  private static func controller() async throws -> Harness {
    var planning = try Harness.builtIn
    planning.options.headroom = false
    let api = try await Harness(planning: planning)
    for name in ["alice", "bob"] {
      #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"\#(name)"}"#).status == 201)
    }
    return api
  }

  /// All that a namespace can read, as bytes: status, tag and body of each.
  private static func seen(by caller: Caller, on api: Harness) async -> [String] {
    var seen: [String] = []
    let reads: [(path: String, query: [(name: String, value: String)], accept: String)] = [
      ("/v1/workloads", [], "application/json"), ("/v1/workloads", [], "application/yaml"),
      ("/v1/workloads", [], "application/x-ndjson"), ("/v1/workloads", [("limit", "1")], "*/*"),
      ("/v1/workloads", [("cursor", "one")], "*/*"), ("/v1/workloads", [("namespace", "bob")], "*/*"),
      ("/v1/workloads", [("namespace", "nobody")], "*/*"), ("/v1/workloads", [("state", "planned")], "*/*"),
      ("/v1/workloads/one", [], "*/*"), ("/v1/workloads/two", [], "application/yaml"),
      ("/v1/workloads/b1", [], "*/*"), ("/v1/workloads/bob:b1", [], "*/*"), ("/v1/workloads/b1/segments", [], "*/*"),
      ("/v1/workloads/one/segments", [], "*/*"), ("/v1/workloads/two/segments", [], "application/yaml"),
      ("/v1/workloads/one/history", [], "*/*"), ("/v1/workloads/b1/history", [], "*/*"),
      ("/v1/workloads/bob:b1/history", [], "*/*"),
      ("/v1/workloads/one/endpoints", [], "*/*"), ("/v1/workloads/b1/endpoints", [], "*/*"),
      ("/v1/endpoints", [], "*/*"), ("/v1/endpoints", [("workload", "b1")], "*/*"), ("/v1/plan", [], "*/*"),
      ("/v1/plan", [("after", "0"), ("wait", "0")], "*/*"), ("/v1/profiles", [("limit", "3")], "*/*"),
      ("/v1/profiles", [], "*/*"), ("/v1/profiles", [("namespace", "bob")], "*/*"),
      ("/v1/profiles/resnet50", [], "*/*"), ("/v1/profiles/bobs", [], "*/*"),
      ("/v1/profiles/resnet50", [("namespace", "bob")], "*/*"),
      ("/v1/namespaces", [], "*/*"), ("/v1/namespaces/alice", [], "*/*"), ("/v1/namespaces/bob", [], "*/*"),
      ("/v1/namespaces/nobody", [], "*/*"), ("/v1/whoami", [], "*/*"),
      ("/v1/webhooks", [], "*/*"), ("/v1/webhooks", [("limit", "1")], "*/*"), ("/v1/webhooks/mine", [], "*/*"),
      ("/v1/webhooks/bobs", [], "*/*"), ("/v1/webhooks/bob:bobs", [], "*/*"),
      ("/v1/webhooks/mine/deliveries", [], "*/*"), ("/v1/webhooks/bobs/deliveries", [], "*/*"),
      ("/v1/webhooks/mine/dead-letters", [], "*/*"), ("/v1/webhooks/bobs/dead-letters", [], "*/*"),
    ]
    for read in reads {
      let response = await api.send("GET", read.path, query: read.query, ["Accept": read.accept], as: caller)
      var body = response.text
      if let stream = response.stream {
        let text = Collected()
        try? await stream(HTTPBodyWriter { text.add($0) })
        body = text.text
      }
      let fields = response.headers.fields.sorted { $0.name < $1.name }.map { "\($0.name): \($0.value)" }
      // Of a request there is nothing but its id that is its own.
      let text = "\(read.path) \(read.query) \(response.status) \(fields) \(body)"
      seen.append(text.replacing(response.headers["X-Request-Id"] ?? "none", with: "ID"))
    }
    // What refuses, or could be, tells no more than what is read. Nothing of it changes anything.
    let tries: [(method: String, path: String, query: [(name: String, value: String)], body: String)] = [
      ("DELETE", "/v1/webhooks/bobs", [], ""), ("PATCH", "/v1/webhooks/bobs", [], #"{"enabled":false}"#),
      ("POST", "/v1/webhooks/bobs/test", [], ""), ("POST", "/v1/webhooks/bobs/replay", [], ""),
      ("POST", "/v1/webhooks/bobs/rotate-secret", [], ""), ("DELETE", "/v1/profiles/bobs", [], ""),
      ("DELETE", "/v1/profiles/resnet50", [], ""), ("DELETE", "/v1/workloads/b1", [], ""),
      ("PATCH", "/v1/workloads/b1", [], #"{"rate":1}"#),
      ("PUT", "/v1/segments/b1%2F0/endpoints", [], #"{"servers":[]}"#),
      ("PUT", "/v1/webhooks/other", [("dryRun", "true")], #"{"url":"https://a.example/"}"#),
      ("PUT", "/v1/webhooks/bobs", [("dryRun", "true")], #"{"url":"https://a.example/"}"#),
      ("POST", "/v1/workloads", [("dryRun", "true")], Bodies.workload("b1")),
    ]
    for attempt in tries {
      let response = await api.send(
        attempt.method, attempt.path, query: attempt.query, body: attempt.body, as: caller)
      let text = "\(attempt.method) \(attempt.path) \(response.status) \(response.text)"
      seen.append(text.replacing(response.headers["X-Request-Id"] ?? "none", with: "ID"))
    }
    return seen
  }

  @Test("whatever one namespace does, another reads the same bytes", arguments: [UInt64(0), 1, 2])
  func anotherReadsTheSameBytes(offset: UInt64) async throws {
    let api = try await Self.controller()
    for id in ["one", "two"] {
      #expect(
        await api.send("POST", "/v1/workloads", body: Bodies.workload(id, rate: 300), as: Self.alice).status == 201)
    }
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    let hook = #"{"url":"http://127.0.0.1:9/","enabled":false}"#
    #expect(await api.send("PUT", "/v1/webhooks/mine", body: hook, as: Self.alice).status == 201)
    // What a look at the workloads has to note yet is of her own.
    for id in ["one", "two"] {
      for _ in 0..<6000 {
        if await api.send("GET", "/v1/workloads/\(id)/history", as: Self.alice).text.contains("gives it") { break }
        try await Task.sleep(for: .milliseconds(5))
      }
    }
    let before = await Self.seen(by: Self.alice, on: api)
    #expect(before.contains { $0.hasPrefix("/v1/plan [] 200") && $0.contains("one/0") })
    var random = SeededGenerator(seed: TestSeed.of(offset: offset))
    for _ in 0..<15 {
      await Self.change(api, &random)
      _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
      let after = await Self.seen(by: Self.alice, on: api)
      for (old, new) in zip(before, after) where old != new { Issue.record("was \(old)\nis \(new)") }
      #expect(!after.joined().contains("xsecret"))
    }
    try await api.controller.stop()
  }

  /// Something that the other namespace may do.
  private static func change(_ api: Harness, _ random: inout SeededGenerator) async {
    let ids = ["one", "b1", "b2", "b3"]
    let (id, other) = (ids.randomElement(using: &random) ?? "", ids.randomElement(using: &random) ?? "")
    let rate = Double(Int.random(in: 1...2000, using: &random))
    let body = Bodies.workload(id, rate: rate, labels: #"{"team":"xsecret"}"#)
    let two = Bodies.batch(body)
    let model = ["resnet50", "bobs"].randomElement(using: &random) ?? ""
    let profile =
      #"{"model":"\#(model)","product":"A100-80GB","points":[{"profile":"1g.10gb","batch":1,"processes":1,"#
      + #""throughput":\#(rate),"latencyMs":2}]}"#
    let hook = #"{"url":"http://127.0.0.1:9/\#(rate)","enabled":\#(rate > 1000)}"#
    switch Int.random(in: 0..<13, using: &random) {
    case 10: _ = await api.send("PUT", "/v1/webhooks/bobs", body: hook, as: bob)
    case 11: _ = await api.send("DELETE", "/v1/webhooks/bobs", as: bob)
    case 12: _ = await api.send("POST", "/v1/plan/preview", body: two, as: bob)
    case 8: _ = await api.send("PUT", "/v1/profiles/\(model)", body: profile, as: bob)
    case 9: _ = await api.send("DELETE", "/v1/profiles/\(model)", as: bob)
    case 0: _ = await api.send("POST", "/v1/workloads", ["Idempotency-Key": "k\(Int(rate) % 3)"], body: body, as: bob)
    case 1: _ = await api.send("PUT", "/v1/workloads/\(id)", body: body, as: bob)
    case 2: _ = await api.send("PATCH", "/v1/workloads/\(id)", body: #"{"rate":\#(rate),"priority":9}"#, as: bob)
    case 3: _ = await api.send("DELETE", "/v1/workloads/\(id)", as: bob)
    case 4: _ = await api.send("PUT", "/v1/workloads", body: two, as: bob)
    case 5: _ = await api.send("PATCH", "/v1/workloads", body: #"[{"id":"\#(id)","rate":\#(rate)}]"#, as: bob)
    case 6: _ = await api.send("POST", "/v1/workloads/batch", body: two, as: bob)
    default: _ = await api.send("DELETE", "/v1/workloads/\(other)", query: [("dryRun", "true")], as: bob)
    }
  }

  @Test("ids are bare within a namespace and qualified for everybody else, and say the same")
  func idsWithinAndWithout() async throws {
    let api = try await Self.controller()
    let made = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"), as: Self.alice)
    #expect(made.status == 201 && made.json("id") == "web" && made.json("namespace") == "alice")
    #expect(made.headers["Location"] == "/v1/workloads/web")
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("web"), as: Self.bob).status == 201)
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("web")).status == 201)
    let all = await api.send("GET", "/v1/workloads")
    #expect((0..<3).map { all.json("workloads", "\($0)", "id") } == ["alice:web", "bob:web", "web"])
    #expect(await api.send("GET", "/v1/workloads/alice:web").json("namespace") == "alice")
    let narrowed = await api.send("GET", "/v1/workloads", query: [("namespace", "bob")])
    #expect(narrowed.json("workloads", "0", "id") == "bob:web" && narrowed.json("workloads", "1") == nil)
    let bare = await api.send("GET", "/v1/workloads", query: [("namespace", "default")])
    #expect(bare.json("workloads", "0", "id") == "web" && bare.json("workloads", "1") == nil)
    // What was answered can be sent back, in either way of speaking.
    for caller in [Self.alice, nil] {
      let path = caller == nil ? "/v1/workloads/alice:web" : "/v1/workloads/web"
      let read = await api.send("GET", path, as: caller)
      let put = await api.send("PUT", path, ["If-Match": read.headers["ETag"] ?? ""], body: read.text, as: caller)
      #expect(put.status == 200 && put.json("revision") == read.json("revision"))
    }
    let stray = await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("bob:web"), as: Self.alice)
    #expect(stray.problem == "422 namespace_mismatch")
    let named = Bodies.workload("web").replacing(#"{"id""#, with: #"{"namespace":"default","id""#)
    for (method, path, body) in [
      ("POST", "/v1/workloads", named), ("PUT", "/v1/workloads/web", named),
      ("PUT", "/v1/workloads", Bodies.batch(named)),
      ("POST", "/v1/workloads/batch", Bodies.batch(named)), ("POST", "/v1/plan/preview", Bodies.batch(named)),
    ] {
      let other = await api.send(method, path, body: body, as: Self.alice)
      #expect(other.problem == "422 namespace_mismatch", "\(method) \(path): \(other.text)")
    }
    #expect(
      await api.send("POST", "/v1/workloads", body: Bodies.workload("web"), as: Self.alice).problem
        == "409 already_exists")
    #expect(
      await api.send("POST", "/v1/workloads", body: Bodies.workload("nobody:web")).problem == "422 unknown_namespace")
    // A whole set is a namespace's own.
    #expect(await api.send("PUT", "/v1/workloads", body: Bodies.batch(), as: Self.alice).status == 200)
    let left = await api.send("GET", "/v1/workloads")
    #expect((0..<3).map { left.json("workloads", "\($0)", "id") } == ["bob:web", "web", nil])
    try await api.controller.stop()
  }

  @Test("what was tried tells bare ids alone, and the audit the qualified ones")
  func dryRunsAndTheAudit() async throws {
    let api = try await Self.controller()
    let tried = await api.send(
      "POST", "/v1/workloads", query: [("dryRun", "true")], body: Bodies.workload("web"), as: Self.alice)
    #expect(tried.json("workload", "id") == "web" && !tried.text.contains("alice"))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"), as: Self.alice)
    _ = await api.send("PATCH", "/v1/workloads/web", body: #"{"rate":7}"#, as: Self.alice)
    _ = await api.send("PUT", "/v1/workloads", body: Bodies.batch(), as: Self.alice)
    let rows = await api.send("GET", "/v1/audit", query: [("who", "alice")])
    #expect(
      (0..<4).map { rows.json("entries", "\($0)", "resource") }
        == ["workloads", "namespaces/alice/workloads", "workloads/alice:web", "workloads/alice:web"])
    try await api.controller.stop()
  }

  @Test("the plan's events reach a namespace when something is new for it, and hold nothing of the fleet")
  func planEvents() async throws {
    let api = try await Self.controller()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"), as: Self.alice)
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    let plan = await api.send("GET", "/v1/plan", as: Self.alice)
    let since = try #require(plan.json("revision"))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("other", rate: 900), as: Self.bob)
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    let response = await api.send("GET", "/v1/plan/events", as: Self.alice)
    let text = Collected()
    let stream = try #require(response.stream)
    let reading = Task { try? await stream(HTTPBodyWriter { text.add($0) }) }
    while !text.text.contains("data:") { try await Task.sleep(for: .milliseconds(2)) }
    #expect(text.text.contains(#"data: {"revision":\#(since),"plan":"/v1/plan"}"#))
    #expect(!text.text.contains("gpuCount"))
    api.controller.releaseWaiters()
    _ = await reading.value
    try await api.controller.stop()
  }
}

/// What a stream has sent.
private final class Collected: Sendable {
  private let bytes = Mutex(Data())

  func add(_ data: Data) { bytes.withLock { $0.append(data) } }

  var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
}
