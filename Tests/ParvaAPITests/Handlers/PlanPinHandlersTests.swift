import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Testing

/// Which plan stays, and why each was made.
@Suite struct PlanPinHandlersTests {
  private static func revision(_ api: Harness) async -> String? {
    await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"]
  }

  /// The part of a plan's document that follows its name.
  private static func gpus(_ plan: HTTPResponse) -> Substring? {
    plan.text.range(of: "\"gpus\"").map { plan.text[$0.lowerBound...] }
  }

  private static func add(_ id: String, _ api: Harness, rate: Double = 100) async {
    _ = await api.send("PUT", "/v1/workloads/\(id)", body: Bodies.workload(id, rate: rate))
  }

  @Test("a pinned plan stays, across a restart too, and what came meanwhile is planned when it is released")
  func aPinnedPlanStays() async throws {
    var api = try await Harness()
    await Self.add("a", api)
    let before = try #require(await Self.revision(api))
    #expect(await api.send("GET", "/v1/plan/pin").json("pinned") == "0")
    #expect(await api.send("DELETE", "/v1/plan/pin").problem == "404 not_pinned")
    let pin = await api.send("POST", "/v1/plan/pin", body: #"{"reason":"audit"}"#)
    #expect(pin.json("revision") == before && pin.json("reason") == "audit", "\(pin.text)")
    await Self.add("b", api)
    // Nobody waits for a plan that will not come.
    #expect(await Self.revision(api) == before)
    let waiting = await api.send("GET", "/v1/workloads/b")
    #expect(waiting.json("status", "state") == "pending" && waiting.json("status", "code") == "plan_pinned")
    #expect(await api.send("GET", "/v1/fleet").json("pin", "revision") == before)
    api = try await api.restarted()
    await Self.add("c", api)
    #expect(await Self.revision(api) == before)
    #expect(await api.send("GET", "/v1/plan/pin").json("pin", "reason") == "audit")
    // Pinned again, it has been pinned since the same time, and for the same reason unless another one is told.
    for (body, reason) in [("", "audit"), ("{}", "audit"), (#"{"reason":"release"}"#, "release"), ("", "release")] {
      let again = await api.send("POST", "/v1/plan/pin", body: body)
      #expect(again.json("reason") == reason && again.json("since") == pin.json("since"), "\(again.text)")
    }
    #expect(await api.send("DELETE", "/v1/plan/pin").status == 204)
    let after = await api.send("GET", "/v1/plan")
    #expect(Int(after.headers["Parva-Plan-Revision"] ?? "") ?? 0 > Int(before) ?? 0)
    #expect(after.text.contains("\"b/0\"") && after.text.contains("\"c/0\""))
    let cause = await api.send("GET", "/v1/plans")
    #expect(cause.json("plans", "0", "cause", "changed", "count") == "2", "\(cause.text)")
    #expect(cause.json("plans", "0", "cause", "changed", "first", "0") == "b")
    let triggers = (0..<4).compactMap { cause.json("plans", "0", "cause", "triggers", "\($0)") }
    #expect(triggers.contains("demand") && triggers.contains("release"), "\(cause.text)")
    try await api.controller.stop()
  }

  @Test("an earlier plan comes back as a new revision with the same document, and stays until it is released")
  func anEarlierPlanComesBack() async throws {
    let api = try await Harness()
    await Self.add("a", api)
    let first = try #require(await Self.revision(api))
    await Self.add("a", api, rate: 4_000)
    let second = try #require(await Self.revision(api))
    #expect(first != second)
    let dry = await api.send("POST", "/v1/plans/\(first)/rollback", query: [("dryRun", "true")])
    #expect(dry.status == 200 && dry.json("status") == "201", "\(dry.text)")
    #expect(dry.json("changes", "0", "set", "first", "0") == "\((Int(second) ?? 0) + 1)", "\(dry.text)")
    #expect(await Self.revision(api) == second)
    #expect(await api.send("GET", "/v1/plan/pin").json("pinned") == "0")
    let back = await api.send("POST", "/v1/plans/\(first)/rollback")
    #expect(back.status == 201, "\(back.text)")
    let revision = try #require(back.json("revision"))
    #expect(back.headers["Location"] == "/v1/plans/\(revision)" && Int(revision) == (Int(second) ?? 0) + 1)
    #expect(await Self.revision(api) == revision)
    let diff = await api.send("GET", "/v1/plans/\(first)/diff/\(revision)", ["Accept": "text/plain"])
    #expect(diff.text.contains("a/0") == false, "\(diff.text)")
    let list = await api.send("GET", "/v1/plans")
    #expect(list.json("plans", "0", "cause", "broughtBack") == first)
    #expect(await api.send("DELETE", "/v1/plan/pin").status == 204)
    #expect(Int(await Self.revision(api) ?? "") ?? 0 > Int(revision) ?? 0)
    try await api.controller.stop()
  }

  @Test("what cannot stand today is not brought back, and bad requests change nothing")
  func whatCannotStandIsRefused() async throws {
    let api = try await Harness()
    await Self.add("a", api)
    let first = try #require(await Self.revision(api))
    #expect(await api.send("DELETE", "/v1/workloads/a").status == 204)
    _ = await Self.revision(api)
    let refused = await api.send("POST", "/v1/plans/\(first)/rollback")
    #expect(refused.problem == "409 plan_unusable" && refused.text.contains("workload a is no longer registered"))
    await Self.add("c", api)
    _ = await Self.revision(api)
    let empty = await api.send("POST", "/v1/plans/1/rollback")
    #expect(empty.problem == "409 plan_unusable", "\(empty.text)")
    #expect(await api.send("DELETE", "/v1/workloads/c").status == 204)
    _ = await Self.revision(api)
    #expect(await api.send("POST", "/v1/plans/999/rollback").problem == "404 not_found")
    #expect(await api.send("POST", "/v1/plans/x/rollback").problem == "404 not_found")
    let long = String(repeating: "x", count: 501)
    for (body, problem) in [
      ("[]", "422 wrong_type"), ("{", "400 invalid_syntax"), (#"{"why":""}"#, "422 unknown_key"),
      (#"{"reason":"a","reason":"b"}"#, "422 duplicate"),
      (#"{"reason":7}"#, "422 wrong_type"), (#"{"reason":"\#(long)"}"#, "422 out_of_range"),
      (#"{"reason":"a\u001b[31m"}"#, "422 out_of_range"), (#"{"reason":"a\nb"}"#, "422 out_of_range"),
    ] {
      #expect(await api.send("POST", "/v1/plan/pin", body: body).problem == problem, "\(body)")
    }
    #expect(await api.send("GET", "/v1/plan/pin").json("pinned") == "0")
    #expect(await api.send("GET", "/v1/plan").json("gpus") == "[]")
    try await api.controller.stop()
  }

  @Test("a plan of a fleet is brought back to the GPUs that it stood on, or not at all")
  func aFleetsPlanComesBack() async throws {
    let api = try await Harness()
    try await api.join(try FleetSamples.state("n1", gpus: 4))
    await Self.add("a", api)
    let first = try #require(await Self.revision(api))
    let document = await api.send("GET", "/v1/plans/\(first)").text
    #expect(document.contains(FleetSamples.uuid("n1", 0)))
    await Self.add("b", api, rate: 6_000)
    _ = await Self.revision(api)
    let back = await api.send("POST", "/v1/plans/\(first)/rollback")
    #expect(back.status == 201, "\(back.text)")
    let plan = try #require(api.controller.board.view.plan)
    #expect(plan.assignments?.nodes == ["n1"])
    #expect(plan.plan.gpus.map(\.uuid) == [FleetSamples.uuid("n1", 0)])
    // Where a GPU of it is gone there is nothing to come back to.
    #expect(await api.send("DELETE", "/v1/nodes/n1", query: [(name: "force", value: "true")]).status < 300)
    try await api.join(try FleetSamples.state("n2", gpus: 4))
    #expect(await api.send("POST", "/v1/plans/\(first)/rollback").problem == "409 plan_unusable")
    try await api.controller.stop()
  }

  /// Why the newest plan was made.
  private static func cause(_ api: Harness) async throws -> JSONValue {
    let list = await api.send("GET", "/v1/plans", query: [("limit", "1")])
    return try #require(try JSONDecoder().decode(JSONValue.self, from: list.body)["plans"].elements.first)["cause"]
  }

  @Test("a plan says whose requests it comes of, and that the fleet has changed even where that was before a restart")
  func causesOutliveARestart() async throws {
    var api = try await Harness()
    try await api.join(try FleetSamples.state("n1", gpus: 4))
    await Self.add("a", api)
    let first = try #require(await Self.revision(api))
    #expect(try await Self.cause(api)["who"].elements.first?["id"] == "anonymous")
    api = try await api.restarted()
    await Self.add("b", api, rate: 4_000)
    #expect(await Self.revision(api) != first)
    var triggers = try await Self.cause(api)["triggers"].elements.compactMap(\.text)
    #expect(triggers.contains("demand") && !triggers.contains("fleet"), "\(triggers)")
    // What has changed of the fleet while a plan was pinned is known after a restart, too.
    #expect(await api.send("POST", "/v1/plan/pin").status == 200)
    try await api.join(try FleetSamples.state("n2", gpus: 4))
    await Self.add("c", api, rate: 4_000)
    api = try await api.restarted()
    let pinned = await Self.revision(api)
    #expect(await api.send("DELETE", "/v1/plan/pin").status == 204)
    #expect(await Self.revision(api) != pinned)
    let cause = try await Self.cause(api)
    triggers = cause["triggers"].elements.compactMap(\.text)
    #expect(triggers.contains("fleet") && triggers.contains("release"), "\(triggers)")
    #expect(cause["who"].elements.map { $0["name"] } == ["anonymous"], "\(cause)")
    try await api.controller.stop()
  }

  @Test(
    "in any order of changes, pins, roll-backs and restarts revisions rise, and a pinned plan is what is served",
    arguments: 0..<4)
  func anyOrder(number: Int) async throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed: seed)
    var api = try await Harness()
    await Self.add("a", api)
    var newest = Int(await Self.revision(api) ?? "") ?? 0
    var pinned: Int?
    for step in 0..<40 {
      let comment: Comment = "seed \(seed), step \(step)"
      let id = ["a", "b", "c"].randomElement(using: &dice)!
      switch Int.random(in: 0..<10, using: &dice) {
      case 0..<4: await Self.add(id, api, rate: [100, 900, 4_000].randomElement(using: &dice)!)
      case 4: _ = await api.send("DELETE", "/v1/workloads/\(id)")
      case 5:
        pinned = Int(await api.send("POST", "/v1/plan/pin").json("revision") ?? "")
        #expect(pinned != nil, comment)
      case 6:
        let status = await api.send("DELETE", "/v1/plan/pin").status
        #expect(status == (pinned == nil ? 404 : 204), comment)
        pinned = nil
      case 7, 8:
        let wanted = Int.random(in: 1...newest, using: &dice)
        let earlier = await api.send("GET", "/v1/plans/\(wanted)")
        let back = await api.send("POST", "/v1/plans/\(wanted)/rollback")
        guard back.status == 201 else {
          #expect(back.problem == "409 plan_unusable", comment)
          break
        }
        let revision = try #require(Int(back.json("revision") ?? ""))
        #expect(revision > newest, comment)
        pinned = revision
        let served = await api.send("GET", "/v1/plan")
        #expect(Self.gpus(served) == Self.gpus(earlier), comment)
      default: api = try await api.restarted()
      }
      let revision = Int(await Self.revision(api) ?? "") ?? 0
      #expect(revision >= newest, comment)
      if let pinned { #expect(revision == pinned, comment) }
      newest = max(newest, revision)
      #expect(Int(await api.send("GET", "/v1/plan/pin").json("pin", "revision") ?? "") == pinned, comment)
    }
    try await api.controller.stop()
  }
}
