import Foundation
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaHTTP
import ParvaTestSupport
import Testing

/// What a namespace is told of what happens, as it happens, and of plans that could be.
@Suite struct NamespaceNewsTests {
  private static let alice = Caller(name: "alice", id: "token:a", role: "operator", namespace: "alice")
  private static let bob = Caller(name: "bob", id: "token:b", role: "operator", namespace: "bob")
  private static let hook = #"{"url":"http://127.0.0.1:9/a"}"#

  private static func controller() async throws -> Harness {
    let api = try await Harness()
    for name in ["alice", "bob"] {
      #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"\#(name)"}"#).status == 201)
    }
    return api
  }

  /// Gives it half a minute.
  private static func until(_ isSo: () async throws -> Bool) async throws {
    for _ in 0..<6000 {
      if try await isSo() { return }
      try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("it did not come")
  }

  private static func planned(_ api: Harness) async { _ = await api.send("GET", "/v1/plan", query: [("wait", "60")]) }

  // MARK: - History

  @Test("what has happened to a workload is told to its namespace, after its end too, and to no other of that name")
  func history() async throws {
    let api = try await Self.controller()
    let path = "/v1/workloads/web/history"
    #expect(
      await api.send("POST", "/v1/workloads", body: Bodies.workload("web", rate: 120), as: Self.alice).status == 201)
    let first = await api.send("GET", path, as: Self.alice)
    #expect(first.json("workload") == "web" && first.json("history", "0", "reason") == "created")
    await Self.planned(api)
    try await Self.until { await api.send("GET", path, as: Self.alice).text.contains("gives it") }
    let told = await api.send("GET", path, as: Self.alice)
    #expect(told.json("history", "0", "message") == "120 requests/s of resnet50 within 200 ms")
    #expect(await api.send("GET", path, ["If-None-Match": told.headers["ETag"] ?? ""], as: Self.alice).status == 304)
    #expect(await api.send("GET", "/v1/workloads/alice:web/history").json("workload") == "alice:web")
    for (path, caller) in [(path, Self.bob), ("/v1/workloads/alice:web/history", Self.bob), (path, nil)] {
      #expect(await api.send("GET", path, as: caller).problem == "404 not_found")
    }
    #expect(await api.send("DELETE", "/v1/workloads/web", as: Self.alice).status == 204)
    try await Self.until { await api.send("GET", path, as: Self.alice).text.contains("deleted") }
    #expect(await api.send("GET", "/v1/workloads/web", as: Self.alice).status == 404)
    #expect(await api.send("GET", path, as: Self.alice).json("history", "0", "reason") == "created")
    #expect(await api.send("DELETE", "/v1/namespaces/alice").status == 204)
    #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"alice"}"#).status == 201)
    #expect(await api.send("GET", path, as: Self.alice).problem == "404 not_found")
    try await api.controller.stop()
  }

  // MARK: - Subscribers

