import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import Testing

@Suite struct WorkloadHandlersTests {
  // MARK: - Registering

  @Test func aRegistrationAnswersWithTheStoredResource() async throws {
    let api = try await Harness()
    let response = await api.send("POST", "/v1/workloads", body: Bodies.workload("web", rate: 12.5))
    #expect(response.status == 201)
    #expect(response.headers["Location"] == "/v1/workloads/web")
    #expect(response.headers["ETag"]?.hasPrefix("\"1.") == true)
    #expect(response.json("id") == "web")
    #expect(response.json("rate") == "12.5")
    #expect(response.json("revision") == "1")
    #expect(response.json("status", "state") == "pending")
    #expect(response.json("createdAt")?.hasSuffix("Z") == true)
    let read = await api.send("GET", "/v1/workloads/web")
    #expect(read.status == 200)
    #expect(read.json("createdAt") == response.json("createdAt"))
  }

  @Test func theStatusFollowsThePlan() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    let plan = await api.send("GET", "/v1/plan")
    let read = await api.send("GET", "/v1/workloads/web")
    #expect(read.json("status", "state") == "planned")
    #expect(read.json("status", "planRevision") == plan.headers["Parva-Plan-Revision"])
  }

  @Test func aTakenIdIsAConflict() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    let response = await api.send("POST", "/v1/workloads", body: Bodies.workload("web", rate: 1))
    #expect(response.problem == "409 already_exists")
    #expect(response.json("pointer") == "/id")
    #expect(await api.send("GET", "/v1/workloads/web").json("rate") == "100.0")
  }

  /// One body that must be refused.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let body: String
    var type = "application/json"
    let problem: String
    var pointer: String?
    var testDescription: String { name }
  }

  @Test(arguments: [
    Refusal(name: "no body", body: "", problem: "400 body_missing"),
    Refusal(name: "not JSON", body: "{", problem: "400 invalid_syntax"),
    Refusal(name: "a number", body: "1", problem: "422 wrong_type", pointer: ""),
    Refusal(
      name: "NaN", body: #"{"id":"a","model":"m","rate":NaN,"slo":{"latencyMs":1}}"#, problem: "400 invalid_syntax"),
    Refusal(
      name: "NaN as YAML", body: "{id: a, model: m, rate: .nan, slo: {latencyMs: 1}}", type: "application/yaml",
      problem: "422 out_of_range", pointer: "/rate"),
    Refusal(
      name: "infinite", body: #"{"id":"a","model":"m","rate":1e400,"slo":{"latencyMs":1}}"#,
      problem: "422 wrong_type", pointer: "/rate"),
    Refusal(name: "zero rate", body: Bodies.workload("a", rate: 0), problem: "422 out_of_range", pointer: "/rate"),
    Refusal(name: "negative", body: Bodies.workload("a", rate: -1), problem: "422 out_of_range", pointer: "/rate"),
    Refusal(
      name: "unknown key", body: #"{"id":"a","model":"m","rate":1,"slo":{"latencyMs":1,"latency":2}}"#,
      problem: "422 unknown_key", pointer: "/slo/latency"),
    Refusal(
      name: "missing key", body: #"{"id":"a","model":"m","slo":{"latencyMs":1}}"#, problem: "422 missing_key",
      pointer: ""),
    Refusal(name: "bad id", body: Bodies.workload("Ünï"), problem: "422 invalid_name", pointer: "/id"),
    Refusal(name: "CSV for one", body: "id,model", type: "text/csv", problem: "415 unsupported_media_type"),
    Refusal(name: "XML", body: "<a/>", type: "application/xml", problem: "415 unsupported_media_type"),
  ]) func aBadBodyIsRefusedWithItsPlace(_ row: Refusal) async throws {
    let api = try await Harness(starts: false)
    let response = await api.send("POST", "/v1/workloads", ["Content-Type": row.type], body: row.body)
    #expect(response.problem == row.problem, "\(response.text)")
    #expect(response.json("pointer") == row.pointer)
    #expect(response.json("requestId") == response.headers["X-Request-Id"])
    #expect(await api.send("GET", "/v1/workloads").json("workloads", "0") == nil)
  }

  @Test func aFormTypeFromCurlIsReadByItsBytes() async throws {
    let api = try await Harness(starts: false)
    let form: HTTPHeaders = ["Content-Type": "application/x-www-form-urlencoded"]
    #expect(await api.send("POST", "/v1/workloads", form, body: Bodies.workload("a")).status == 201)
    let yaml = "id: b\nmodel: resnet50\nrate: 3\nslo:\n  latencyMs: 100\n"
    #expect(await api.send("POST", "/v1/workloads", form, body: yaml).status == 201)
    #expect(await api.send("GET", "/v1/workloads/b").json("rate") == "3.0")
  }

  // MARK: - Idempotency keys

  @Test func oneKeyIsOneRegistration() async throws {
    let api = try await Harness()
    let key: HTTPHeaders = ["Idempotency-Key": "order-1"]
    let first = await api.send("POST", "/v1/workloads", key, body: Bodies.workload("web"))
    let second = await api.send("POST", "/v1/workloads", key, body: Bodies.workload("web"))
    #expect(second.status == 201)
    #expect(second.body == first.body)
    #expect(second.headers["ETag"] == first.headers["ETag"])
    #expect(first.headers["Idempotency-Replayed"] == nil)
    #expect(second.headers["Idempotency-Replayed"] == "true")
    let other = await api.send("POST", "/v1/workloads", key, body: Bodies.workload("other"))
    #expect(other.problem == "422 idempotency_key_reused")
    let restarted = try await api.restarted()
    let third = await restarted.send("POST", "/v1/workloads", key, body: Bodies.workload("web"))
    #expect(third.status == 201 && third.body == first.body)
  }

  @Test("S8: a PATCH under a key is done once")
  func oneKeyIsOnePatch() async throws {
    let api = try await Harness(starts: false)
    let created = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    let headers: HTTPHeaders = ["Idempotency-Key": "p-1", "If-Match": created.headers["ETag"] ?? ""]
    let first = await api.send("PATCH", "/v1/workloads/web", headers, body: #"{"rate":7}"#)
    #expect(first.status == 200 && first.headers["Idempotency-Replayed"] == nil)
    _ = await api.send("PATCH", "/v1/workloads/web", body: #"{"rate":9}"#)
    let again = await api.send("PATCH", "/v1/workloads/web", headers, body: #"{"rate":7}"#)
    #expect(again.status == 200 && again.headers["Idempotency-Replayed"] == "true", "\(again.text)")
    #expect(again.json("rate") == "9.0", "a repetition changes nothing")
    let other = await api.send("PATCH", "/v1/workloads/web", headers, body: #"{"rate":8}"#)
    #expect(other.problem == "422 idempotency_key_reused")
    try await api.controller.stop()
    let restarted = try await Harness(folder: api.folder, starts: false)
    let third = await restarted.send("PATCH", "/v1/workloads/web", headers, body: #"{"rate":7}"#)
    #expect(third.headers["Idempotency-Replayed"] == "true" && third.json("rate") == "9.0")
    let bad = await restarted.send("PATCH", "/v1/workloads/web", ["Idempotency-Key": ""], body: #"{"rate":7}"#)
    #expect(bad.problem == "400 invalid_idempotency_key")
  }

  @Test(arguments: ["", "two words", "ümlaut", String(repeating: "k", count: 256)])
  func aKeyOutsideItsGrammarIsRefused(key: String) async throws {
    let api = try await Harness(starts: false)
    let response = await api.send(
      "POST", "/v1/workloads", ["Idempotency-Key": key], body: Bodies.workload("web"))
    #expect(response.problem == "400 invalid_idempotency_key")
  }

  // MARK: - Replacing and patching

  @Test func putCreatesThenReplaces() async throws {
    let api = try await Harness(starts: false)
    let created = await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("web"))
    #expect(created.status == 201)
    #expect(created.headers["Location"] == "/v1/workloads/web")
    let replaced = await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("web", rate: 7))
    #expect(replaced.status == 200)
    #expect(replaced.json("rate") == "7.0")
    #expect(replaced.json("revision") == "2")
    #expect(replaced.json("createdAt") == created.json("createdAt"))
    let again = await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("web", rate: 7))
    #expect(again.status == 200)
    #expect(again.headers["ETag"] == replaced.headers["ETag"])
    let wrong = await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("other"))
    #expect(wrong.problem == "422 id_mismatch")
    #expect(wrong.json("pointer") == "/id")
  }

  @Test("a declaration under a path need not repeat the id, whoever sends it and in whatever format")
  func idOfThePath() async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/namespaces", body: #"{"name":"vision"}"#)
    let tenant = Caller(name: "ci", id: "token:ci", role: "operator", namespace: "vision")
    let body = #"{"model":"resnet50","rate":5,"slo":{"latencyMs":200}}"#
    #expect(await api.send("PUT", "/v1/workloads/web", body: body).json("id") == "web")
    #expect(await api.send("PUT", "/v1/workloads/vision:cam", body: body).json("id") == "vision:cam")
    let own = await api.send("PUT", "/v1/workloads/web", body: body, as: tenant)
    #expect(own.status == 201 && own.json("id") == "web" && own.json("namespace") == "vision", "\(own.text)")
    let yaml = "model: resnet50\nrate: 6\nslo: {latencyMs: 200}\nnamespace: vision\n"
    let put = await api.send("PUT", "/v1/workloads/vision:cam", ["Content-Type": "application/yaml"], body: yaml)
    #expect(put.status == 200 && put.json("rate") == "6.0", "\(put.text)")
    #expect(
      await api.send("PUT", "/v1/workloads/web", body: body.replacing("{\"model", with: "{\"id\":null,\"model")).problem
        == "422 wrong_type")
    #expect(await api.send("PUT", "/v1/workloads/Not_one", body: body).problem == "422 invalid_name")
    #expect(await api.send("POST", "/v1/workloads", body: body).problem == "422 missing_key")
    #expect(await api.send("PUT", "/v1/workloads", body: "[\(body)]").problem == "422 missing_key")
    try await api.controller.stop()
  }

  @Test func whatWasReadCanBeSentBack() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    _ = await api.send("GET", "/v1/plan")
    let read = await api.send("GET", "/v1/workloads/web")
    let back = await api.send("PUT", "/v1/workloads/web", ["If-Match": read.headers["ETag"] ?? ""], body: read.text)
    #expect(back.status == 200)
    #expect(back.json("revision") == "1")
    let page = await api.send("GET", "/v1/workloads")
    let whole = await api.send("PUT", "/v1/workloads", ["If-Match": page.headers["ETag"] ?? ""], body: page.text)
    #expect(whole.status == 200)
    #expect(whole.json("revision") == "1")
  }

  /// One conditional request for a workload at revision 2, or for none.
  struct Condition: Sendable, CustomTestStringConvertible {
    let method: String
    let path: String
    let headers: [String: String]
    let expected: String
    var testDescription: String { "\(method) \(path) \(headers) -> \(expected)" }
  }

  @Test(arguments: [
    Condition(method: "PUT", path: "web", headers: ["If-Match": "\"2.0\""], expected: "200"),
    Condition(method: "PUT", path: "web", headers: ["If-Match": "\"2.17\""], expected: "200"),
    Condition(method: "PUT", path: "web", headers: ["If-Match": "\"9.0\", \"2.1\""], expected: "200"),
    Condition(method: "PUT", path: "web", headers: ["If-Match": "*"], expected: "200"),
    Condition(method: "PUT", path: "web", headers: ["If-Match": "\"1.0\""], expected: "412 precondition_failed"),
    Condition(method: "PUT", path: "web", headers: ["If-Match": "W/\"2.0\""], expected: "412 precondition_failed"),
    Condition(method: "PUT", path: "web", headers: ["If-Match": "2.0"], expected: "412 precondition_failed"),
    Condition(method: "PUT", path: "web", headers: ["If-None-Match": "*"], expected: "412 precondition_failed"),
    Condition(method: "PUT", path: "new", headers: ["If-None-Match": "*"], expected: "201"),
    Condition(method: "PUT", path: "new", headers: ["If-Match": "*"], expected: "412 precondition_failed"),
    Condition(
      method: "PUT", path: "web", headers: ["If-None-Match": "\"1\""], expected: "400 unsupported_precondition"),
    Condition(method: "DELETE", path: "web", headers: ["If-Match": "\"2.0\""], expected: "204"),
    Condition(method: "DELETE", path: "web", headers: ["If-Match": "\"3.0\""], expected: "412 precondition_failed"),
    Condition(method: "DELETE", path: "new", headers: [:], expected: "404 not_found"),
    Condition(method: "PATCH", path: "web", headers: ["If-Match": "\"2.0\""], expected: "200"),
    Condition(method: "PATCH", path: "web", headers: ["If-Match": "\"3.0\""], expected: "412 precondition_failed"),
    Condition(method: "PATCH", path: "new", headers: [:], expected: "404 not_found"),
  ]) func preconditionsAreHonoured(_ row: Condition) async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("other"))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    var headers = HTTPHeaders()
    for (name, value) in row.headers { headers.add(name, value) }
    let body = ["PUT": Bodies.workload(row.path, rate: 7), "PATCH": #"{"rate":7}"#][row.method] ?? ""
    let response = await api.send(row.method, "/v1/workloads/\(row.path)", headers, body: body)
    #expect(response.problem == row.expected, "\(response.text)")
  }

  @Test func preconditionsCanBeDemanded() async throws {
    let api = try await Harness(starts: false, requiresPreconditions: true)
    #expect(await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("web")).status == 201)
    let bare = [
      await api.send("PUT", "/v1/workloads/web", body: Bodies.workload("web", rate: 2)),
      await api.send("PATCH", "/v1/workloads/web", body: #"{"rate":2}"#),
      await api.send("DELETE", "/v1/workloads/web"), await api.send("PUT", "/v1/workloads", body: "[]"),
    ]
    #expect(bare.map(\.problem) == Array(repeating: "428 precondition_required", count: 4))
    #expect(await api.send("DELETE", "/v1/workloads/web", ["If-Match": "*"]).status == 204)
  }

  /// A merge patch and what it makes of one member.
  struct Patch: Sendable, CustomTestStringConvertible {
    let body: String
    let path: [String]
    let value: String?
    var testDescription: String { body }
  }

  @Test(arguments: [
    Patch(body: #"{"rate":0.30000000000000004}"#, path: ["rate"], value: "0.30000000000000004"),
    Patch(body: #"{"slo":{"latencyMs":50}}"#, path: ["slo", "latencyMs"], value: "50.0"),
    Patch(body: #"{"slo":{"latencyMs":50}}"#, path: ["slo", "percentile"], value: "0.995"),
    Patch(body: #"{"labels":{"team":null}}"#, path: ["labels", "team"], value: nil),
    Patch(body: #"{"labels":{"team":null}}"#, path: ["labels", "tier"], value: "gold"),
    Patch(body: #"{"labels":{"zone":"a"}}"#, path: ["labels", "team"], value: "vision"),
    Patch(body: #"{"priority":null}"#, path: ["priority"], value: nil),
    Patch(body: #"{"model":"vgg16"}"#, path: ["rate"], value: "0.1"),
  ]) func aMergePatchChangesWhatItNames(_ row: Patch) async throws {
    let api = try await Harness(starts: false)
    let body = """
      {"id":"web","model":"resnet50","rate":0.1,"slo":{"latencyMs":204.5,"percentile":0.995},"priority":3,
       "labels":{"team":"vision","tier":"gold"}}
      """
    _ = await api.send("POST", "/v1/workloads", body: body)
    let response = await api.send(
      "PATCH", "/v1/workloads/web", ["Content-Type": "application/merge-patch+json"], body: row.body)
    #expect(response.status == 200, "\(response.text)")
    #expect(response.text.contains("0.30000000000000004") == (row.value == "0.30000000000000004"))
    var value: Any? = try JSONSerialization.jsonObject(with: response.body)
    for step in row.path { value = (value as? [String: Any])?[step] }
    #expect(value.map { "\($0)" } == row.value)
  }

  @Test(arguments: [
    ("[1]", "400 invalid_syntax"), ("{", "400 invalid_syntax"), (#"{"rate":-1}"#, "422 out_of_range"),
    (#"{"rate":null}"#, "422 missing_key"), (#"{"colour":"red"}"#, "422 unknown_key"),
    (#"{"id":"other"}"#, "422 id_mismatch"), ("", "400 body_missing"), (#"{"rate":7,"rate":8}"#, "422 duplicate"),
  ]) func aPatchThatBreaksTheWorkloadIsRefused(body: String, problem: String) async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    #expect(await api.send("PATCH", "/v1/workloads/web", body: body).problem == problem)
    #expect(await api.send("GET", "/v1/workloads/web").json("revision") == "1")
  }

  // MARK: - Reading

  @Test func aReadIsConditional() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    _ = await api.send("GET", "/v1/plan")
    let read = await api.send("GET", "/v1/workloads/web")
    let tag = try #require(read.headers["ETag"])
    let fresh = await api.send("GET", "/v1/workloads/web", ["If-None-Match": tag])
    #expect(fresh.status == 304)
    #expect(fresh.body.isEmpty)
    #expect(fresh.headers["ETag"] == tag)
    #expect(await api.send("GET", "/v1/workloads/web", ["If-None-Match": "\"0\""]).status == 200)
  }

  @Test("S8: workloads come as Accept likes them")
  func workloadsComeAsAcceptLikesThem() async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web", labels: #"{"team":"vision"}"#))
    for path in ["/v1/workloads", "/v1/workloads/web"] {
      let json = await api.send("GET", path)
      let yaml = await api.send("GET", path, ["Accept": "application/yaml"])
      #expect(json.headers["Content-Type"] == "application/json" && json.headers["Vary"]?.hasPrefix("Accept") == true)
      #expect(yaml.status == 200 && yaml.headers["Content-Type"] == "application/yaml")
      #expect(yaml.headers["ETag"] != json.headers["ETag"])
      let (a, b) = (
        try WorkloadReader.read(InputSource(json.listBody, format: .json)),
        try WorkloadReader.read(InputSource(yaml.listBody, format: .yaml))
      )
      #expect(a == b && a.map(\.id) == ["web"])
      #expect(await api.send("GET", path, ["Accept": "image/png"]).problem == "406 not_acceptable")
      let tag = yaml.headers["ETag"] ?? ""
      #expect(await api.send("GET", path, ["Accept": "application/yaml", "If-None-Match": tag]).status == 304)
    }
  }

  @Test("S8: an id may hold _, as names of models do")
  func anIdMayHoldAnUnderscore() async throws {
    let api = try await Harness()
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("en_core_web-sm.v_3")).status == 201)
    #expect(await api.send("GET", "/v1/plan").text.contains("\"en_core_web-sm.v_3/0\""))
    let read = await api.send("GET", "/v1/workloads/en_core_web-sm.v_3", ["Accept": "application/yaml"])
    let back = await api.send(
      "PUT", "/v1/workloads/en_core_web-sm.v_3", ["Content-Type": "application/yaml"], body: read.text)
    #expect(back.status == 200 && back.json("revision") == "1")
    for id in ["_a", "a_", "a._b", "a_.b", "a__", "A_b"] {
      #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload(id)).problem == "422 invalid_name", "\(id)")
    }
  }

  @Test func deletingTakesItOutOfThePlan() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    #expect(await api.send("GET", "/v1/plan").text.contains("\"web\""))
    #expect(await api.send("DELETE", "/v1/workloads/web").status == 204)
    #expect(await api.send("GET", "/v1/workloads/web").problem == "404 not_found")
    #expect(await api.send("GET", "/v1/plan").text.contains("\"web\"") == false)
  }

  @Test func unknownQueryParametersAreRefused() async throws {
    let api = try await Harness(starts: false)
    let response = await api.send("GET", "/v1/workloads", query: [(name: "labelselector", value: "a=b")])
    #expect(response.problem == "400 unknown_parameter")
  }

  @Test("a query parameter that is given twice is refused, whatever its values")
  func repeatedQueryParametersAreRefused() async throws {
    let api = try await Harness(starts: false)
    for (path, name) in [("/v1/workloads", "limit"), ("/v1/nodes", "cursor"), ("/v1/operations", "limit")] {
      let response = await api.send("GET", path, query: [(name: name, value: "1"), (name: name, value: "1")])
      #expect(response.problem == "400 repeated_parameter", "\(path)")
      #expect(response.text.contains(name))
    }
  }
}

extension HTTPResponse {
  /// The body of a list, or that of one workload as a list of one.
  fileprivate var listBody: Data {
    if text.contains("workloads") { return body }
    if headers["Content-Type"] == "application/json" { return Data("[".utf8) + body + Data("]".utf8) }
    let lines = text.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    return Data("-\n\(lines)\n".utf8)
  }
}
