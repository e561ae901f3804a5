import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import Testing

@Suite struct PlanHistoryHandlersTests {
  /// Three plans: none, `a`, `a` and `b`.
  private static func history() async throws -> (api: Harness, revisions: [String]) {
    let api = try await Harness()
    var revisions: [String] = []
    for id in ["", "a", "b"] {
      if !id.isEmpty { _ = await api.send("POST", "/v1/workloads", body: Bodies.workload(id)) }
      let plan = await api.send("GET", "/v1/plan")
      revisions.append(try #require(plan.headers["Parva-Plan-Revision"]))
    }
    return (api, revisions)
  }

  @Test func everyPlanThatWasPublishedCanBeReadAgain() async throws {
    let (api, revisions) = try await Self.history()
    let list = await api.send("GET", "/v1/plans")
    #expect((0..<3).map { list.json("plans", "\($0)", "revision") } == revisions.reversed())
    #expect(list.json("plans", "0", "unplaced") == "0")
    let page = await api.send("GET", "/v1/plans", query: [(name: "limit", value: "2")])
    let next = try #require(page.json("nextCursor"))
    let rest = await api.send("GET", "/v1/plans", query: [(name: "cursor", value: next)])
    #expect(rest.json("plans", "0", "revision") == revisions[0])
    #expect(rest.json("nextCursor") == nil)
    for bad in ["0", "x", "01"] {
      let answer = await api.send("GET", "/v1/plans", query: [(name: "cursor", value: bad)])
      #expect(answer.problem == "400 invalid_parameter")
    }
    let newest = await api.send("GET", "/v1/plans/\(revisions[2])")
    #expect(newest.text == (await api.send("GET", "/v1/plan")).text)
    let tag = try #require(newest.headers["ETag"])
    #expect(await api.send("GET", "/v1/plans/\(revisions[2])", ["If-None-Match": tag]).status == 304)
    for unknown in ["999", "0", "-1", "01", "x"] {
      #expect(await api.send("GET", "/v1/plans/\(unknown)").problem == "404 not_found")
    }
    try await api.controller.stop()
  }

  @Test func twoPlansAreCompared() async throws {
    let (api, revisions) = try await Self.history()
    let diff = await api.send("GET", "/v1/plans/\(revisions[1])/diff/\(revisions[2])")
    #expect(diff.status == 200, "\(diff.text)")
    #expect(diff.text.contains("b/0"))
    let text = await api.send("GET", "/v1/plans/\(revisions[1])/diff/\(revisions[2])", ["Accept": "text/plain"])
    #expect(text.headers["Content-Type"] == "text/plain; charset=utf-8")
    #expect(text.text.contains("b/0"))
    #expect(await api.send("GET", "/v1/plans/\(revisions[1])/diff/999").problem == "404 not_found")
    try await api.controller.stop()
  }

  @Test func aPreviewPlansAndStoresNothing() async throws {
    let (api, revisions) = try await Self.history()
    let body = Bodies.batch(Bodies.workload("c", rate: 4000))
    let alone = await api.send("POST", "/v1/plan/preview", body: body)
    #expect(alone.json("plan", "gpus", "0", "segments", "0", "workload") == "c", "\(alone.text)")
    #expect(!alone.text.contains("\"workload\": \"b\", \"model\""))
    let added = await api.send("POST", "/v1/plan/preview", query: [(name: "base", value: "registered")], body: body)
    #expect(added.text.contains("\"workload\": \"b\", \"model\"") && added.text.contains("\"workload\": \"c\""))
    #expect(added.json("diff", "gpusBefore") != nil || added.json("diff") != nil)
    #expect(await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"] == revisions[2])
    #expect(await api.send("GET", "/v1/workloads/c").status == 404)
    #expect(await api.send("POST", "/v1/plan/preview", body: "{}").problem == "422 missing_key")
    #expect(
      await api.send("POST", "/v1/plan/preview", query: [(name: "base", value: "x")], body: body).problem
        == "400 invalid_parameter")
    try await api.controller.stop()
  }
}
