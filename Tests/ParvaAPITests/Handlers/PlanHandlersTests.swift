import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Testing

@Suite struct PlanHandlersTests {
  @Test func theEmptyDemandHasAnEmptyPlan() async throws {
    let api = try await Harness()
    let plan = await api.send("GET", "/v1/plan")
    #expect(plan.status == 200)
    #expect(plan.json("summary", "gpuCount") == "0")
    #expect(plan.headers["Parva-Plan-Revision"] == "1")
  }

  @Test func thePlanIsThatOfTheCommandLineByteForByte() async throws {
    let api = try await Harness()
    let reversed = try (1...20).map { try WorkloadReader.readOne(InputSource(Data(Bodies.workload("w\($0)").utf8))) }
    _ = await api.send(
      "POST", "/v1/workloads/batch", body: String(decoding: WorkloadWriter.json(reversed.reversed()), as: UTF8.self))
    let setup = try Harness.builtIn
    let expected = setup.planner.plan(
      PlanningInput(workloads: reversed, pools: setup.pools, profiles: setup.catalogue, options: setup.options))
    let plan = await api.send("GET", "/v1/plan")
    #expect(plan.body == PlanWriter.json(PlanWriter.json(expected), as: try plan.identity))
  }

  @Test(.enabled(if: SharedData.isPresent, "../shared/data is absent"))
  func scenarioSixIsPlannedAsPublishedOrBetter() async throws {
    var setup = try Harness.builtIn
    setup.catalogue = try PublishedScenarios.measuredProfiles()
    let api = try await Harness(planning: setup)
    let workloads = try PublishedScenarios.workloads(6)
    let body = String(decoding: WorkloadWriter.json(workloads), as: UTF8.self)
    #expect(await api.send("POST", "/v1/workloads/batch", body: body).status == 201)
    let plan = await api.send("GET", "/v1/plan")
    let count = try #require(plan.json("summary", "gpuCount").flatMap(Int.init))
    #expect(count > 0 && count <= 17)
    #expect(plan.json("unplaced", "0") == nil)
    #expect(plan.json("summary", "profileSource") == "measured")
  }

