import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaHTTP
import ParvaTestSupport
import Testing

/// `/v1/namespaces`, and what quotas refuse.
@Suite struct NamespaceHandlersTests {
  private static let tenant = Caller(name: "ci", id: "token:ci", role: "operator", namespace: "vision")

  @Test("a namespace is made, changed and taken away when nothing is in it")
  func life() async throws {
    let api = try await Harness(starts: false)
    let made = await api.send("POST", "/v1/namespaces", body: #"{"name":"vision","quota":{"workloads":2,"rate":50}}"#)
    #expect(made.status == 201 && made.headers["Location"] == "/v1/namespaces/vision")
    #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"vision"}"#).problem == "409 already_exists")
    #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"default"}"#).problem == "409 already_exists")
    #expect(await api.send("DELETE", "/v1/namespaces/default").problem == "409 namespace_stays")
    #expect(await api.send("GET", "/v1/namespaces/none").problem == "404 not_found")
    #expect(await api.send("DELETE", "/v1/namespaces/none").problem == "404 not_found")
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("vision:web", rate: 20))
    let list = await api.send("GET", "/v1/namespaces")
    #expect((0..<2).map { list.json("namespaces", "\($0)", "name") } == ["default", "vision"])
    #expect(list.json("namespaces", "1", "use", "rate") == "20")
    let own = await api.send("GET", "/v1/namespaces", as: Self.tenant)
    #expect(own.json("namespaces", "0", "name") == "vision" && own.json("namespaces", "1") == nil)
    #expect(await api.send("DELETE", "/v1/namespaces/vision").problem == "409 namespace_in_use")
    let tag = await api.send("GET", "/v1/namespaces/vision").headers["ETag"] ?? ""
    let put = await api.send("PUT", "/v1/namespaces/vision", ["If-Match": tag], body: #"{"quota":{"workloads":1}}"#)
    #expect(put.status == 200 && put.json("quota", "workloads") == "1" && put.json("quota", "rate") == nil)
    #expect(
      await api.send("PUT", "/v1/namespaces/vision", ["If-Match": tag], body: "{}").problem == "412 precondition_failed"
    )
    _ = await api.send("DELETE", "/v1/workloads/vision:web")
    let token = await api.send("POST", "/v1/tokens", body: #"{"name":"t","role":"reader","namespace":"vision"}"#)
    #expect(token.status == 201 && token.json("namespace") == "vision")
    let held = await api.send("DELETE", "/v1/namespaces/vision")
    #expect(held.problem == "409 namespace_in_use")
    #expect(held.json("detail") == "The namespace vision holds 1 token (parva token list), which must go first.")
    _ = await api.send("DELETE", token.headers["Location"] ?? "")
    #expect(await api.send("DELETE", "/v1/namespaces/vision").status == 204)
    #expect(
      await api.send("POST", "/v1/tokens", body: #"{"name":"t","role":"reader","namespace":"vision"}"#).problem
        == "422 unknown_namespace")
    #expect(
      await api.send("POST", "/v1/tokens", body: #"{"name":"t","role":"admin","namespace":"vision"}"#).problem
        == "422 contradiction")
    try await api.controller.stop()
  }

  @Test("what keeps a namespace is named all at once, with how much of it there is")
  func blockers() async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/namespaces", body: #"{"name":"vision"}"#)
    for id in ["a", "b", "c"] {
      #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload(id), as: Self.tenant).status == 201)
    }
    for name in ["t", "u"] {
      let body = Self.token.replacing(#""t""#, with: "\"\(name)\"")
      #expect(await api.send("POST", "/v1/tokens", body: body).status == 201)
    }
    let hook = await api.send(
      "PUT", "/v1/webhooks/mine", body: #"{"url":"http://127.0.0.1:9/hook","types":["plan.published"]}"#,
      as: Self.tenant)
    #expect(hook.status == 201, "\(hook.text)")
    let held = await api.send("DELETE", "/v1/namespaces/vision")
    #expect(held.problem == "409 namespace_in_use")
    #expect(
      held.json("detail")
        == "The namespace vision holds 3 workloads (parva get workloads), 2 tokens (parva token list), "
        + "1 subscriber (parva get webhooks), which must go first.", "\(held.text)")
    try await api.controller.stop()
  }

  private static let token = #"{"name":"t","role":"reader","namespace":"vision"}"#

