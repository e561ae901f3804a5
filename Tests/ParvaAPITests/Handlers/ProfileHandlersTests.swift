import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import Testing

@Suite struct ProfileHandlersTests {
  private static let product = [(name: "product", value: "A100-80GB")]
  private static let csv = """
    model,product,profile,batch,processes,throughput,latency_ms,source,margin
    tiny,A100-80GB,1g.10gb,1,1,500,2,,
    tiny,A100-80GB,1g.10gb,8,2,2000,8,filled,0.25
    tiny,A100-80GB,1g.10gb,64,2,0,0,,

    """

  private static func json(throughput: Double = 500, model: String = "tiny") -> String {
    #"{"model":"\#(model)","product":"A100-80GB","points":[{"profile":"1g.10gb","batch":1,"processes":1,"#
      + #""throughput":\#(throughput),"latencyMs":2}]}"#
  }

  private static func put(_ api: Harness, _ body: String, _ headers: HTTPHeaders = [:]) async -> HTTPResponse {
    await api.send("PUT", "/v1/profiles/tiny", query: product, headers, body: body)
  }

  // MARK: - Putting and reading

  @Test func whatWasPutIsReadBackInEveryFormatAndCanBeSentAgain() async throws {
    let api = try await Harness(starts: false)
    let created = await Self.put(api, Self.csv, ["Content-Type": "text/csv"])
    #expect(created.status == 201)
    #expect(created.headers["Location"] == "/v1/profiles/tiny?product=A100-80GB")
    #expect(created.json("source") == "filled")
    #expect((created.json("origin"), created.json("revision")) == ("stored", "1"))
    for type in ["application/json", "application/yaml", "text/csv"] {
      let read = await api.send("GET", "/v1/profiles/tiny", ["Accept": type])
      #expect(read.status == 200)
      #expect(read.headers["Content-Type"]?.hasPrefix(type) == true)
      let again = await Self.put(api, read.text, ["Content-Type": type, "If-Match": read.headers["ETag"] ?? ""])
      #expect(again.status == 200, "\(again.text)")
      #expect(again.json("revision") == "1", "nothing changed")
      #expect(again.headers["ETag"] == created.headers["ETag"])
    }
    let tag = try #require(created.headers["ETag"])
    #expect(await api.send("GET", "/v1/profiles/tiny", ["If-None-Match": tag]).status == 304)
  }

  @Test("a profile under a path need not repeat its model and product, and has to have points")
  func namedByThePath() async throws {
    let api = try await Harness(starts: false)
    let points = #""points":[{"profile":"1g.10gb","batch":1,"processes":1,"throughput":500,"latencyMs":2}]"#
    let put = await Self.put(api, "{\(points)}")
    #expect(put.status == 201 && put.json("model") == "tiny" && put.json("product") == "A100-80GB", "\(put.text)")
    #expect(await Self.put(api, #"{"model":"tiny",\#(points)}"#).status == 200)
    #expect(await Self.put(api, #"{"model":"other",\#(points)}"#).problem == "422 contradiction")
    #expect(await Self.put(api, #"{"product":"H200-141GB","points":[]}"#).problem == "422 empty")
    let none = await Self.put(api, #"{"points":[]}"#)
    #expect(none.problem == "422 empty" && none.json("pointer") == "/points", "\(none.text)")
    #expect(none.json("detail") == "a profile needs at least one point", "\(none.text)")
    #expect(await Self.put(api, " ").problem == "400 empty")
    try await api.controller.stop()
  }

  @Test func thePublishedFormatTakesItsModelFromThePath() async throws {
    let api = try await Harness(starts: false)
    let body = "Mig instance,Batch size,Workload Number,Throughput,Latency\n1,1,2,100,0.01\n1,64,2,0,0\n"
    #expect(await Self.put(api, body, ["Content-Type": "text/csv"]).status == 201)
    let read = await api.send("GET", "/v1/profiles/tiny")
    #expect((read.json("points", "0", "throughput"), read.json("points", "0", "latencyMs")) == ("200.0", "10.0"))
    #expect(read.json("points", "1", "throughput") == "0", "the misfit is kept")
  }

  @Test func theListTellsWhatIsInForceAndWhereItComesFrom() async throws {
    let api = try await Harness(starts: false)
    let before = await api.send("GET", "/v1/profiles")
    let tag = try #require(before.headers["ETag"])
    #expect(await api.send("GET", "/v1/profiles", ["If-None-Match": tag]).status == 304)
    _ = await Self.put(api, Self.csv, ["Content-Type": "text/csv"])
    let after = await api.send("GET", "/v1/profiles", ["If-None-Match": tag])
    #expect(after.status == 200)
    let list = try #require(
      (try JSONSerialization.jsonObject(with: after.body) as? [String: Any])?["profiles"] as? [[String: Any]])
    #expect(list.count == BuiltInCatalogue.models.count + 1)
    let tiny = try #require(list.first { $0["model"] as? String == "tiny" })
    #expect(tiny["origin"] as? String == "stored" && tiny["source"] as? String == "filled")
    #expect(tiny["pointCount"] as? Int == 2 && tiny["filledCount"] as? Int == 1)
    #expect(tiny["greatestMargin"] as? Double == 0.25)
    #expect(list.filter { $0["origin"] as? String == "base" }.allSatisfy { $0["source"] as? String == "modelled" })
    let other = await api.send("GET", "/v1/profiles", query: [(name: "product", value: "A30-24GB")])
    #expect(other.json("profiles", "0") == nil)
  }

