import Foundation
import ParvaHTTP
import ParvaStandIn
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaNode

@Suite struct NodeAgentTests {
  static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  static let now = 1_700_000_000

  /// An agent on a simulated node, spoken to through its route table.
  struct Bench {
    let node: SimulatedNode
    let agent: NodeAgent
    let router: Router

    init(
      _ products: [String] = ["A100-80GB", "A100-80GB"], onChange: @escaping @Sendable () -> Void = {}
    ) throws {
      try self.init(SimulatedNode(products), bootID: "boot", onChange: onChange)
    }

    /// The agent's next life on the same node.
    init(_ node: SimulatedNode, bootID: String, onChange: @escaping @Sendable () -> Void = {}) throws {
      self.node = node
      var configuration = NodeAgent.Configuration(name: "n1")
      configuration.onChange = onChange
      agent = NodeAgent(
        configuration: configuration, driver: node.driver,
        store: try NodeStore(directory: node.directory.appendingPathComponent("records"), bootID: bootID),
        simulated: true)
      let signature = try #require(WebhookSignature(secret: NodeAgentTests.secret))
      router = Router(routes: NodeRoutes(agent: agent, authority: .signed([signature]), now: { now }).routes)
    }

    func get(_ path: String) async -> HTTPResponse {
      await router.respond(to: HTTPRequest(method: "GET", path: path))
    }

    func post(
      _ body: String, timestamp: Int = now, secret: String = NodeAgentTests.secret, id: String = "msg_1.n1"
    ) async -> HTTPResponse {
      let data = Data(body.utf8)
      var headers: HTTPHeaders = ["Content-Type": "application/json"]
      let signed = WebhookSignature(secret: secret)?.headers(id: id, timestamp: timestamp, body: data) ?? []
      for (name, value) in signed { headers[name] = value }
      return await router.respond(to: HTTPRequest(method: "POST", path: "/v1/apply", headers: headers, body: data))
    }

    /// Posts, waits for the end and answers the operation as it stands then.
    func apply(_ body: String) async throws -> NodeOperationDocument {
      let response = await post(body)
      #expect(response.status == 202, "\(String(decoding: response.body, as: UTF8.self))")
      await agent.settled()
      let ended = await get(try #require(response.headers["Location"]))
      return try JSONDecoder().decode(NodeOperationDocument.self, from: ended.body)
    }

    func places() throws -> [[[Int]]] {
      try node.driver.observe().gpus.map { $0.instances.map { [$0.profileID, $0.start] } }
    }
  }

