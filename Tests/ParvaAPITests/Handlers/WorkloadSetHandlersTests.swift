import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import Testing

@Suite struct WorkloadSetHandlersTests {
  @Test func aBatchIsRegisteredWholeAndInOrderOfItsBody() async throws {
    let api = try await Harness()
    let response = await api.send(
      "POST", "/v1/workloads/batch", body: Bodies.batch(Bodies.workload("b"), Bodies.workload("a")))
    #expect(response.status == 201)
    #expect(response.headers["Location"] == "/v1/workloads")
    #expect(response.json("workloads", "0", "id") == "b")
    #expect(response.json("workloads", "1", "revision") == "1")
    #expect(response.json("revision") == "1")
    #expect(await api.send("GET", "/v1/workloads").json("workloads", "0", "id") == "a")
  }

  @Test func aBatchMayBeCSVOrYAMLOrBare() async throws {
    let api = try await Harness(starts: false)
    let csv = "id,model,rate,latency_ms\nc1,resnet50,10,100\nc2,vgg16,20,200\n"
    #expect(await api.send("POST", "/v1/workloads/batch", ["Content-Type": "text/csv"], body: csv).status == 201)
    let yaml = "- {id: y1, model: resnet50, rate: 1, slo: {latencyMs: 100}}\n"
    #expect(
      await api.send("POST", "/v1/workloads/batch", ["Content-Type": "application/yaml"], body: yaml).status == 201)
    #expect(await api.send("POST", "/v1/workloads/batch", body: "[\(Bodies.workload("j1"))]").status == 201)
    let list = await api.send("GET", "/v1/workloads")
    #expect((0..<4).map { list.json("workloads", "\($0)", "id") } == ["c1", "c2", "j1", "y1"])
  }

  @Test func theAnswerCanBeLeftOut() async throws {
    let api = try await Harness(starts: false)
    let response = await api.send(
      "POST", "/v1/workloads/batch", ["Prefer": "respond-async, return=minimal"], body: "[\(Bodies.workload("a"))]")
    #expect(response.status == 201)
    #expect(response.body.isEmpty)
    #expect(response.headers["Preference-Applied"] == "return=minimal")
  }

  /// A batch that must change nothing.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let body: String
    let problem: String
    var pointer: String?
    var testDescription: String { name }
  }

  @Test(arguments: [
    Refusal(
      name: "an id twice", body: Bodies.batch(Bodies.workload("a"), Bodies.workload("a")), problem: "422 duplicate",
      pointer: "/workloads/1/id"),
    Refusal(
      name: "an id twice in a bare list", body: "[\(Bodies.workload("a")),\(Bodies.workload("a"))]",
      problem: "422 duplicate", pointer: "/1/id"),
    Refusal(
      name: "a taken id", body: Bodies.batch(Bodies.workload("a"), Bodies.workload("taken")),
      problem: "409 already_exists", pointer: "/workloads/1/id"),
    Refusal(
      name: "a taken id in a bare list", body: "[\(Bodies.workload("taken"))]", problem: "409 already_exists",
      pointer: "/0/id"),
    Refusal(
      name: "one bad of two", body: Bodies.batch(Bodies.workload("a"), Bodies.workload("b", rate: -1)),
      problem: "422 out_of_range", pointer: "/workloads/1/rate"),
    Refusal(
      name: "an unknown key beside the list", body: #"{"workloads":[],"dryRun":true}"#, problem: "422 unknown_key",
      pointer: "/dryRun"),
    Refusal(name: "no list", body: "{}", problem: "422 missing_key", pointer: ""),
  ]) func aBatchIsAllOrNothing(_ row: Refusal) async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("taken"))
    let response = await api.send("POST", "/v1/workloads/batch", body: row.body)
    #expect(response.problem == row.problem, "\(response.text)")
    #expect(response.json("pointer") == row.pointer)
    #expect(await api.send("GET", "/v1/workloads").json("revision") == "1")
  }

  @Test func aBatchHasAnIdempotencyKeyToo() async throws {
    let api = try await Harness(starts: false)
    let key: HTTPHeaders = ["Idempotency-Key": "k"]
    let first = await api.send("POST", "/v1/workloads/batch", key, body: "[\(Bodies.workload("a"))]")
    let second = await api.send("POST", "/v1/workloads/batch", key, body: "[\(Bodies.workload("a"))]")
    #expect(second.status == 201 && second.body == first.body)
    #expect(second.headers["Idempotency-Replayed"] == "true")
    #expect(
      await api.send("POST", "/v1/workloads", key, body: Bodies.workload("b")).problem == "422 idempotency_key_reused")
  }

  @Test func replacingTheSetIsConditional() async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/workloads/batch", body: Bodies.batch(Bodies.workload("a"), Bodies.workload("b")))
    let list = await api.send("GET", "/v1/workloads")
    let tag = try #require(list.headers["ETag"])
    let body = Bodies.batch(Bodies.workload("b"), Bodies.workload("c"))
    let response = await api.send("PUT", "/v1/workloads", ["If-Match": tag], body: body)
    #expect(response.status == 200)
    #expect((0..<3).map { response.json("workloads", "\($0)", "id") } == ["b", "c", nil])
    #expect(await api.send("PUT", "/v1/workloads", ["If-Match": tag], body: "[]").problem == "412 precondition_failed")
    #expect(await api.send("PUT", "/v1/workloads", body: "[]").status == 200)
    #expect(await api.send("GET", "/v1/workloads").json("workloads", "0") == nil)
  }

  @Test func pagesCoverEverythingOnceInOrder() async throws {
    let api = try await Harness(starts: false)
    let ids = (0..<25).map { "w\($0)" }
    _ = await api.send(
      "POST", "/v1/workloads/batch", body: "[\(ids.map { Bodies.workload($0) }.joined(separator: ","))]")
    var seen: [String] = []
    var cursor: String?
    repeat {
      var query = [(name: "limit", value: "10")]
      if let cursor { query.append((name: "cursor", value: cursor)) }
      let page = await api.send("GET", "/v1/workloads", query: query)
      #expect(page.status == 200)
      for index in 0..<10 { if let id = page.json("workloads", "\(index)", "id") { seen.append(id) } }
      cursor = page.json("nextCursor")
    } while cursor != nil
    #expect(seen == ids.sorted())
  }

  @Test(arguments: [("limit", "0"), ("limit", "1001"), ("limit", "ten"), ("labelSelector", "a=(")])
  func aBadParameterIsRefused(name: String, value: String) async throws {
    let api = try await Harness(starts: false)
    let response = await api.send("GET", "/v1/workloads", query: [(name: name, value: value)])
    #expect(response.problem == "400 invalid_parameter")
    #expect(response.json("detail")?.contains(name) == true)
  }

  /// A selector and which of the three it selects: a {team: vision, tier: gold}, b {team: nlp}, c {}.
  @Test(arguments: [
    ("team=vision", "a"), ("team==nlp", "b"), ("team!=vision", "bc"), ("team", "ab"), ("!team", "c"),
    ("team in (vision, nlp)", "ab"), ("team notin (vision)", "bc"), ("team=vision,tier=gold", "a"),
    ("team,tier!=gold", "b"), (" team in ( nlp ) , !tier ", "b"), ("team=", ""),
  ]) func aSelectorChoosesByLabels(selector: String, expected: String) async throws {
    let api = try await Harness(starts: false)
    let body = Bodies.batch(
      Bodies.workload("a", labels: #"{"team":"vision","tier":"gold"}"#),
      Bodies.workload("b", labels: #"{"team":"nlp"}"#), Bodies.workload("c"))
    _ = await api.send("POST", "/v1/workloads/batch", body: body)
    let list = await api.send("GET", "/v1/workloads", query: [(name: "labelSelector", value: selector)])
    #expect((0..<3).compactMap { list.json("workloads", "\($0)", "id") }.joined() == expected, "\(list.text)")
  }

  @Test func theControllerTakesOnlySoMany() async throws {
    let api = try await Harness(starts: false) { $0.maxWorkloads = 1 }
    let body = Bodies.batch(Bodies.workload("a"), Bodies.workload("b"))
    #expect(await api.send("POST", "/v1/workloads/batch", body: body).problem == "409 too_many_workloads")
    #expect(await api.send("PUT", "/v1/workloads", body: body).problem == "409 too_many_workloads")
  }
}
