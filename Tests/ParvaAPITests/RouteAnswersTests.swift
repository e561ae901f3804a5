import Foundation
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import ParvaWire
import Testing

/// The statuses that openapi.yaml promises, each provoked on every route: a route answers it exactly where it is described.
///
/// That an answer is described at all is seen by ``Harness/send(_:_:query:_:body:)`` in every test.
@Suite struct RouteAnswersTests {
  /// A request that its route takes.
  private struct Sample {
    var method: String
    var pattern: String
    var path: String
    var headers: HTTPHeaders = [:]
    var body = ""

    var operation: String { "\(method) \(pattern)" }
    var isRead: Bool { method == "GET" }

    init(_ method: String, _ pattern: String, _ path: String? = nil, _ headers: HTTPHeaders = [:], body: String = "") {
      self.method = method
      self.pattern = pattern
      self.path = path ?? pattern
      self.headers = headers
      self.body = body
    }
  }

  /// One for each route, in an order in which each finds what it is about.
  private static func samples() throws -> [Sample] {
    let state = try FleetSamples.state("n1", gpus: 1)
    return [
      Sample("GET", "/"), Sample("GET", "/healthz"), Sample("GET", "/readyz"), Sample("GET", "/metrics"),
      Sample("GET", "/openapi.yaml"), Sample("GET", "/openapi.json"), Sample("GET", "/docs"), Sample("GET", "/v1"),
      Sample("GET", "/dashboard/{version}/{file}", "/dashboard/any/app.js"),
      Sample("POST", "/v1/workloads", body: Bodies.workload("new")),
      Sample("POST", "/v1/workloads/batch", body: Bodies.batch(Bodies.workload("newer"))),
      Sample("GET", "/v1/workloads"),
      Sample("GET", "/v1/workloads/{id}", "/v1/workloads/web"),
      Sample("PUT", "/v1/workloads/{id}", "/v1/workloads/web", body: Bodies.workload("web", rate: 7)),
      Sample("PATCH", "/v1/workloads/{id}", "/v1/workloads/web", body: #"{"rate":8}"#),
      Sample("PATCH", "/v1/workloads", body: #"[{"id":"web","rate":9}]"#),
      Sample("GET", "/v1/workloads/{id}/segments", "/v1/workloads/web/segments"),
      Sample("GET", "/v1/workloads/{id}/history", "/v1/workloads/web/history"),
      Sample("GET", "/v1/profiles"),
      Sample("PUT", "/v1/profiles/{model}", "/v1/profiles/tiny", body: profile.replacing(":9,", with: ":8,")),
      Sample("GET", "/v1/profiles/{model}", "/v1/profiles/tiny"),
      Sample("DELETE", "/v1/profiles/{model}", "/v1/profiles/tiny"),
      Sample("GET", "/v1/plan"), Sample("GET", "/v1/plan/events"),
      Sample("POST", "/v1/plan/preview", body: Bodies.batch(Bodies.workload("what-if"))),
      Sample("GET", "/v1/plans"), Sample("GET", "/v1/plans/{revision}", "/v1/plans/1"),
      Sample("GET", "/v1/plans/{a}/diff/{b}", "/v1/plans/1/diff/1"),
      Sample("POST", "/v1/plan/pin", body: #"{"reason":"a look"}"#), Sample("GET", "/v1/plan/pin"),
      Sample("DELETE", "/v1/plan/pin"),
      Sample("POST", "/v1/plans/{revision}/rollback", "/v1/plans/999/rollback"),
      Sample("PUT", "/v1/windows/{name}", "/v1/windows/w1", body: window), Sample("GET", "/v1/windows"),
      Sample("GET", "/v1/windows/{name}", "/v1/windows/w1"), Sample("DELETE", "/v1/windows/{name}", "/v1/windows/w1"),
      Sample("GET", "/v1/operations"), Sample("GET", "/v1/operations/{id}", "/v1/operations/none"),
      Sample("POST", "/v1/plan/apply"),
      Sample("POST", "/v1/operations/{id}/pause", "/v1/operations/none/pause"),
      Sample("POST", "/v1/operations/{id}/resume", "/v1/operations/none/resume"),
      Sample("POST", "/v1/operations/{id}/rollback", "/v1/operations/none/rollback"),
      Sample("POST", "/v1/operations/{id}/abort", "/v1/operations/none/abort"),
      Sample("GET", "/v1/nodes"), Sample("GET", "/v1/nodes/{name}", "/v1/nodes/n1"),
      Sample("PUT", "/v1/nodes/{name}", "/v1/nodes/n1", body: #"{"address":"http://127.0.0.1:2"}"#),
      Sample("POST", "/v1/nodes/{name}/status", "/v1/nodes/n1/status", body: try FleetSamples.body(state)),
      Sample("POST", "/v1/nodes/{name}/cordon", "/v1/nodes/n1/cordon"),
      Sample("POST", "/v1/nodes/{name}/uncordon", "/v1/nodes/n1/uncordon"),
      Sample("POST", "/v1/nodes/{name}/maintenance", "/v1/nodes/n1/maintenance"),
      Sample("POST", "/v1/nodes/{name}/return", "/v1/nodes/n1/return"),
      Sample("GET", "/v1/events"),
      Sample("GET", "/v1/endpoints"), Sample("GET", "/v1/endpoints/events"),
      Sample("GET", "/v1/workloads/{id}/endpoints", "/v1/workloads/web/endpoints"),
      Sample(
        "PUT", "/v1/segments/{id}/endpoints", "/v1/segments/told%2F1/endpoints",
        body: #"{"endpoints":[{"address":"10.0.0.1","port":80}]}"#),
      Sample("GET", "/v1/replicas"),
      Sample("GET", "/v1/proxies"), Sample("GET", "/v1/prometheus-targets"),
      Sample("POST", "/v3/discovery:listeners", body: #"{"node":{"id":"edge"}}"#),
      Sample("POST", "/v3/discovery:routes", body: #"{"node":{"id":"edge"}}"#),
      Sample("POST", "/v3/discovery:clusters", body: #"{"node":{"id":"edge"}}"#),
      Sample("POST", "/v3/discovery:endpoints", body: #"{"node":{"id":"edge"}}"#),
      Sample("GET", "/v1/namespaces"), Sample("POST", "/v1/namespaces", body: #"{"name":"vision"}"#),
      Sample("PUT", "/v1/namespaces/{name}", "/v1/namespaces/speech", body: #"{"quota":{"workloads":5}}"#),
      Sample("GET", "/v1/namespaces/{name}", "/v1/namespaces/speech"),
      Sample("DELETE", "/v1/namespaces/{name}", "/v1/namespaces/speech"),
      Sample("GET", "/v1/tokens"), Sample("GET", "/v1/tokens/{id}", "/v1/tokens/none"),
      Sample("POST", "/v1/tokens", body: #"{"name":"ci","role":"reader","ttl":"1d"}"#),
      Sample("DELETE", "/v1/tokens/{id}", "/v1/tokens/none"), Sample("GET", "/v1/whoami"),
      Sample("GET", "/v1/audit"),
      Sample("GET", "/v1/webhooks"), Sample("POST", "/v1/webhooks", body: #"{"url":"http://127.0.0.1:9/b"}"#),
      Sample("GET", "/v1/webhooks/{id}", "/v1/webhooks/hook"),
      Sample("PUT", "/v1/webhooks/{id}", "/v1/webhooks/hook", body: #"{"url":"http://127.0.0.1:9/c"}"#),
      Sample("GET", "/v1/webhooks/{id}/deliveries", "/v1/webhooks/hook/deliveries"),
      Sample("GET", "/v1/webhooks/{id}/dead-letters", "/v1/webhooks/hook/dead-letters"),
      Sample("POST", "/v1/webhooks/{id}/replay", "/v1/webhooks/hook/replay"),
      Sample("POST", "/v1/webhooks/{id}/rotate-secret", "/v1/webhooks/hook/rotate-secret"),
      Sample("POST", "/v1/webhooks/{id}/test", "/v1/webhooks/hook/test"),
      Sample("PATCH", "/v1/webhooks/{id}", "/v1/webhooks/hook", body: #"{"name":"other"}"#),
      Sample("DELETE", "/v1/webhooks/{id}", "/v1/webhooks/hook"),
      Sample("GET", "/v1/fleet"), Sample("POST", "/v1/fleet/accept-silence"),
      Sample("DELETE", "/v1/nodes/{name}", "/v1/nodes/n1"),
      Sample("DELETE", "/v1/workloads/{id}", "/v1/workloads/web"),
      Sample("PUT", "/v1/workloads", body: Bodies.batch(Bodies.workload("only"))),
    ]
  }

  private static let window = #"{"kind":"freeze","start":"2020-01-01T00:00:00Z","end":"2020-01-02T00:00:00Z"}"#
  private static let profile =
    #"{"model":"tiny","product":"A100-80GB","source":"measured","points":"#
    + #"[{"profile":"1g.10gb","batch":1,"processes":1,"throughput":9,"latencyMs":9}]}"#

  /// A controller with a workload, a profile, a plan and a node of one GPU.
  private static func controller(
    requiresPreconditions: Bool = false, clock: ManualClock = ManualClock(), storing: (any Store) -> any Store = { $0 }
  ) async throws -> Harness {
    let api = try await Harness(
      requiresPreconditions: requiresPreconditions, { $0.nodes.clock = { clock.now } }, storing: storing)
    try await api.join(try FleetSamples.state("n1", gpus: 1))
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("web")).status == 201)
    #expect(await api.send("PUT", "/v1/profiles/tiny", body: profile).status == 201)
    #expect(await api.send("POST", "/v1/namespaces", body: #"{"name":"speech"}"#).status == 201)
    #expect(await api.send("PUT", "/v1/webhooks/hook", body: #"{"url":"http://127.0.0.1:9/b"}"#).status == 201)
    #expect(await api.send("GET", "/v1/plan", query: [("wait", "60")]).json("gpus", "0", "node") == "n1")
    try await api.hold("told/1", on: "n9")
    return api
  }

  /// Sends each sample as `change` makes it and compares where `status` came with where it is described.
  private static func provoke(
    _ status: Int, on api: Harness, where isAsked: (Sample) -> Bool = { _ in true },
    _ change: (inout Sample) async throws -> Void
  ) async throws {
    let description = try APIDescription.own.get()
    for sample in try samples() where isAsked(sample) {
      var changed = sample
      try await change(&changed)
      var path = changed.path
      var query: [(name: String, value: String)] = []
      if let mark = path.firstIndex(of: "?") {
        query = [(String(path[path.index(after: mark)...]), "1")]
        path = String(path[..<mark])
      }
      let response = await api.send(changed.method, path, query: query, changed.headers, body: changed.body)
      #expect(
        (response.status == status) == description.statuses(sample.operation).contains(status),
        "\(sample.operation): \(response.problem) \(response.status)")
    }
    try await api.controller.stop()
  }

  @Test func thereIsASampleForEachRoute() async throws {
    let api = try await Harness(starts: false)
    let routes = RouteTable(api.controller).routes.map { "\($0.method) \($0.pattern)" }
    #expect(try Self.samples().map(\.operation).sorted() == routes.sorted())
  }

  @Test func anUnknownParameterIsRefusedWhereItIsSaid() async throws {
    try await Self.provoke(400, on: try await Self.controller()) { $0.path += "?nonsense" }
  }

  @Test func aFormatThatNobodyHasIsRefusedWhereItIsSaid() async throws {
    try await Self.provoke(406, on: try await Self.controller(), where: \.isRead) { $0.headers["Accept"] = "image/png" }
  }

  @Test func aBodyOfAnotherTypeIsRefusedWhereItIsSaid() async throws {
    try await Self.provoke(415, on: try await Self.controller(), where: { !$0.isRead }) {
      $0.headers["Content-Type"] = "image/png"
      if $0.body.isEmpty { $0.body = "x" }
    }
  }

  @Test func aFailedConditionIsRefusedWhereItIsSaid() async throws {
    try await Self.provoke(412, on: try await Self.controller(), where: { !$0.isRead }) {
      $0.headers["If-Match"] = #""999.x""#
    }
  }

  @Test func aChangeWithoutAConditionIsRefusedWhereItIsSaid() async throws {
    let api = try await Self.controller(requiresPreconditions: true)
    try await Self.provoke(428, on: api, where: { !$0.isRead }) { _ in }
  }

  @Test func aKeyIsRefusedWhereItIsTakenAndBad() async throws {
    let api = try await Self.controller()
    let description = try APIDescription.own.get()
    for sample in try Self.samples() where !sample.isRead {
      var headers = sample.headers
      headers["Idempotency-Key"] = "two words"
      let response = await api.send(sample.method, sample.path, headers, body: sample.body)
      let takes = (description.operations[sample.operation] ?? .null)["parameters"].elements
        .contains { $0["$ref"].text == "#/components/parameters/IdempotencyKey" }
      #expect((response.problem == "400 invalid_idempotency_key") == takes, "\(sample.operation): \(response.problem)")
    }
    try await api.controller.stop()
  }

  @Test func aStoreWithoutRoomIsToldWhereItIsSaid() async throws {
    let clock = ManualClock()
    var gated: GatedStore?
    let api = try await Self.controller(clock: clock) { store in
      let gate = GatedStore(store)
      gated = gate
      return gate
    }
    // Nobody listens at the node's address, so it runs.
    let operation = try #require(await api.send("POST", "/v1/plan/apply").headers["Location"])
    let token = await api.send("POST", "/v1/tokens", body: #"{"name":"ci","role":"reader"}"#).headers["Location"] ?? ""
    // Another plan is not pushed yet.
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("later"))
    _ = await api.send("GET", "/v1/plan", query: [("wait", "60")])
    // There has to be something to release, and to take away.
    _ = await api.send("PUT", "/v1/windows/w1", body: Self.window)
    _ = await api.send("POST", "/v1/plan/pin")
    try #require(gated).fail(with: StoreError(.full, "no room"))
    // A roll-back needs a plan before this one.
    try await Self.provoke(507, on: api, where: { !$0.isRead && !$0.pattern.hasSuffix("/rollback") }) { sample in
      sample.path = sample.path.replacing("/v1/operations/none", with: operation)
        .replacing("/v1/tokens/none", with: token)
      // There has to be a node whose silence can be accepted.
      guard sample.pattern == "/v1/fleet/accept-silence" else { return }
      clock.advance(by: .seconds(3600))
      try? await api.controller.nodes.check()
    }
  }

  @Test func whatIsUnchangedSaysWhatACacheGoesBy() async throws {
    let api = try await Self.controller()
    let description = try APIDescription.own.get()
    for sample in try Self.samples() where sample.isRead {
      for coding in ["identity", "gzip"] {
        let first = await api.send("GET", sample.path, ["Accept-Encoding": coding])
        let tag = first.headers["ETag"] ?? "\"none\""
        let second = await api.send("GET", sample.path, ["Accept-Encoding": coding, "If-None-Match": tag])
        #expect(
          (second.status == 304) == description.statuses(sample.operation).contains(304), "\(sample.operation)")
        guard second.status == 304 else { continue }
        #expect(second.headers["Vary"] == first.headers["Vary"], "\(sample.operation)")
        #expect(second.headers["ETag"] == tag && second.body.isEmpty, "\(sample.operation)")
      }
    }
    try await api.controller.stop()
  }

  @Test func everyListEndsWithANullCursor() async throws {
    let api = try await Self.controller()
    for path in [
      "workloads", "profiles", "plans", "operations", "nodes", "proxies", "tokens", "audit", "namespaces", "windows",
      "webhooks", "replicas",
    ] {
      let list = await api.send("GET", "/v1/\(path)")
      let members = try JSONDecoder().decode(JSONValue.self, from: list.body).members
      #expect(members["nextCursor"] == .null, "\(path)")
    }
    try await api.controller.stop()
  }
}
