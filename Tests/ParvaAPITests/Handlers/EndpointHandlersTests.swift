import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaAPI

/// The table of endpoints and its form for Envoys, over HTTP. No GPU is behind the nodes.
@Suite struct EndpointHandlersTests {
  private static let gpu = "GPU-n1-0"

  private static func state(_ statuses: [String]) throws -> NodeStateDocument {
    var state = FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0, instances: [(profile: 0, start: 0)])])
    state.verified = VerifiedDocument(revision: 7)
    state.services = statuses.enumerated().map { ordinal, status in
      ServiceDocument(
        kind: "server", gpu: gpu, profileId: 0, start: 0, uuid: "MIG-1", ordinal: ordinal, workload: "web", pid: 7,
        port: 9000 + ordinal, status: status, restarts: 0, message: nil)
    }
    return state
  }

  /// A controller whose node has verified one segment.
  private static func controller(
    launch: LaunchSpec? = LaunchSpec(command: "/bin/server", port: 9000), waiting: Duration = .zero,
    _ statuses: [String]
  ) async throws -> Harness {
    let api = try await Harness(starts: false, discoveryHold: waiting)
    try await api.join(try state(statuses))
    let wanted = WantedInstance(
      profileID: 0, start: 0, segment: "web/1", workload: "web", model: "m", batch: 1, processes: 2, capacity: 100,
      launch: launch)
    try await hold(wanted, api)
    try await api.beat(try state(statuses))
    return api
  }

  /// As if a controller had brought it there.
  private static func hold(_ wanted: WantedInstance, _ api: Harness) async throws {
    let assignment = NodeAssignment(revision: 7, gpus: [WantedGPU(uuid: gpu, instances: [wanted])])
    api.controller.nodes.verified(assignment, on: "n1")
    try await api.controller.nodes.flush()
  }

  private static func ask(
    _ api: Harness, _ type: String, version: String = "", names: [String] = [], more: String = "", id: String = "edge",
    timeout: String? = nil
  ) async -> HTTPResponse {
    let names = names.map { "\"\($0)\"" }.joined(separator: ",")
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    if let timeout { headers["x-envoy-expected-rq-timeout-ms"] = timeout }
    return await api.send(
      "POST", "/v3/discovery:\(type)", headers,
      body: #"{"version_info":"\#(version)","node":{"id":"\#(id)","cluster":"c","extensions":[{"name":"x"}]},"#
        + #""resource_names":[\#(names)],"later":{"key":1}\#(more)}"#)
  }

  @Test func eachServerIsToldWithItsState() async throws {
    let api = try await Self.controller(["healthy", "starting"])
    let list = await api.send("GET", "/v1/endpoints")
    #expect(list.json("endpoints", "0", "state") == "ready")
    #expect(list.json("endpoints", "0", "weight") == "50000")
    #expect(list.json("endpoints", "0", "segment") == "web/1")
    #expect(list.json("endpoints", "0", "uuid") == "MIG-1")
    #expect(list.json("endpoints", "1", "state") == "starting")
    let version = try #require(list.json("version"))
    let known = await api.send("GET", "/v1/endpoints", query: [("after", version), ("wait", "0")])
    #expect(known.status == 304)
    #expect(await api.send("GET", "/v1/endpoints", query: [("workload", "none")]).json("endpoints", "0") == nil)
    #expect(await api.send("GET", "/v1/workloads/web/endpoints").json("endpoints", "1", "port") == "9001")
    #expect(await api.send("GET", "/v1/workloads/none/endpoints").problem == "404 not_found")
    let text = await api.send("GET", "/v1/endpoints", ["Accept": "text/plain"])
    #expect(text.text.contains("127.0.0.1:9001") && text.text.contains("starting"))
    // Who waits hears of the change.
    async let next = api.send("GET", "/v1/endpoints", query: [("after", version), ("wait", "60")])
    try await api.beat(try Self.state(["healthy", "healthy"]))
    #expect(await next.json("endpoints", "1", "state") == "ready")
    try await api.controller.stop()
  }

  @Test func streamsBeginWithWhatIsAndTellEveryChange() async throws {
    let api = try await Self.controller(["starting"])
    let response = await api.send("GET", "/v1/endpoints/events")
    let stream = try #require(response.stream)
    let (pieces, continuation) = AsyncStream.makeStream(of: String.self)
    let task = Task {
      defer { continuation.finish() }
      try await stream(HTTPBodyWriter { continuation.yield(String(decoding: $0, as: UTF8.self)) })
    }
    var events = pieces.makeAsyncIterator()
    #expect(await events.next() == ": endpoints\n\n")
    #expect(try #require(await events.next()).contains(#""state":"starting""#))
    try await api.beat(try Self.state(["healthy"]))
    #expect(try #require(await events.next()).contains(#""state":"ready""#))
    api.controller.releaseWaiters()
    try await task.value
    try await api.controller.stop()
  }

  @Test func whatTheControllerKnewBeforeItsStartIsNotRoutedBy() async throws {
    let api = try await Self.controller(["healthy"])
    let next = try await api.restarted()
    #expect(await next.send("GET", "/v1/endpoints").problem == "503 endpoints_pending")
    #expect(await Self.ask(next, "clusters").problem == "503 endpoints_pending")
    try await next.beat(try Self.state(["healthy"]))
    #expect(await next.send("GET", "/v1/endpoints").json("endpoints", "0", "state") == "ready")
    #expect(await Self.ask(next, "clusters").status == 200)
    try await next.controller.stop()
  }

  @Test func serversThatParvaDoesNotStartAreToldAndKept() async throws {
    var api = try await Self.controller(launch: nil, [])
    let path = "/v1/segments/web%2F1/endpoints"
    func put(_ path: String, _ servers: String) async -> HTTPResponse {
      await api.send("PUT", path, body: #"{"endpoints":[\#(servers)]}"#)
    }
    let segment = "/v1/segments/none/endpoints"
    #expect(await put(segment, #"{"address":"10.0.0.1","port":1}"#).problem == "404 not_found")
    #expect(await put(segment, "").problem == "404 not_found")
    #expect(await put(path, "").status == 200)
    #expect(await put(path, #"{"address":"10.0.0.1","port":0}"#).problem == "422 out_of_range")
    #expect(await put(path, #"{"address":"no where","port":1}"#).problem == "422 invalid_name")
    #expect(await put(path, #"{"address":"a","port":1,"x":1}"#).problem == "422 unknown_key")
    #expect(await put(path, #"{"address":"a","port":1},{"address":"a","port":1}"#).problem == "422 duplicate")
    #expect(await put(path, #"{"address":"10.0.0.1","port":81},{"address":"model.example","port":82}"#).status == 200)
    api = try await api.restarted()
    try await api.beat(try Self.state([]))
    let list = await api.send("GET", "/v1/endpoints")
    #expect(list.json("endpoints", "0", "address") == "10.0.0.1")
    #expect(list.json("endpoints", "1", "port") == "82")
    #expect(list.json("endpoints", "1", "state") == "ready")
    // A host name cannot be among endpoints that come by themselves.
    let cluster = await Self.ask(api, "clusters")
    #expect(cluster.json("resources", "0", "type") == "STRICT_DNS")
    #expect(await put(path, "").status == 200)
    #expect(await api.send("GET", "/v1/endpoints").json("endpoints", "0") == nil)
    try await api.controller.stop()
    let launched = try await Self.controller(["healthy"])
    let refused = await launched.send(
      "PUT", path, body: #"{"endpoints":[{"address":"10.0.0.1","port":81}]}"#)
    #expect(refused.problem == "409 launched_by_node")
    try await launched.controller.stop()
  }

  @Test func anEnvoyGetsEachVersionOnce() async throws {
    let api = try await Self.controller(["healthy", "stopping", "starting"])
    for type in EnvoyType.allCases {
      let names = type == .endpoints ? ["workload/web"] : []
      let first = await Self.ask(api, type.rawValue, names: names)
      #expect(first.status == 200 && first.json("type_url") == type.url)
      #expect(first.json("resources", "0", "@type") == type.url)
      let version = try #require(first.json("version_info"))
      let again = await Self.ask(api, type.rawValue, version: version, names: names)
      #expect(again.status == 304 && again.body.isEmpty, "\(type)")
    }
    let answer = await Self.ask(api, "endpoints", names: ["workload/web"])
    let states = (0..<3).map {
      answer.json("resources", "0", "endpoints", "0", "lb_endpoints", "\($0)", "health_status")
    }
    #expect(states == ["HEALTHY", "DRAINING", "UNHEALTHY"])
    try await api.beat(try Self.state(["healthy", "healthy", "healthy"]))
    _ = await api.send("GET", "/v1/endpoints")
    let version = try #require(answer.json("version_info"))
    #expect(await Self.ask(api, "endpoints", version: version, names: ["workload/web"]).status == 200)
    #expect(await Self.ask(api, "routes", more: #","type_url":"other""#).problem == "422 contradiction")
    try await api.controller.stop()
  }

  @Test("who holds what there is waits for what comes, and for nothing when the controller ends")
  func questionsAreHeld() async throws {
    let api = try await Self.controller(waiting: .seconds(600), ["starting"])
    let names = ["workload/web"]
    func version(_ names: [String]) async throws -> String {
      try #require(await Self.ask(api, "endpoints", names: names).json("version_info"))
    }
    let (first, none) = (try await version(names), try await version(["workload/none"]))
    async let next = Self.ask(api, "endpoints", version: first, names: names, timeout: "900000")
    // What changes is not its own.
    async let other = Self.ask(api, "endpoints", version: none, names: ["workload/none"], timeout: "900000")
    try await api.beat(try Self.state(["healthy"]))
    let answer = await next
    #expect(answer.status == 200)
    #expect(answer.json("resources", "0", "endpoints", "0", "lb_endpoints", "0", "health_status") == "HEALTHY")
    let second = try #require(answer.json("version_info"))
    // Who does not say how long it waits, or waits for no longer than an answer may take, is answered at once.
    #expect(await Self.ask(api, "endpoints", version: second, names: names).status == 304)
    #expect(await Self.ask(api, "endpoints", version: second, names: names, timeout: "1000").status == 304)
    async let last = Self.ask(api, "endpoints", version: second, names: names, timeout: "900000")
    api.controller.releaseWaiters()
    #expect(await last.status == 304)
    #expect(await other.status == 304)
    try await api.controller.stop()
  }

  @Test func theListIsMadeOnceForAllWhoAsk() async throws {
    let api = try await Self.controller(["healthy", "starting"])
    let first = await api.send("GET", "/v1/endpoints")
    for (query, header) in [
      ([(name: "workload", value: "web")], "text/plain"), ([], "text/plain"), ([], "application/json"),
    ] {
      let one = await api.send("GET", "/v1/endpoints", query: query, ["Accept": header])
      let two = await api.send("GET", "/v1/endpoints", query: query, ["Accept": header])
      #expect(one.body == two.body && one.headers["ETag"] == two.headers["ETag"])
      #expect((one.headers["Content-Type"] ?? "").hasPrefix(header))
    }
    #expect(await api.send("GET", "/v1/endpoints", query: [("workload", "none")]).json("endpoints", "0") == nil)
    try await api.beat(try Self.state(["healthy", "healthy"]))
    let second = await api.send("GET", "/v1/endpoints")
    #expect(second.json("endpoints", "1", "state") == "ready" && second.headers["ETag"] != first.headers["ETag"])
    try await api.controller.stop()
  }

  @Test func whatAnEnvoyRefusesIsShown() async throws {
    let api = try await Self.controller(["healthy"])
    func state(_ id: String) async -> String? {
      let list = await api.send("GET", "/v1/proxies")
      return (0..<3).map(String.init).first { list.json("proxies", $0, "id") == id }
        .flatMap { list.json("proxies", $0, "state") }
    }
    let version = try #require(await Self.ask(api, "listeners").json("version_info"))
    _ = await Self.ask(api, "listeners", version: version)
    #expect(await state("edge") == "current")
    // It says so, or it asks again and again without what it was sent.
    _ = await Self.ask(api, "listeners", more: #","error_detail":{"code":3,"message":"bad address"}"#, id: "said")
    #expect(await state("said") == "refusing")
    let list = await api.send("GET", "/v1/proxies")
    #expect(list.text.contains("bad address"))
    for expected in ["current", "current", "refusing"] {
      _ = await Self.ask(api, "listeners", id: "mute")
      #expect(await state("mute") == expected)
    }
    let metrics = await api.send("GET", "/metrics").text
    #expect(metrics.contains("parva_proxies_refusing 2\n") && metrics.contains("parva_proxy_refusals_total 2\n"))
    _ = await Self.ask(api, "listeners", version: version, id: "mute")
    #expect(await state("mute") == "current")
    try await api.controller.stop()
  }
}