  static func body(_ revision: Int, _ places: [(gpu: Int, profile: Int, start: Int)]) -> String {
    let gpus = Dictionary(grouping: places, by: \.gpu).sorted { $0.key < $1.key }.map { gpu, places in
      let instances = places.map { #"{"profileId":\#($0.profile),"start":\#($0.start)}"# }.joined(separator: ",")
      return #"{"uuid":"\#(SimulatedNode.uuid(gpu))","instances":[\#(instances)]}"#
    }
    return #"{"revision":\#(revision),"gpus":[\#(gpus.joined(separator: ","))]}"#
  }

  static func code(_ response: HTTPResponse) throws -> String {
    let problem = try #require(try JSONSerialization.jsonObject(with: response.body) as? [String: Any])
    return try #require(problem["code"] as? String)
  }

  @Test func aSignedPlanIsAppliedAndShownStepByStep() async throws {
    let bench = try Bench()
    try await bench.agent.start()
    let operation = try await bench.apply(Self.body(1, [(0, 9, 0), (1, 14, 4)]))
    #expect(operation.status == .verified)
    #expect(operation.simulated)
    #expect(operation.steps.count == 4 && operation.steps.allSatisfy(\.done))
    #expect(try bench.places() == [[[9, 0]], [[14, 4]]])
    let state = try JSONDecoder().decode(NodeStateDocument.self, from: await bench.get("/v1/state").body)
    #expect(state.simulated && state.observed.simulated)
    #expect(state.verified == VerifiedDocument(revision: 1))
    #expect(state.owned.map(\.profileId) == [9, 14])
  }

  @Test func theSameRevisionAgainChangesNothing() async throws {
    let bench = try Bench()
    let body = Self.body(3, [(0, 9, 0)])
    let first = try await bench.apply(body)
    let uuid = try bench.node.gpu().instances[0].uuid
    #expect(try await bench.apply(body) == first)
    #expect(try bench.node.gpu().instances[0].uuid == uuid)
  }

  @Test func olderAndContradictoryRevisionsAreRefused() async throws {
    let bench = try Bench()
    _ = try await bench.apply(Self.body(5, [(0, 9, 0)]))
    let stale = await bench.post(Self.body(4, [(0, 14, 0)]))
    #expect(stale.status == 409)
    #expect(try Self.code(stale) == "revision_stale")
    let conflict = await bench.post(Self.body(5, [(0, 14, 0)]))
    #expect(conflict.status == 409)
    #expect(try Self.code(conflict) == "revision_conflict")
    // Also after a restart.
    let next = try Bench(bench.node, bootID: "boot")
    try await next.agent.start()
    #expect(try Self.code(await next.post(Self.body(4, [(0, 14, 0)]))) == "revision_stale")
    #expect(try bench.places() == [[[9, 0]], []])
  }

  @Test func aLaterPhaseTakesThePlaceOfAnEarlierOneAndNeverTheOtherWay() async throws {
    let bench = try Bench()
    func body(_ revision: Int, _ phase: Int, _ start: Int) -> String {
      Self.body(revision, [(0, 14, start)]).replacing(
        #"{"revision":\#(revision),"#, with: #"{"revision":\#(revision),"phase":\#(phase),"#)
    }
    #expect(try await bench.apply(body(5, 1, 0)).phase == 1)
    let second = try await bench.apply(body(5, 2, 2))
    #expect(second.status == .verified && second.revision == 5 && second.phase == 2)
    let state = try JSONDecoder().decode(NodeStateDocument.self, from: await bench.get("/v1/state").body)
    #expect(state.verified?.version == AssignmentVersion(revision: 5, phase: 2))
    for old in [body(5, 1, 0), Self.body(5, [(0, 14, 0)]), body(4, 9, 0)] {
      #expect(try Self.code(await bench.post(old)) == "revision_stale")
    }
    #expect(try Self.code(await bench.post(body(5, 2, 4))) == "revision_conflict")
    let next = try Bench(bench.node, bootID: "boot")
    try await next.agent.start()
    #expect(try Self.code(await next.post(body(5, 1, 0))) == "revision_stale")
    #expect(try await next.apply(body(6, 0, 4)).status == .verified)
  }

  struct Unauthorised: Sendable {
    var timestamp = NodeAgentTests.now
    var secret = NodeAgentTests.secret
    var code: String
    var detail: String
  }

  @Test(arguments: [
    Unauthorised(timestamp: now - 301, code: "credentials_invalid", detail: "webhook_timestamp_outside_window"),
    Unauthorised(
      secret: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", code: "credentials_invalid",
      detail: "webhook_signature_mismatch"),
    Unauthorised(secret: "none", code: "credentials_missing", detail: "webhook-signature"),
  ])
  func whoDoesNotSignAppliesNothing(_ testCase: Unauthorised) async throws {
    let bench = try Bench()
    let response = await bench.post(
      Self.body(1, [(0, 9, 0)]), timestamp: testCase.timestamp, secret: testCase.secret)
    #expect(response.status == 401)
    #expect(try Self.code(response) == testCase.code)
    #expect(String(decoding: response.body, as: UTF8.self).contains(testCase.detail))
    #expect(response.headers["WWW-Authenticate"]?.hasPrefix("Bearer realm=") == true)
    await bench.agent.settled()
    #expect(try bench.places() == [[], []])
  }

  @Test("what the controller would not take is not taken here either, by the same names")
  func requestsAreReadAsTheControllerReadsThem() async throws {
    let bench = try Bench()
    for path in ["/v1/state", "/metrics", "/healthz", "/v1/operations/x"] {
      let answer = await bench.router.respond(
        to: HTTPRequest(method: "GET", path: path, query: [(name: "colour", value: "1")]))
      #expect(try Self.code(answer) == "unknown_parameter" && answer.status == 400, "\(path)")
    }
    let body = Data(Self.body(1, [(0, 9, 0)]).utf8)
    func post(_ type: String?, query: [(name: String, value: String)] = []) async -> HTTPResponse {
      var headers = HTTPHeaders()
      headers["Content-Type"] = type
      for (name, value) in WebhookSignature(secret: Self.secret)?.headers(id: "m.n1", timestamp: Self.now, body: body)
        ?? []
      {
        headers[name] = value
      }
      return await bench.router.respond(
        to: HTTPRequest(method: "POST", path: "/v1/apply", query: query, headers: headers, body: body))
    }
    for type in ["text/csv", "application/yaml", "image/png"] {
      let answer = await post(type)
      #expect(try Self.code(answer) == "unsupported_media_type" && answer.status == 415, "\(type)")
      #expect(answer.headers["Accept"] == "application/json")
    }
    #expect(
      try Self.code(await post("application/json", query: [(name: "force", value: "true")])) == "unknown_parameter")
    await bench.agent.settled()
    #expect(try bench.places() == [[], []])
    for type in ["application/json; charset=utf-8", "application/x-www-form-urlencoded", nil] {
      #expect(await post(type).status == 202)
    }
    await bench.agent.settled()
    #expect(try bench.places() == [[[9, 0]], []])
  }

  @Test("the state tells the newest revision that was accepted, though it was refused")
  func acceptedRevisionsAreTold() async throws {
    let bench = try Bench()
    #expect(try await bench.agent.document().accepted == nil)
    #expect(try await bench.apply(Self.body(3, [(0, 9, 0)])).status == .verified)
    #expect(try await bench.apply(Self.body(8, [(0, 9, 1)])).status == .refused)
    let state = try JSONDecoder().decode(NodeStateDocument.self, from: await bench.get("/v1/state").body)
    #expect(state.verified?.revision == 3 && state.accepted == 8)
    #expect(try Self.code(await bench.post(Self.body(7, []))) == "revision_stale")
  }

  @Test("records that something else changed are told as that, and not as a fault of the driver")
  func damagedRecordsAreTold() async throws {
    let bench = try Bench()
    #expect(try await bench.apply(Self.body(1, [(0, 9, 0)])).status == .verified)
    try Data("{}".utf8).write(to: bench.agent.store.directory.appendingPathComponent("verified.json"))
    let answer = await bench.get("/v1/state")
    #expect(answer.status == 503)
    #expect(try Self.code(answer) == "records_damaged")
    let operation = try await bench.apply(Self.body(2, []))
    #expect(operation.status == .failed && operation.failure?.code == "records_damaged")
    #expect(try bench.places() == [[[9, 0]], []])
  }

  struct Malformed: Sendable {
    var status = 422
    var body: String
    var code: String
  }

  @Test(arguments: [
    Malformed(status: 400, body: "", code: "body_missing"),
    Malformed(status: 400, body: "{", code: "invalid_syntax"),
    Malformed(body: "[]", code: "wrong_type"),
    Malformed(body: #"{"gpus":[]}"#, code: "missing_key"),
    Malformed(body: #"{"revision":-1,"gpus":[]}"#, code: "out_of_range"),
    Malformed(body: #"{"revision":1,"phase":-1,"gpus":[]}"#, code: "out_of_range"),
    Malformed(body: #"{"revision":1,"gpus":[],"force":true}"#, code: "unknown_key"),
    Malformed(
      body: #"{"revision":1,"gpus":[{"uuid":"a","instances":[]},{"uuid":"a","instances":[]}]}"#, code: "duplicate"),
    Malformed(
      body: #"{"revision":1,"gpus":[{"uuid":"a","instances":[{"profileId":9,"start":99}]}]}"#,
      code: "out_of_range"),
  ])
  func aBodyThatIsNoPlanIsRefusedWithItsPlace(_ testCase: Malformed) async throws {
    let response = try await Bench().post(testCase.body)
    #expect(response.status == testCase.status, "as a controller answers the same fault")
    #expect(try Self.code(response) == testCase.code)
  }

  @Test func aRefusedPlanNamesThePIDAndCanBeSentAgain() async throws {
    let bench = try Bench()
    _ = try await bench.apply(Self.body(1, [(0, 9, 0)]))
    try bench.node.setProcesses(["\(try bench.node.gpu().instances[0].uuid ?? "") 5000001 1 C jupyter"])
    let refused = try await bench.apply(Self.body(2, [(0, 14, 0)]))
    #expect(refused.status == .refused)
    #expect(refused.problems.map(\.code) == ["instance_in_use"])
    #expect(refused.problems.map(\.process) == ["jupyter"])
    try bench.node.setProcesses([])
    let again = try await bench.apply(Self.body(2, [(0, 14, 0)]))
    #expect(again.status == .verified)
    #expect(again.id != refused.id)
  }

  @Test func aFailedPlanIsUndoneAndNamesItsStep() async throws {
    let bench = try Bench()
    _ = try await bench.apply(Self.body(1, [(0, 9, 0), (1, 9, 0)]))
    try bench.node.setFaults(["fail nvmlDeviceCreateGpuInstanceWithPlacement 2 2 23"])
    let operation = try await bench.apply(Self.body(2, [(0, 14, 0), (1, 14, 0)]))
    #expect(operation.status == .rolledBack)
    #expect(operation.failure?.code == "insufficient_resources")
    #expect(operation.failure?.step?.contains(SimulatedNode.uuid(1)) == true)
    #expect(try bench.places() == [[[9, 0]], [[9, 0]]])
  }

  @Test func theLastVerifiedPlanIsRestoredAfterAReboot() async throws {
    let bench = try Bench()
    _ = try await bench.apply(Self.body(7, [(0, 9, 0), (1, 14, 4)]))
    try bench.node.reboot()
    #expect(try bench.places() == [[], []])
    let next = try Bench(bench.node, bootID: "next")
    try await next.agent.start()
    #expect(try next.places() == [[[9, 0]], [[14, 4]]])
    let state = try JSONDecoder().decode(NodeStateDocument.self, from: await next.get("/v1/state").body)
    #expect(state.verified == VerifiedDocument(revision: 7))
  }

  @Test("F2: a lost GPU is shown, a drain completes and says what it left, and the records last until it is back")
  func aLostGPUHindersNobody() async throws {
    let bench = try Bench(["A100-80GB", "A100-80GB", "A100-80GB"])
    try await bench.agent.start()
    _ = try await bench.apply(Self.body(1, [(0, 9, 0), (1, 9, 4), (2, 14, 0)]))
    try bench.node.setFaults(["lose nvmlDeviceGetUUID 1 1"])
    func state() async throws -> NodeStateDocument {
      try JSONDecoder().decode(NodeStateDocument.self, from: await bench.get("/v1/state").body)
    }
    _ = try? bench.node.gpu(1)
    let shown = try await state()
    #expect(shown.lost?.map(\.gpu) == [SimulatedNode.uuid(1)])
    #expect(shown.lost?.first?.instances.map(\.start) == [4])
    #expect(shown.owned.map(\.gpu) == [SimulatedNode.uuid(0), SimulatedNode.uuid(2)])
    // A plan that keeps what it had there is carried out on the others, and one that wants more there is refused.
    let kept = try await bench.apply(Self.body(2, [(0, 14, 0), (1, 9, 4)]))
    #expect(kept.status == .verified)
    #expect(kept.lost?.map(\.gpu) == [SimulatedNode.uuid(1)])
    #expect(try await state().verified?.degraded?.contains("gpu_lost") == true)
    let more = try await bench.apply(Self.body(3, [(0, 9, 0), (1, 9, 0)]))
    #expect(more.status == .refused)
    #expect(more.problems.map(\.gpu) == [SimulatedNode.uuid(1)])
    let drained = try await bench.apply(Self.body(4, []))
    #expect(drained.status == .verified)
    #expect(drained.lost?.flatMap(\.instances).map(\.start) == [4])
    #expect(try await state().owned == [])
    #expect(try await state().verified == VerifiedDocument(revision: 4))
    // A restarted agent knows of it still, and removes it as soon as the GPU answers.
    var next = try Bench(bench.node, bootID: "boot")
    try await next.agent.start()
    #expect(try await next.agent.document().lost?.flatMap(\.instances).count == 1)
    try bench.node.setFaults([])
    try bench.node.driver.reset(gpu: SimulatedNode.uuid(1))
    next = try Bench(bench.node, bootID: "boot")
    try await next.agent.start()
    #expect(try next.places() == [[], [], []])
    #expect(try await next.agent.document().lost == nil)
  }

  @Test("a revision that was verified without a lost GPU is carried out again once the GPU is back")
  func aDegradedRevisionIsTriedAnew() async throws {
    let bench = try Bench(["A100-80GB", "A100-80GB"])
    try await bench.agent.start()
    let body = Self.body(2, [(0, 14, 0), (1, 9, 4)])
    _ = try await bench.apply(Self.body(1, [(0, 9, 0), (1, 9, 4)]))
    try bench.node.setFaults(["lose nvmlDeviceGetUUID 1 1"])
    _ = try? bench.node.gpu(1)
    let first = try await bench.apply(body)
    #expect(first.status == .verified)
    #expect(try await bench.agent.document().verified?.degraded?.contains("gpu_lost") == true)
    try bench.node.setFaults([])
    try bench.node.driver.reset(gpu: SimulatedNode.uuid(1))
    let second = try await bench.apply(body)
    #expect(second.id != first.id)
    #expect(second.status == .verified)
    #expect(try bench.places() == [[[14, 0]], [[9, 4]]])
    #expect(try await bench.agent.document().verified == VerifiedDocument(revision: 2))
    // From then on it is the operation of this revision.
    #expect(try await bench.apply(body).id == second.id)
  }

  @Test("F2: after a reboot without one GPU the others are restored") func theOthersAreRestored() async throws {
    let bench = try Bench()
    _ = try await bench.apply(Self.body(7, [(0, 9, 0), (1, 14, 4)]))
    try bench.node.reboot()
    try bench.node.setFaults(["lose nvmlDeviceGetUUID 1 1"])
    _ = try? bench.node.gpu(1)
    let next = try Bench(bench.node, bootID: "next")
    try await next.agent.start()
    #expect(try next.node.gpu(0).instances.map { [$0.profileID, $0.start] } == [[9, 0]])
    #expect(try await next.agent.document().verified?.degraded?.contains("gpu_lost") == true)
  }

  @Test func aRestartWithNothingChangedTouchesNothing() async throws {
    let bench = try Bench()
    _ = try await bench.apply(Self.body(7, [(0, 9, 0)]))
    let before = try bench.node.gpu().instances
    let next = try Bench(bench.node, bootID: "boot")
    try await next.agent.start()
    #expect(try next.node.gpu().instances == before)
  }

  @Test func metricsAreLabelledSimulated() async throws {
    let bench = try Bench()
    _ = try await bench.apply(Self.body(2, [(0, 9, 0)]))
    let text = String(decoding: await bench.get("/metrics").body, as: UTF8.self)
    #expect(text.contains("\nparva_node_simulated 1\n"))
    #expect(text.contains("parva_node_verified_revision 2\n"))
    #expect(text.contains(#"parva_node_applies_total{status="verified"} 1"#))
    let owned = try #require(text.split(separator: "\n").first { $0.hasPrefix("parva_node_instance_owned{") })
    for label in [#"GPU_I_PROFILE="3g.40gb""#, #"UUID="\#(SimulatedNode.uuid(0))""#, #"gpu="0""#, #"start="0"} 1"#] {
      #expect(owned.contains(label), "\(label) is missing in \(owned)")
    }
    #expect(text.contains(#"state="allocated"} 3"#) && text.contains(#"state="free"} 4"#))
  }

  @Test func everyMetricHasARowInTheDocumentsAndNoRowIsWithoutOne() async throws {
    let bench = try Bench()
    _ = try await bench.apply(Self.body(2, [(0, 9, 0)]))
    let served = MetricsTable(served: String(decoding: await bench.get("/metrics").body, as: UTF8.self))
    #expect(served.faults(against: try MetricsTable(documented: ["Node agent", "Both"])) == [])
    let before = try Bench()
    let fresh = MetricsTable(served: String(decoding: await before.get("/metrics").body, as: UTF8.self))
    #expect(fresh.rows.mapValues(\.type) == served.rows.mapValues(\.type), "what is served depends on what happens")
  }

  @Test func unknownOperationsAreNotFound() async throws {
    let bench = try Bench()
    #expect(await bench.get("/v1/operations/none").status == 404)
    #expect(await bench.get("/healthz").status == 200)
  }
}