  @Test func aCertifiedPlanIsThatOfTheEngineAndSaysSo() async throws {
    var setup = try Harness.builtIn
    setup.options = PlanningOptions(admission: .certified, margin: 0.1)
    let api = try await Harness(planning: setup)
    let created = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 900, latencyMs: 120))
    #expect(created.status == 201)
    let plan = await api.send("GET", "/v1/plan")
    #expect(plan.json("admission") == "certified" && plan.json("margin") == "0.1")
    let workload = try WorkloadReader.readOne(
      InputSource(Data(Bodies.workload("w", rate: 900, latencyMs: 120).utf8)))
    let input = PlanningInput(
      workloads: [workload], pools: setup.pools, profiles: setup.catalogue, options: setup.options)
    let expected = setup.planner.plan(input)
    #expect(plan.body == PlanWriter.json(PlanWriter.json(expected), as: try plan.identity))
    #expect(PlanChecker.violations(of: expected, against: input) == [])
    // No point runs a batch in 3 ms.
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("hasty", latencyMs: 3))
    #expect(await api.send("GET", "/v1/plan").json("unplaced", "0", "code") == "slo_unreachable")
  }

  @Test func whatCannotBeServedSaysWhyAndHindersNobody() async throws {
    let api = try await Harness()
    let body = Bodies.batch(
      Bodies.workload("good"), Bodies.workload("unknown", model: "no-such-model"),
      Bodies.workload("hasty", latencyMs: 0.01))
    #expect(await api.send("POST", "/v1/workloads/batch", body: body).status == 201)
    let plan = await api.send("GET", "/v1/plan")
    #expect(plan.json("summary", "gpuCount") == "1")
    let codes = Dictionary(
      uniqueKeysWithValues: (0..<2).map {
        (plan.json("unplaced", "\($0)", "workload") ?? "", plan.json("unplaced", "\($0)", "code") ?? "")
      })
    #expect(codes == ["unknown": "no_profile", "hasty": "slo_unreachable"])
    #expect(await api.send("GET", "/v1/workloads/good").json("status", "state") == "planned")
    for (id, code) in codes {
      let read = await api.send("GET", "/v1/workloads/\(id)")
      #expect(read.json("status", "state") == "unserved")
      #expect(read.json("status", "code") == code)
      #expect(read.json("status", "message")?.isEmpty == false)
      #expect(read.json("status", "planRevision") == plan.headers["Parva-Plan-Revision"])
    }
  }

  @Test func thePlanAndItsTagSurviveARestart() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    let before = await api.send("GET", "/v1/plan")
    let restarted = try await api.restarted()
    let after = await restarted.send("GET", "/v1/plan")
    #expect(after.body == before.body)
    #expect(after.headers["ETag"] == before.headers["ETag"])
    let tag = try #require(before.headers["ETag"])
    #expect(await restarted.send("GET", "/v1/plan", ["If-None-Match": tag]).status == 304)
  }

  @Test func aChangeThatLeavesThePlanAsItWasKeepsItsRevision() async throws {
    let api = try await Harness()
    _ = await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("web"))
    let before = await api.send("GET", "/v1/plan")
    _ = await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("web", labels: #"{"team":"vision"}"#))
    let after = await api.send("GET", "/v1/plan")
    #expect(after.headers["Parva-Plan-Revision"] == before.headers["Parva-Plan-Revision"])
    #expect(after.headers["Parva-Demand-Revision"] == "2")
    #expect(after.headers["ETag"] != before.headers["ETag"], "the body tells the demand revision")
    #expect(await api.send("GET", "/v1/workloads/web").json("status", "state") == "planned")
  }

  @Test func thePlanComesInSeveralFormats() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    let json = await api.send("GET", "/v1/plan", ["Accept": "application/json"])
    let plan = try PlanReader.read(InputSource(json.body, format: .json))
    var tags: Set<String> = []
    for (accept, body) in [
      ("application/json", PlanWriter.json(PlanWriter.json(plan), as: try json.identity)),
      ("application/yaml", PlanWriter.yaml(plan, as: try json.identity)),
      ("text/csv", PlanWriter.csv(plan)), ("text/plain", Data(PlanPicture(plan, style: TextStyle()).text().utf8)),
    ] {
      let response = await api.send("GET", "/v1/plan", ["Accept": accept])
      #expect(response.body == body)
      #expect(response.headers["Content-Type"]?.hasPrefix(accept) == true)
      #expect(response.headers["Vary"]?.hasPrefix("Accept") == true)
      tags.insert(response.headers["ETag"] ?? "")
    }
    #expect(tags.count == 4)
  }

  @Test(arguments: [
    ("", "application/json"), ("*/*", "application/json"), ("text/*", "text/csv"),
    ("application/json;q=0.5, text/csv", "text/csv"), ("text/yaml", "application/yaml"),
    ("text/html, */*;q=0.1", "application/json"),
    ("application/yaml, application/json;q=0.9", "application/yaml"), ("*/*, application/json;q=0", "application/yaml"),
  ]) func theBestAcceptableFormatIsChosen(accept: String, type: String) async throws {
    let api = try await Harness()
    let response = await api.send("GET", "/v1/plan", ["Accept": accept])
    #expect(response.headers["Content-Type"]?.hasPrefix(type) == true)
  }

  @Test func anUnknownFormatIsNotAcceptable() async throws {
    let api = try await Harness()
    #expect(await api.send("GET", "/v1/plan", ["Accept": "image/png"]).problem == "406 not_acceptable")
  }

  @Test("S4: a long poll that ends without news answers 304, and a plan says its revision")
  func aLongPollEndsWithTheNextPlan() async throws {
    let api = try await Harness()
    let first = await api.send("GET", "/v1/plan")
    let revision = try #require(first.headers["Parva-Plan-Revision"])
    async let next = api.send(
      "GET", "/v1/plan", query: [(name: "after", value: revision), (name: "wait", value: "60")])
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    let response = await next
    #expect(response.status == 200)
    #expect(response.headers["Parva-Plan-Revision"] == "2")
    let over = await api.send("GET", "/v1/plan", query: [(name: "after", value: "2"), (name: "wait", value: "0")])
    #expect(over.status == 304 && over.body.isEmpty)
    #expect(over.headers["Parva-Plan-Revision"] == "2")
    #expect(response.json("revision") == "2" && response.json("demandRevision") == "1")
    let yaml = await api.send("GET", "/v1/plan", ["Accept": "application/yaml"])
    #expect(yaml.text.contains("\nrevision: 2\n") && yaml.text.contains("\ndemandRevision: 1\n"))
    #expect(await api.send("GET", "/v1/plans/1").json("revision") == "1")
  }

  @Test func aPollOutlivesNoController() async throws {
    let api = try await Harness()
    _ = await api.send("GET", "/v1/plan")
    async let waiting = api.send(
      "GET", "/v1/plan", query: [(name: "after", value: "1"), (name: "wait", value: "60")])
    try await api.controller.stop()
    #expect(await waiting.status == 304)
  }

  @Test(arguments: [("wait", "61"), ("wait", "-1"), ("wait", "soon"), ("after", "-1"), ("after", "x")])
  func aBadParameterIsRefused(name: String, value: String) async throws {
    let api = try await Harness()
    #expect(await api.send("GET", "/v1/plan", query: [(name: name, value: value)]).problem == "400 invalid_parameter")
  }

  @Test func beforeTheFirstPlanThereIsNone() async throws {
    let api = try await Harness(starts: false)
    #expect(await api.send("GET", "/v1/plan", query: [(name: "wait", value: "0")]).problem == "503 plan_pending")
    #expect(await api.send("GET", "/readyz").problem == "503 not_ready")
    #expect(await api.send("GET", "/healthz").status == 200)
    api.controller.start()
    _ = await api.send("GET", "/v1/plan")
    #expect(await api.send("GET", "/readyz").status == 200)
  }

  @Test("S1: after a restart the stored plan is there at once, and says where it comes from")
  func theStoredPlanIsThereAtOnce() async throws {
    let first = try await Harness()
    _ = await first.send(
      "POST", "/v1/workloads/batch",
      body: Bodies.batch(Bodies.workload("web"), Bodies.workload("unknown", model: "no-such-model")))
    let before = await first.send("GET", "/v1/plan")
    #expect(before.headers["Parva-Plan-Origin"] == "planned")
    try await first.controller.stop()
    // Nothing is planned while it has not started.
    let api = try await Harness(folder: first.folder, starts: false)
    #expect(await api.send("GET", "/readyz").status == 200)
    for wait in ["0", "10"] {
      let plan = await api.send("GET", "/v1/plan", query: [(name: "wait", value: wait)])
      #expect(plan.status == 200 && plan.body == before.body)
      #expect(plan.headers["Parva-Plan-Origin"] == "stored")
      #expect(plan.headers["ETag"] == before.headers["ETag"])
    }
    #expect(await api.send("GET", "/v1/workloads/unknown").json("status", "code") == "no_profile")
    // What came after the stored plan waits for a plan of this process.
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("late"))
    #expect(await api.send("GET", "/v1/workloads/late").json("status", "state") == "pending")
    api.controller.start()
    let next = await api.send("GET", "/v1/plan")
    #expect(next.headers["Parva-Plan-Origin"] == "planned" && next.text.contains("late/0"))
    try await api.controller.stop()
  }

  @Test("P1: a plan that breaks a rule is not published; a stand-in's is, and the service says so")
  func aPlanThatBreaksARuleIsNotPublished() async throws {
    var setup = try Harness.builtIn
    setup.planner = WrongPlanner()
    let api = try await Harness(planning: setup)
    let first = await api.send("GET", "/v1/plan")
    #expect(first.status == 200)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    let second = await api.send("GET", "/v1/plan")
    #expect(second.headers["Parva-Demand-Revision"] == "1" && second.json("planner") == "parvagpu")
    #expect(await api.send("GET", "/v1/workloads/web").json("status", "state") == "planned")
    let ready = await api.send("GET", "/readyz")
    #expect(ready.status == 200 && ready.json("status") == "degraded")
    #expect(ready.json("planning", "code") == "plan_refused" && ready.json("planning", "resort") == "parvagpu")
  }
}

/// Says that everything is served and serves nothing.
private struct WrongPlanner: Planner {
  let name = "wrong"
  let summary = "for tests"

  func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    var empty = input
    empty.workloads = []
    return Planners.default.plan(empty, context)
  }
}

extension HTTPResponse {
  /// What its fields name the plan by.
  var identity: PlanIdentity {
    get throws {
      PlanIdentity(
        revision: try #require(headers["Parva-Plan-Revision"].flatMap(Int.init)),
        demandRevision: try #require(headers["Parva-Demand-Revision"].flatMap(Int.init)))
    }
  }
}