  @Test("a token that is made while its namespace goes is refused, or keeps the namespace", arguments: [true, false])
  func tokensOfWhatGoes(isTokenFirst: Bool) async throws {
    var gated: GatedStore?
    let api = try await Harness(
      starts: false,
      storing: { store in
        let gate = GatedStore(store)
        gated = gate
        return gate
      })
    let gate = try #require(gated)
    #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"vision"}"#).status == 201)
    gate.shut()
    func make() async -> String { await api.send("POST", "/v1/tokens", body: Self.token).problem }
    func remove() async -> String { await api.send("DELETE", "/v1/namespaces/vision").problem }
    async let first = isTokenFirst ? make() : remove()
    await gate.untilHeld()
    async let second = isTokenFirst ? remove() : make()
    try await Task.sleep(for: .milliseconds(20))
    gate.open()
    #expect(await first == (isTokenFirst ? "201" : "204"))
    #expect(await second == (isTokenFirst ? "409 namespace_in_use" : "422 unknown_namespace"))
    #expect(api.controller.tokens.count == (isTokenFirst ? 1 : 0))
  }

  @Test("whatever is made while namespaces come and go, nothing is left in one that is not there")
  func races() async throws {
    let api = try await Harness(starts: false)
    for round in 0..<20 {
      _ = await api.send("POST", "/v1/namespaces", body: #"{"name":"vision"}"#)
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<6 {
          group.addTask {
            switch (number + round) % 3 {
            case 0: _ = await api.send("POST", "/v1/tokens", body: Self.token)
            case 1: _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("vision:w\(number)"))
            default: _ = await api.send("DELETE", "/v1/namespaces/vision")
            }
          }
        }
      }
      let isThere = api.controller.registry.read { $0.hasNamespace("vision") }
      let (tokens, workloads) = (
        api.controller.tokens.tokens(after: nil), api.controller.registry.snapshot.registrations
      )
      #expect(isThere || tokens.isEmpty && workloads.rows.isEmpty, "round \(round)")
      for token in tokens { _ = await api.send("DELETE", "/v1/tokens/\(token.id)") }
      for row in workloads.rows { _ = await api.send("DELETE", "/v1/workloads/\(row.id)") }
      _ = await api.send("DELETE", "/v1/namespaces/vision")
      #expect(api.controller.registry.read { !$0.hasNamespace("vision") })
    }
  }

  @Test("what a namespace's token asks without changing anything does not tell how much others change")
  func whatNothingTells() async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/namespaces", body: #"{"name":"vision"}"#)
    let dry: [(name: String, value: String)] = [("dryRun", "true")]
    let asked: [(String, String, String)] = [
      ("POST", "/v1/workloads/batch", "[]"), ("PUT", "/v1/workloads", "[]"),
      ("PUT", "/v1/workloads/a", Bodies.workload("a")), ("POST", "/v1/workloads", Bodies.workload("a")),
      ("POST", "/v1/workloads/batch", Bodies.batch(Bodies.workload("a"), Bodies.workload("b"))),
      ("PUT", "/v1/workloads", Bodies.batch(Bodies.workload("a"), Bodies.workload("b"))),
    ]
    func told() async -> [String] {
      var texts: [String] = []
      for (method, path, body) in asked {
        let isDry = body != "[]"
        let answer = await api.send(method, path, query: isDry ? dry : [], body: body, as: Self.tenant)
        texts.append("\(answer.status) \(answer.headers["ETag"] ?? "") \(answer.text)")
        #expect(answer.status < 300 && (!isDry || answer.json("after")?.hasPrefix("0.") == true), "\(answer.text)")
      }
      return texts
    }
    let before = await told()
    for number in 0..<9 { _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("other\(number)")) }
    #expect(await told() == before)
  }

  @Test("where GPUs are scarce namespaces share them by weight, within one priority, and who is left out is told why")
  func fairShare() async throws {
    var setup = try Harness.builtIn
    setup.pools[0].count = 3
    let api = try await Harness(planning: setup)
    #expect(
      await api.send("POST", "/v1/namespaces", body: #"{"name":"vision","weight":0}"#).problem == "422 out_of_range")
    let made = await api.send("POST", "/v1/namespaces", body: #"{"name":"vision","weight":2}"#)
    #expect(made.json("weight") == "2", "\(made.text)")
    #expect(await api.send("GET", "/v1/namespaces/default").json("weight") == "1")
    // Each takes a good part of a GPU; by name or by demand alone those of one namespace would come first.
    let rate = 3_000.0
    let ids = (0..<6).flatMap { ["vision:z\($0)", "a\($0)"] }
    for id in ids {
      #expect(await api.send("PUT", "/v1/workloads/\(id)", body: Bodies.workload(id, rate: rate)).status == 201)
    }
    let plan = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    let view = api.controller.board.view
    let left = Set(view.plan?.plan.unplaced.map(\.workload) ?? [])
    let served = (
      vision: ids.count { $0.hasPrefix("v") && !left.contains($0) },
      other: ids.count { $0.hasPrefix("a") && !left.contains($0) }
    )
    #expect(!left.isEmpty && served.other > 0, "\(served)")
    if left.contains(where: { $0.hasPrefix("v") }) { #expect(served.vision + 1 >= 2 * served.other, "\(served)") }
    if left.contains(where: { $0.hasPrefix("a") }) { #expect(2 * (served.other + 1) >= served.vision, "\(served)") }
    #expect(plan.text.contains("has a right to"), "\(plan.text.suffix(2_000))")
    let own = await api.send("GET", "/v1/plan", as: Self.tenant)
    #expect(own.status == 200 && !own.text.contains("has a right to"))
    // Declared anew without a weight it has that of everybody.
    #expect(await api.send("PUT", "/v1/namespaces/vision", body: "{}").json("weight") == "1")
    try await api.controller.stop()
    let next = try await Harness(folder: api.folder, planning: setup)
    #expect(await next.send("PUT", "/v1/namespaces/vision", body: #"{"weight":0.5}"#).json("weight") == "0.5")
    let later = try await next.restarted()
    #expect(await later.send("GET", "/v1/namespaces/vision").json("weight") == "0.5")
    try await later.controller.stop()
  }

  @Test("a refusal says how much there is, is used and was asked for")
  func byHowMuch() async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/namespaces", body: #"{"name":"vision","quota":{"workloads":2,"rate":50}}"#)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("a", rate: 30), as: Self.tenant)
    let rate = await api.send("POST", "/v1/workloads", body: Bodies.workload("b", rate: 25), as: Self.tenant)
    #expect(rate.problem == "409 quota_exceeded" && rate.json("pointer") == "/rate")
    #expect(
      rate.json("detail")
        == "The quota of the namespace vision is 50 requests/s; 30 are used, and with this it would be 55, 5 too many.")
    let patch = await api.send("PATCH", "/v1/workloads", body: #"[{"id":"a","rate":51}]"#, as: Self.tenant)
    #expect(patch.problem == "409 quota_exceeded")
    let batch = await api.send(
      "POST", "/v1/workloads/batch",
      body: Bodies.batch(Bodies.workload("b", rate: 1), Bodies.workload("c", rate: 1)), as: Self.tenant)
    #expect(
      batch.json("detail")?.contains("is 2 workloads; 1 are used, and with this it would be 3, 1 too many") == true)
    // A quota that falls takes nothing away, and holds up nothing that falls, too.
    _ = await api.send("PUT", "/v1/namespaces/vision", body: #"{"quota":{"rate":10}}"#)
    #expect(await api.send("PATCH", "/v1/workloads/a", body: #"{"rate":20}"#, as: Self.tenant).status == 200)
    #expect(
      await api.send("PATCH", "/v1/workloads/a", body: #"{"rate":21}"#, as: Self.tenant).problem == "409 quota_exceeded"
    )
    #expect(await api.send("PUT", "/v1/workloads", body: Bodies.batch(), as: Self.tenant).status == 200)
    try await api.controller.stop()
  }

  @Test("a quota of GPUs leaves out what does not fit, by how much, until it is raised")
  func gpus() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/namespaces", body: #"{"name":"vision","quota":{"gpus":0.2}}"#)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("small", rate: 10), as: Self.tenant)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("large", rate: 9_000), as: Self.tenant)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("free", rate: 9_000))
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    #expect(await api.send("GET", "/v1/workloads/small", as: Self.tenant).json("status", "state") == "planned")
    #expect(await api.send("GET", "/v1/workloads/free").json("status", "state") == "planned")
    let large = await api.send("GET", "/v1/workloads/large", as: Self.tenant)
    #expect(large.json("status", "code") == "quota_exceeded")
    #expect(large.json("status", "message")?.contains("the quota is 0.2") == true)
    let plan = await api.send("GET", "/v1/plan", as: Self.tenant)
    #expect(plan.json("unplaced", "0", "workload") == "large")
    _ = await api.send("PUT", "/v1/namespaces/vision", body: #"{"quota":{"gpus":500}}"#)
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    #expect(await api.send("GET", "/v1/workloads/large", as: Self.tenant).json("status", "state") == "planned")
    try await api.controller.stop()
  }

  @Test("any changes within quotas are taken and all others refused, over restarts too", arguments: [UInt64(0), 1, 2])
  func randomChanges(offset: UInt64) async throws {
    var api = try await Harness(starts: false)
    var random = SeededGenerator(seed: TestSeed.of(offset: offset))
    let (most, rate) = (Int.random(in: 2...5, using: &random), Double(Int.random(in: 20...200, using: &random)))
    _ = await api.send("POST", "/v1/namespaces", body: #"{"name":"free"}"#)
    _ = await api.send(
      "POST", "/v1/namespaces", body: #"{"name":"vision","quota":{"workloads":\#(most),"rate":\#(rate)}}"#)
    var model: [String: Double] = [:]
    for step in 0..<120 {
      let namespace = Bool.random(using: &random) ? "vision" : "free"
      let caller = Caller(name: "ci", id: "token:ci", role: "operator", namespace: namespace)
      var wanted = model
      var rows: [(id: String, rate: Double)] = []
      for id in ["a", "b", "c", "d", "e", "f"].shuffled(using: &random).prefix(Int.random(in: 1...4, using: &random)) {
        rows.append((id, Double(Int.random(in: 1...90, using: &random))))
      }
      let first = rows[0]
      let bodies = rows.map { Bodies.workload($0.id, rate: $0.rate) }
      let key = { (id: String) in "\(namespace):\(id)" }
      let response: HTTPResponse
      switch Int.random(in: 0..<5, using: &random) {
      case 0:
        response = await api.send("PUT", "/v1/workloads/\(first.id)", body: bodies[0], as: caller)
        wanted[key(first.id)] = first.rate
      case 1:
        response = await api.send("DELETE", "/v1/workloads/\(first.id)", as: caller)
        #expect(response.status == (model[key(first.id)] == nil ? 404 : 204))
        wanted[key(first.id)] = nil
      case 2:
        response = await api.send("PUT", "/v1/workloads", body: Self.batch(bodies), as: caller)
        wanted = wanted.filter { !$0.key.hasPrefix("\(namespace):") }
        for row in rows { wanted[key(row.id)] = row.rate }
      case 3:
        guard rows.allSatisfy({ model[key($0.id)] == nil }) else { continue }
        response = await api.send("POST", "/v1/workloads/batch", body: Self.batch(bodies), as: caller)
        for row in rows { wanted[key(row.id)] = row.rate }
      default:
        guard rows.allSatisfy({ model[key($0.id)] != nil }) else { continue }
        let patches = rows.map { #"{"id":"\#($0.id)","rate":\#($0.rate)}"# }
        response = await api.send(
          "PATCH", "/v1/workloads", body: "[\(patches.joined(separator: ","))]", as: caller)
        for row in rows { wanted[key(row.id)] = row.rate }
      }
      let (use, before) = (Self.use(wanted), Self.use(model))
      let isOver = use.count > most && use.count > before.count || use.rate > rate && use.rate > before.rate
      #expect((response.problem == "409 quota_exceeded") == isOver, "step \(step): \(response.problem) \(use)")
      if !isOver { model = wanted }
      if step % 40 == 39 { api = try await api.restarted() }
      let told = await api.send("GET", "/v1/namespaces/vision")
      #expect(told.json("use", "workloads") == "\(Self.use(model).count)")
      #expect(told.json("use", "rate").flatMap(Double.init) == Self.use(model).rate)
    }
    try await api.controller.stop()
  }

  private static func use(_ model: [String: Double]) -> (count: Int, rate: Double) {
    let own = model.filter { $0.key.hasPrefix("vision:") }
    return (own.count, own.values.reduce(0, +))
  }

  private static func batch(_ bodies: [String]) -> String { #"{"workloads":[\#(bodies.joined(separator: ","))]}"# }
}