  @Test("a namespace has subscribers of its own, under bare ids, and nobody else's are there for it")
  func subscribers() async throws {
    let api = try await Self.controller()
    let made = await api.send("PUT", "/v1/webhooks/ci", body: Self.hook, as: Self.alice)
    #expect(made.status == 201 && made.json("id") == "ci" && made.headers["Location"] == "/v1/webhooks/ci")
    #expect((0..<3).map { made.json("types", "\($0)") } == ["plan.published", "workload.state_changed", nil])
    #expect(await api.send("PUT", "/v1/webhooks/ci", body: Self.hook, as: Self.bob).status == 201)
    #expect(await api.send("PUT", "/v1/webhooks/ci", body: Self.hook).status == 201)
    let other = await api.send("POST", "/v1/webhooks", body: Self.hook, as: Self.alice)
    #expect(other.status == 201 && other.json("id")?.hasPrefix("wh-") == true)
    let all = await api.send("GET", "/v1/webhooks")
    #expect((0..<2).map { all.json("webhooks", "\($0)", "id") } == ["alice:ci", "alice:\(other.json("id") ?? "")"])
    #expect((2..<5).map { all.json("webhooks", "\($0)", "id") } == ["bob:ci", "ci", nil])
    let first = await api.send("GET", "/v1/webhooks", query: [("limit", "1")], as: Self.alice)
    #expect(first.json("webhooks", "0", "id") == "ci" && first.json("nextCursor") == "ci")
    let second = await api.send("GET", "/v1/webhooks", query: [("limit", "1"), ("cursor", "ci")], as: Self.alice)
    #expect(second.json("webhooks", "0", "id") == other.json("id") && second.json("nextCursor") == nil)
    for path in ["/v1/webhooks/bob:ci", "/v1/webhooks/alice:ci", "/v1/webhooks/none"] {
      #expect(await api.send("GET", path, as: Self.alice).problem == "404 not_found")
      #expect(await api.send("DELETE", path, as: Self.alice).problem == "404 not_found")
    }
    let nodes = #"{"url":"https://a.example/","types":["node.state_changed"]}"#
    #expect(await api.send("POST", "/v1/webhooks", body: nodes, as: Self.alice).problem == "422 out_of_range")
    #expect(await api.send("PUT", "/v1/webhooks/alice:two", body: nodes).problem == "422 out_of_range")
    #expect(await api.send("PUT", "/v1/webhooks/alice:two", body: Self.hook).status == 201)
    #expect(await api.send("PUT", "/v1/webhooks/nobody:two", body: Self.hook).problem == "422 unknown_namespace")
    let tried = await api.send(
      "PATCH", "/v1/webhooks/ci", query: [("dryRun", "true")], body: #"{"enabled":false}"#, as: Self.alice)
    #expect(tried.json("changes", "0", "set", "first", "0") == "ci", "\(tried.text)")
    #expect(await api.send("PATCH", "/v1/webhooks/ci", body: #"{"enabled":false}"#, as: Self.alice).status == 200)
    #expect(await api.send("GET", "/v1/webhooks/bob:ci").json("enabled") == "1")
    let rows = await api.send("GET", "/v1/audit", query: [("who", "alice")])
    #expect((0..<20).contains { rows.json("entries", "\($0)", "resource") == "webhooks/alice:ci" })
    #expect(await api.send("DELETE", "/v1/namespaces/alice").problem == "409 namespace_in_use")
    try await api.controller.stop()
  }

  @Test("a namespace's limit counts its own subscribers alone, and those of default are not the fleet's")
  func limits() async throws {
    let api = try await Self.controller()
    for index in 0..<WebhookRegistry.mostOwn {
      #expect(await api.send("PUT", "/v1/webhooks/w\(index)", body: Self.hook, as: Self.alice).status == 201)
    }
    let more = await api.send("POST", "/v1/webhooks", body: Self.hook, as: Self.alice)
    #expect(more.problem == "409 too_many_webhooks" && more.text.contains("\(WebhookRegistry.mostOwn)"))
    #expect(await api.send("POST", "/v1/webhooks", body: Self.hook, as: Self.bob).status == 201)
    let standard = Caller(name: "d", id: "token:d", role: "operator", namespace: "default")
    #expect(await api.send("PUT", "/v1/webhooks/w", body: Self.hook, as: standard).status == 201)
    #expect(await api.send("GET", "/v1/webhooks/w").problem == "404 not_found")
    #expect(await api.send("GET", "/v1/webhooks/default:w").status == 200)
    #expect(await api.send("GET", "/v1/webhooks", as: standard).json("webhooks", "0", "id") == "w")
    try await api.controller.stop()
  }

  /// The events that subscribers of one namespace, or of the fleet, are told of.
  private static func told(_ api: Harness, in namespace: String?) async throws -> [String] {
    try await api.controller.store.webhookEvents(after: 0, limit: 10_000).events
      .filter { $0.namespace == namespace }.map { "\($0.type.rawValue) \(String(decoding: $0.data, as: UTF8.self))" }
  }

  @Test(
    "subscribers of a namespace are told of its workloads by bare ids, and of plans when they tell it something new")
  func whatSubscribersAreTold() async throws {
    let api = try await Self.controller()
    for caller in [Self.alice, Self.bob] {
      #expect(await api.send("PUT", "/v1/webhooks/ci", body: Self.hook, as: caller).status == 201)
    }
    for (caller, model) in [(Self.alice, "resnet50"), (Self.bob, "unknown")] {
      let body = Bodies.workload("web", model: model, rate: 50, labels: #"{"team":"of-\#(caller.name)"}"#)
      #expect(await api.send("POST", "/v1/workloads", body: body, as: caller).status == 201)
    }
    await Self.planned(api)
    let revision = await api.send("GET", "/v1/plan", as: Self.alice).json("revision") ?? ""
    let own = #"plan.published {"plan":"/v1/plan","revision":\#(revision),"unplaced":0}"#
    try await Self.until { try await Self.told(api, in: "alice").contains(own) }
    try await Self.until {
      try await Self.told(api, in: "alice").contains { $0.contains(#""reason":"planned""#) }
    }
    try await Self.until {
      try await Self.told(api, in: "bob").contains { $0.contains(#""reason":"no_profile""#) }
    }
    let (alice, bob, fleet) = try await (
      Self.told(api, in: "alice"), Self.told(api, in: "bob"), Self.told(api, in: nil)
    )
    #expect(alice.allSatisfy { $0.contains("of-alice") || $0.hasPrefix("plan.published") })
    #expect(bob.allSatisfy { $0.contains("of-bob") || $0.hasPrefix("plan.published") })
    #expect(bob.contains { $0.hasPrefix("plan.published") && $0.hasSuffix(#""unplaced":1}"#) }, "\(bob)")
    #expect(!(alice + bob).joined().contains("alice:") && !(alice + bob).joined().contains("bob:"))
    #expect(alice.filter { $0.hasPrefix("workload") }.allSatisfy { $0.contains(#""id":"web""#) })
    #expect(fleet.isEmpty, "nobody of the fleet is told")
    // What waits counts nobody else's.
    let seen = await api.send("GET", "/v1/webhooks/ci", as: Self.alice)
    let waiting = try #require(Int(seen.json("status", "waiting") ?? ""))
    let most = try await Self.told(api, in: "alice").count
    #expect(waiting <= most, "\(seen.text)")
    try await api.controller.stop()
  }

  // MARK: - Streams

  /// The events of a stream until one holds a text.
  private static func read(
    _ api: Harness, as caller: Caller, after id: String? = nil, until isLast: @escaping @Sendable (String) -> Bool
  ) async throws -> [String] {
    let response = await api.send("GET", "/v1/events", id.map { ["Last-Event-ID": $0] } ?? [:], as: caller)
    let stream = try #require(response.stream, "\(response.problem)")
    let (pieces, continuation) = AsyncStream.makeStream(of: String.self)
    let task = Task {
      defer { continuation.finish() }
      try await stream(HTTPBodyWriter { continuation.yield(String(decoding: $0, as: UTF8.self)) })
    }
    // Half a minute for it.
    let end = Task {
      try await Task.sleep(for: .seconds(30))
      continuation.finish()
    }
    defer { end.cancel() }
    var seen: [String] = []
    for await piece in pieces where !piece.hasPrefix(":") {
      seen.append(piece)
      if isLast(piece) { break }
    }
    task.cancel()
    _ = try? await task.value
    return seen
  }

  @Test("who comes under the name of a namespace that is gone finds nothing of it")
  func afterAnother() async throws {
    let api = try await Self.controller()
    let start = api.controller.events.log(of: "alice").newest
    let body = Bodies.workload("web", rate: 5)
    let key: HTTPHeaders = ["Idempotency-Key": "k1"]
    #expect(await api.send("POST", "/v1/workloads", key, body: body, as: Self.alice).status == 201)
    _ = try await Self.read(api, as: Self.alice, after: String(start)) { $0.contains("event: workload") }
    #expect(await api.send("DELETE", "/v1/workloads/web", as: Self.alice).status == 204)
    #expect(await api.send("DELETE", "/v1/namespaces/alice").status == 204)
    #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"alice"}"#).status == 201)
    #expect(api.controller.events.log(of: "alice").newest == start)
    let made = await api.send("POST", "/v1/workloads", key, body: body, as: Self.alice)
    #expect(made.status == 201 && made.headers["Idempotency-Replayed"] == nil)
    #expect(await api.send("GET", "/v1/workloads/web", as: Self.alice).status == 200)
    try await api.controller.stop()
  }

  @Test("a namespace's stream has its own events alone, numbered without holes whatever others do", arguments: 0..<3)
  func stream(round: UInt64) async throws {
    let api = try await Self.controller()
    var random = SeededGenerator(seed: TestSeed.of(offset: round))
    // From here on.
    let log = api.controller.events.log(of: "alice")
    let start = log.newest
    #expect(
      await api.send("POST", "/v1/workloads", body: Bodies.workload("web", rate: 5), as: Self.alice).status == 201)
    _ = try await Self.read(api, as: Self.alice, after: String(start)) { $0.contains("event: workload") }
    for step in 0..<12 {
      let id = ["x1", "x2", "web"].randomElement(using: &random) ?? ""
      let body = Bodies.workload(id, rate: Double(Int.random(in: 1...900, using: &random)), labels: #"{"a":"xsecret"}"#)
      _ = await api.send("PUT", "/v1/workloads/\(id)", body: body, as: Self.bob)
      if Bool.random(using: &random) { _ = await api.send("DELETE", "/v1/workloads/\(id)", as: Self.bob) }
      if step % 4 == 0 {
        _ = await api.send("PATCH", "/v1/workloads/web", body: #"{"rate":\#(step * 200 + 10)}"#, as: Self.alice)
      }
      await Self.planned(api)
    }
    #expect(await api.send("DELETE", "/v1/workloads/web", as: Self.alice).status == 204)
    await Self.planned(api)
    let gone = #"data: {"conditions":[],"id":"web"}"#
    let seen = try await Self.read(api, as: Self.alice, after: String(start)) { $0.contains(gone) }
    let ids = seen.compactMap {
      $0.split(separator: "\n").first { $0.hasPrefix("id: ") }.flatMap { Int($0.dropFirst(4)) }
    }
    #expect(ids == Array(start + 1..<start + 1 + ids.count))
    let text = seen.joined()
    for word in ["xsecret", "x1", "x2", "alice:", "bob", "gpuCount", "demandRevision"] {
      #expect(!text.contains(word), "\(word) in \(text)")
    }
    #expect(seen.allSatisfy { $0.contains("event: workload") || $0.contains("event: plan") })
    #expect(seen.contains { $0.contains("event: plan") && $0.contains(#""plan":"/v1/plan""#) })
    // Who comes with an id that nobody has given reads anew.
    let lost = try await Self.read(api, as: Self.alice, after: "7") { $0.contains("gap") }
    #expect(lost.last?.contains(#"{"read":["/v1/plan","/v1/workloads"]}"#) == true)
    try await api.controller.stop()
  }

  @Test("what was told of a namespace that is gone is not found by the next of its name")
  func eventsGoWithTheNamespace() async throws {
    let api = try await Self.controller()
    let log = api.controller.events.log(of: "alice")
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"), as: Self.alice)
    await Self.planned(api)
    _ = await api.send("DELETE", "/v1/workloads/web", as: Self.alice)
    #expect(await api.send("DELETE", "/v1/namespaces/alice").status == 204)
    try await Self.until { log.isClosed }
    #expect(api.controller.events.log(of: "alice") !== log)
    try await api.controller.stop()
  }

  @Test("a namespace in which nothing is hears nothing of others' plans")
  func nothingOfOthersPlans() async throws {
    let api = try await Self.controller()
    let none = await api.send("GET", "/v1/plan", query: [("wait", "60")], as: Self.alice)
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("web", rate: 900)).status == 201)
    await Self.planned(api)
    #expect(await api.send("GET", "/v1/plan", query: [("wait", "60")], as: Self.alice).text == none.text)
    try await api.controller.stop()
  }

  // MARK: - Previews

  @Test(
    "whether a label that a namespace guesses is another's, on an exclusive GPU, is not told by what a preview or a plan has for it"
  )
  func guessedLabels() async throws {
    func exclusive(_ id: String, _ team: String, priority: Int = 0) -> String {
      #"{"id":"\#(id)","model":"resnet50","rate":60,"slo":{"latencyMs":200},"labels":{"team":"\#(team)"},"#
        + #""priority":\#(priority),"placement":{"exclusive":"team"}}"#
    }
    var setup = try Harness.builtIn
    setup.pools[0].count = 1
    let api = try await Harness(planning: setup)
    for name in ["alice", "bob"] { _ = await api.send("POST", "/v1/namespaces", body: #"{"name":"\#(name)"}"#) }
    for owner in ["web", "bob:web"] {
      #expect(
        await api.send("PUT", "/v1/workloads/\(owner)", body: exclusive(owner, "apollo", priority: 9)).status == 201)
      _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
      var told: Set<String> = []
      for team in ["apollo", "zeus"] {
        let preview = await api.send(
          "POST", "/v1/plan/preview", body: Bodies.batch(exclusive("x", team)), as: Self.alice)
        #expect(preview.json("plan", "unplaced", "0", "workload") == "x", "\(preview.text)")
        #expect(await api.send("PUT", "/v1/workloads/x", body: exclusive("x", team), as: Self.alice).status < 300)
        _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
        let plan = await api.send("GET", "/v1/plan", as: Self.alice)
        #expect(
          plan.json("unplaced", "0", "workload") == "x" && !plan.text.contains("bob") && !plan.text.contains("web"))
        told.insert(preview.text + (plan.json("unplaced", "0", "message") ?? ""))
        #expect(await api.send("DELETE", "/v1/workloads/x", as: Self.alice).status == 204)
      }
      #expect(told.count == 1, "\(told)")
      // Of its own it shares.
      let more = exclusive(owner == "web" ? "more" : "bob:more", "apollo")
      let own = await api.send("POST", "/v1/plan/preview", query: [("base", "registered")], body: Bodies.batch(more))
      #expect(own.json("plan", "unplaced", "0", "workload") == nil, "\(own.text)")
      _ = await api.send("DELETE", "/v1/workloads/\(owner)")
    }
    try await api.controller.stop()
  }

  @Test("a preview tells a namespace what its own workloads would get, beside what others have")
  func previews() async throws {
    let api = try await Self.controller()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("hidden", rate: 900), as: Self.bob)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web", rate: 50), as: Self.alice)
    await Self.planned(api)
    func preview(_ body: String, _ base: String? = nil, as caller: Caller? = Self.alice) async -> HTTPResponse {
      await api.send("POST", "/v1/plan/preview", query: base.map { [("base", $0)] } ?? [], body: body, as: caller)
    }
    let alone = await preview(Bodies.batch(Bodies.workload("new", rate: 60), Bodies.workload("odd", model: "none")))
    #expect(alone.status == 200 && alone.json("namespace") == "alice", "\(alone.text)")
    #expect(alone.json("plan", "segments", "0", "workload") == "new")
    #expect(alone.json("plan", "unplaced", "0", "workload") == "odd")
    #expect(!alone.text.contains("web") && !alone.text.contains("hidden") && !alone.text.contains("gpus"))
    let beside = await preview(Bodies.batch(Bodies.workload("new", rate: 60)), "registered")
    #expect((0..<2).map { beside.json("plan", "segments", "\($0)", "workload") } == ["new", "web"])
    #expect(!beside.text.contains("hidden") && !beside.text.contains("alice:"))
    #expect(await preview(Bodies.batch(Bodies.workload("bob:new"))).problem == "422 namespace_mismatch")
    #expect(await api.send("GET", "/v1/workloads/new", as: Self.alice).problem == "404 not_found")
    let whole = await preview(Bodies.batch(Bodies.workload("new", rate: 60)), "registered", as: nil)
    #expect(whole.text.contains("bob:hidden") && whole.text.contains("alice:web"))
    try await api.controller.stop()
  }

  @Test("a preview has no more GPUs than others leave")
  func previewsOfScarceGPUs() async throws {
    let api = try await Self.controller()
    try await api.join(try FleetSamples.state("n1", gpus: 1))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("big", rate: 1500), as: Self.bob)
    await Self.planned(api)
    let body = Bodies.batch(Bodies.workload("huge", rate: 100_000))
    let preview = await api.send("POST", "/v1/plan/preview", body: body, as: Self.alice)
    #expect(preview.json("plan", "unplaced", "0", "workload") == "huge", "\(preview.text)")
    #expect(!preview.text.contains("big") && !preview.text.contains("fair share"))
    try await api.controller.stop()
  }
}