  // MARK: - Planning follows

  @Test func plansFollowProfilesByThemselves() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web", model: "tiny", rate: 1500))
    _ = await api.send("GET", "/v1/plan", query: [(name: "wait", value: "60")])
    let unserved = await api.send("GET", "/v1/workloads/web")
    #expect((unserved.json("status", "state"), unserved.json("status", "code")) == ("unserved", "no_profile"))

    _ = await Self.put(api, Self.csv, ["Content-Type": "text/csv"])
    let plan = await api.send("GET", "/v1/plan", query: [(name: "wait", value: "60")])
    #expect(plan.headers["Parva-Demand-Revision"] == "2")
    #expect(plan.json("gpus", "0", "segments", "0", "workload") == "web")
    #expect(plan.json("summary", "profileSource") == "filled")
    #expect(await api.send("GET", "/v1/workloads/web").json("status", "state") == "planned")

    #expect(await api.send("DELETE", "/v1/profiles/tiny").status == 204)
    let emptied = await api.send("GET", "/v1/plan", query: [(name: "wait", value: "60")])
    #expect(emptied.headers["Parva-Demand-Revision"] == "3")
    let gone = await api.send("GET", "/v1/workloads/web")
    #expect((gone.json("status", "state"), gone.json("status", "code")) == ("unserved", "no_profile"))
    #expect(gone.json("status", "message")?.contains("tiny") == true)
  }

  @Test func aStoredProfileLiesOverTheBaseAndLetsItShowAgain() async throws {
    let api = try await Harness()
    let base = await api.send("GET", "/v1/profiles/resnet50")
    #expect((base.json("origin"), base.json("source")) == ("base", "modelled"))
    #expect(base.json("revision") == nil)
    #expect(await api.send("DELETE", "/v1/profiles/resnet50").problem == "409 base_profile")
    let put = await api.send(
      "PUT", "/v1/profiles/resnet50", ["If-Match": base.headers["ETag"] ?? ""], body: Self.json(model: "resnet50"))
    #expect(put.status == 201)
    let over = await api.send("GET", "/v1/profiles/resnet50")
    #expect((over.json("origin"), over.json("source")) == ("stored", "measured"))
    #expect(await api.send("DELETE", "/v1/profiles/resnet50").status == 204)
    let again = await api.send("GET", "/v1/profiles/resnet50")
    #expect(again.body == base.body && again.headers["ETag"] == base.headers["ETag"])
  }

  @Test func profilesOutliveARestart() async throws {
    let api = try await Harness()
    _ = await Self.put(api, Self.csv, ["Content-Type": "text/csv"])
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web", model: "tiny", rate: 900))
    let before = (await api.send("GET", "/v1/profiles/tiny"), await api.send("GET", "/v1/plan"))
    let restarted = try await api.restarted()
    let after = (await restarted.send("GET", "/v1/profiles/tiny"), await restarted.send("GET", "/v1/plan"))
    #expect(after.0.body == before.0.body && after.0.headers["ETag"] == before.0.headers["ETag"])
    #expect(after.1.body == before.1.body && after.1.headers["ETag"] == before.1.headers["ETag"])
    try await restarted.controller.stop()
  }

  // MARK: - Preconditions

  @Test func preconditionsGuardChanges() async throws {
    let api = try await Harness(starts: false)
    #expect(await Self.put(api, Self.json(), ["If-Match": "*"]).problem == "412 precondition_failed")
    let created = await Self.put(api, Self.json(), ["If-None-Match": "*"])
    #expect(created.status == 201)
    #expect(await Self.put(api, Self.json(throughput: 7), ["If-None-Match": "*"]).problem == "412 precondition_failed")
    let tag = created.headers["ETag"] ?? ""
    #expect(await Self.put(api, Self.json(throughput: 7), ["If-Match": tag]).status == 200)
    #expect(await Self.put(api, Self.json(throughput: 8), ["If-Match": tag]).problem == "412 precondition_failed")
    let stale = await api.send("DELETE", "/v1/profiles/tiny", ["If-Match": tag])
    #expect(stale.problem == "412 precondition_failed")
    // To a client the base is there too.
    let base = await api.send(
      "PUT", "/v1/profiles/bert", ["If-None-Match": "*"], body: Self.json(model: "bert"))
    #expect(base.problem == "412 precondition_failed")
    let wrong = await api.send("PUT", "/v1/profiles/bert", ["If-Match": "\"9.x\""], body: Self.json(model: "bert"))
    #expect(wrong.problem == "412 precondition_failed")
  }

  @Test func whereTheControllerDemandsThemTheyMustBeThere() async throws {
    let api = try await Harness(starts: false, requiresPreconditions: true)
    #expect(await Self.put(api, Self.json()).status == 201)
    #expect(await Self.put(api, Self.json(throughput: 7)).problem == "428 precondition_required")
    #expect(await api.send("DELETE", "/v1/profiles/tiny").problem == "428 precondition_required")
    #expect(await api.send("DELETE", "/v1/profiles/tiny", ["If-Match": "*"]).status == 204)
  }

  // MARK: - Refusals

  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    var model = "tiny"
    var product = "A100-80GB"
    let body: String
    var type = "application/json"
    let problem: String
    var pointer: String?
    var testDescription: String { name }
  }

  @Test(arguments: [
    Refusal(name: "no body", body: "", problem: "400 body_missing"),
    Refusal(name: "not JSON", body: "{", problem: "400 invalid_syntax"),
    Refusal(name: "another model", body: json(model: "other"), problem: "422 contradiction"),
    Refusal(name: "another product", product: "A30-24GB", body: json(), problem: "422 contradiction"),
    Refusal(name: "an unknown product", product: "A1", body: json(), problem: "400 unknown_product"),
    Refusal(
      name: "a name that is no model", model: "a b", body: json(model: "a b"), problem: "422 invalid_name",
      pointer: "/model"),
    Refusal(
      name: "negative throughput", body: json(throughput: -1), problem: "422 out_of_range",
      pointer: "/points/0/throughput"),
    Refusal(name: "NaN", body: json().replacing("500", with: "NaN"), problem: "400 invalid_syntax"),
    Refusal(
      name: "1e400", body: json().replacing("500.0", with: "1e400"), problem: "422 wrong_type",
      pointer: "/points/0/throughput"),
    Refusal(
      name: "an unknown key", body: json().replacing(#""batch""#, with: #""Batch""#), problem: "422 unknown_key",
      pointer: "/points/0/Batch"),
    Refusal(name: "CSV cut short", body: csv + "tiny,A100", type: "text/csv", problem: "422 wrong_field_count"),
    Refusal(
      name: "CSV with NaN", body: csv.replacing("500,2", with: "nan,2"), type: "text/csv", problem: "422 out_of_range"),
    Refusal(
      name: "a point twice", body: csv + "tiny,A100-80GB,1g.10gb,1,1,5,2,,\n", type: "text/csv",
      problem: "422 duplicate"),
    Refusal(name: "XML", body: "<a/>", type: "application/xml", problem: "415 unsupported_media_type"),
  ]) func aBadProfileIsRefusedAndNothingIsStored(_ row: Refusal) async throws {
    let api = try await Harness(starts: false)
    let response = await api.send(
      "PUT", "/v1/profiles/\(row.model)", query: [(name: "product", value: row.product)],
      ["Content-Type": row.type], body: row.body)
    #expect(response.problem == row.problem, "\(response.text)")
    if let pointer = row.pointer { #expect(response.json("pointer") == pointer) }
    #expect(await api.send("GET", "/v1/profiles").json("revision") == "0")
  }

  @Test func whatIsNotThereIsNotFound() async throws {
    let api = try await Harness(starts: false)
    #expect(await api.send("GET", "/v1/profiles/none").problem == "404 not_found")
    #expect(await api.send("DELETE", "/v1/profiles/none").problem == "404 not_found")
    #expect(
      await api.send("GET", "/v1/profiles/bert", query: [(name: "model", value: "x")]).problem
        == "400 unknown_parameter")
    #expect(await api.send("GET", "/v1/profiles/bert", ["Accept": "image/png"]).problem == "406 not_acceptable")
  }

  @Test func severalProductsMustBeTold() async throws {
    var setup = try Harness.builtIn
    let other = try #require(ProductCatalogue.product(named: "A30-24GB"))
    setup.pools.append(Pool(name: "small", product: other))
    let api = try await Harness(planning: setup, starts: false)
    let response = await api.send("GET", "/v1/profiles/bert")
    #expect(response.problem == "400 product_required")
    #expect(response.json("detail")?.contains("A30-24GB") == true)
    #expect(await api.send("GET", "/v1/profiles/bert", query: Self.product).status == 200)
  }

  @Test func aModelWithASlashIsOnePathSegment() async throws {
    let api = try await Harness(starts: false)
    let response = await api.send(
      "PUT", "/v1/profiles/org%2FModel-7b@v1", query: Self.product, body: Self.json(model: "org/Model-7b@v1"))
    #expect(response.status == 201)
    let location = try #require(response.headers["Location"])
    #expect(location == "/v1/profiles/org%2FModel-7b@v1?product=A100-80GB")
    #expect(await api.send("GET", "/v1/profiles/org%2FModel-7b@v1").json("model") == "org/Model-7b@v1")
  }

  // MARK: - Of a namespace

  private static let vision = Caller(name: "ci", id: "token:ci", role: "operator", namespace: "vision")
  private static let speech = Caller(name: "ci", id: "token:ci2", role: "operator", namespace: "speech")

  private static func shared() async throws -> Harness {
    let api = try await Harness()
    for name in ["vision", "speech"] {
      #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"\#(name)"}"#).status == 201)
    }
    return api
  }

  @Test("a namespace's profile lies over the fleet's for its own workloads, and no other sees it")
  func oneOfANamespace() async throws {
    let api = try await Self.shared()
    let fleet = await api.send("PUT", "/v1/profiles/tiny", query: Self.product, body: Self.json(throughput: 400))
    #expect(fleet.status == 201)
    let seen = await api.send("GET", "/v1/profiles/tiny", as: Self.vision)
    #expect(seen.text == fleet.text && seen.headers["ETag"] == fleet.headers["ETag"])
    #expect(await api.send("DELETE", "/v1/profiles/tiny", as: Self.vision).problem == "409 base_profile")
    let stale = await api.send(
      "PUT", "/v1/profiles/tiny", ["If-Match": "\"9.x\""], body: Self.json(throughput: 40), as: Self.vision)
    #expect(stale.problem == "412 precondition_failed")
    let made = await api.send(
      "PUT", "/v1/profiles/tiny", ["If-Match": seen.headers["ETag"] ?? ""], body: Self.json(throughput: 40),
      as: Self.vision)
    #expect(made.status == 201 && made.json("namespace") == "vision")
    #expect(made.headers["Location"] == "/v1/profiles/tiny?product=A100-80GB")
    // What was read can be sent back.
    let again = await api.send(
      "PUT", "/v1/profiles/tiny", ["If-Match": made.headers["ETag"] ?? ""], body: made.text, as: Self.vision)
    #expect(again.status == 200 && again.text == made.text)
    #expect(await api.send("GET", "/v1/profiles/tiny", as: Self.speech).text == fleet.text)
    #expect(await api.send("GET", "/v1/profiles/tiny").text == fleet.text)
    let named = [(name: "namespace", value: "vision")]
    #expect(await api.send("GET", "/v1/profiles/tiny", query: named).text == made.text)
    #expect(await api.send("GET", "/v1/profiles/tiny", query: named, as: Self.vision).text == made.text)
    #expect(
      await api.send("GET", "/v1/profiles/tiny", query: named, as: Self.speech).problem == "403 namespace_insufficient")
    #expect(
      await api.send("PUT", "/v1/profiles/tiny", body: made.text, as: Self.speech).problem == "422 namespace_mismatch")
    func lines(_ caller: Caller?, _ query: [(name: String, value: String)] = []) async -> [String] {
      let list = await api.send("GET", "/v1/profiles", query: query + Self.product, as: caller)
      return list.text.split(separator: "\n").map(String.init).filter { $0.contains(#""tiny""#) }
    }
    let (all, own, others) = await (lines(nil), lines(Self.vision), lines(Self.speech))
    #expect(all.count == 2 && all.first?.contains("namespace") == false && all.last?.contains("vision") == true)
    #expect(own.count == 1 && own.first?.contains("vision") == true)
    #expect(others.count == 1 && others.first?.contains("namespace") == false)
    #expect(await lines(nil, named) == own)
    // Pages go on where they left off.
    let page = await api.send("GET", "/v1/profiles", query: [("limit", "1"), ("cursor", "A100-80GB/tiny")])
    #expect(page.json("profiles", "0", "namespace") == "vision")
    try await api.controller.stop()
  }

  @Test("plans take each workload's own profile, and the fleet's again when it is gone")
  func plansTakeTheirOwn() async throws {
    let api = try await Self.shared()
    _ = await Self.put(api, Self.json(throughput: 1000))
    for (caller, rate) in [(Self.vision, 300.0), (Self.speech, 300)] {
      let body = Bodies.workload("web", model: "tiny", rate: rate)
      #expect(await api.send("POST", "/v1/workloads", body: body, as: caller).status == 201)
    }
    /// The largest of an instance, in requests per second: how many there are hangs on the room that is left.
    func capacity(_ caller: Caller) async -> Double {
      _ = await api.send("GET", "/v1/plan", query: [(name: "wait", value: "60")])
      let plan = await api.send("GET", "/v1/plan", as: caller)
      return plan.text.components(separatedBy: #""capacity": "#).dropFirst().compactMap { rest in
        Double(rest.prefix { $0.isNumber || $0 == "." })
      }.max() ?? 0
    }
    #expect(await capacity(Self.vision) > 200)
    #expect(
      await api.send("PUT", "/v1/profiles/tiny", body: Self.json(throughput: 200), as: Self.vision).status == 201)
    let (slow, fast) = await (capacity(Self.vision), capacity(Self.speech))
    #expect((1...200).contains(slow) && fast > 200)
    // A model that only one has is nobody else's.
    #expect(
      await api.send(
        "PUT", "/v1/profiles/mine", body: Self.json(model: "mine"), as: Self.vision
      ).status == 201)
    for caller in [Self.vision, Self.speech] {
      _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("m", model: "mine", rate: 9), as: caller)
    }
    _ = await api.send("GET", "/v1/plan", query: [(name: "wait", value: "60")])
    #expect(await api.send("GET", "/v1/workloads/m", as: Self.vision).json("status", "state") == "planned")
    #expect(await api.send("GET", "/v1/workloads/m", as: Self.speech).json("status", "code") == "no_profile")
    #expect(await api.send("GET", "/v1/profiles/mine", as: Self.speech).problem == "404 not_found")
    #expect(await api.send("DELETE", "/v1/profiles/mine", as: Self.speech).problem == "404 not_found")
    #expect(await api.send("DELETE", "/v1/profiles/tiny", as: Self.vision).status == 204)
    #expect(await capacity(Self.vision) > 200)
    #expect(await api.send("GET", "/v1/profiles/tiny", as: Self.vision).json("namespace") == nil)
    let rows = await api.send("GET", "/v1/audit", query: [("who", "ci")])
    let resources = (0..<20).compactMap { rows.json("entries", "\($0)", "resource") }
    #expect(resources.count { $0 == "namespaces/vision/profiles/tiny" } == 2)
    try await api.controller.stop()
  }

  @Test("the fleet's operators may do it for a namespace, and its profiles go with it")
  func forANamespace() async throws {
    let api = try await Self.shared()
    let named = [(name: "namespace", value: "vision")] + Self.product
    let made = await api.send("PUT", "/v1/profiles/tiny", query: named, body: Self.json())
    #expect(made.headers["Location"] == "/v1/profiles/tiny?product=A100-80GB&namespace=vision")
    // The body may say it as well.
    #expect(await api.send("PUT", "/v1/profiles/tiny", query: Self.product, body: made.text).status == 200)
    #expect(await api.send("GET", "/v1/profiles/tiny").problem == "404 not_found")
    let nobody = [(name: "namespace", value: "nobody")] + Self.product
    #expect(
      await api.send("PUT", "/v1/profiles/tiny", query: nobody, body: Self.json()).problem == "422 unknown_namespace")
    #expect(await api.send("DELETE", "/v1/namespaces/vision").status == 204)
    #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"vision"}"#).status == 201)
    #expect(await api.send("GET", "/v1/profiles/tiny", as: Self.vision).problem == "404 not_found")
    try await api.controller.stop()
  }
}
