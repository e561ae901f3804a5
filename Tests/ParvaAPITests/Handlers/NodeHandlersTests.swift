import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaWire
import Testing

@Suite struct NodeHandlersTests {
  private static let declaration =
    #"{"address":"https://gpu7.example:8090/","webhookSecret":"\#(FleetSamples.secret)","zone":"rack-1","labels":{"a":"b"}}"#

  @Test func aRegistrationIsKeptAndItsSecretShownNowhere() async throws {
    var api = try await Harness()
    let created = await api.send("PUT", "/v1/nodes/gpu7", body: Self.declaration)
    #expect(created.status == 201)
    #expect(created.headers["Location"] == "/v1/nodes/gpu7")
    #expect(created.json("address") == "https://gpu7.example:8090")
    #expect(created.json("status", "state") == "pending")
    api = try await api.restarted()
    let read = await api.send("GET", "/v1/nodes/gpu7")
    #expect(read.json("zone") == "rack-1")
    #expect(read.json("labels", "a") == "b")
    #expect(read.json("hasWebhookSecret") == "1")
    for response in [created, read, await api.send("GET", "/v1/nodes")] {
      #expect(!response.text.contains("MfKQ9r8"))
    }
    // A declaration that says nothing of the secret keeps it, and what was read can be sent back.
    let again = await api.send("PUT", "/v1/nodes/gpu7", body: read.text)
    #expect(again.status == 200)
    #expect(again.json("revision") == "1")
    #expect(again.json("hasWebhookSecret") == "1")
    try await api.controller.stop()
  }

  @Test func theStoreOfSecretsIsForItsOwnerAlone() async throws {
    let api = try await Harness()
    let mode = try FileManager.default.attributesOfItem(atPath: api.folder.file("parva.sqlite"))[.posixPermissions]
    #expect(mode as? Int == 0o600)
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let body: String
    let problem: String
    let pointer: String?
    var testDescription: String { String(body.prefix(60)) }
  }

  @Test(arguments: [
    Refusal(body: "", problem: "400 body_missing", pointer: nil),
    Refusal(body: "{", problem: "400 invalid_syntax", pointer: nil),
    Refusal(body: "{}", problem: "422 missing_key", pointer: nil),
    Refusal(body: #"{"address":"ftp://x:1"}"#, problem: "422 out_of_range", pointer: "/address"),
    Refusal(body: #"{"address":"http://user@x:1"}"#, problem: "422 out_of_range", pointer: "/address"),
    Refusal(body: #"{"address":"http://x:1?y"}"#, problem: "422 out_of_range", pointer: "/address"),
    Refusal(body: #"{"address":"http://x:1","colour":1}"#, problem: "422 unknown_key", pointer: "/colour"),
    Refusal(body: #"{"address":"http://x:1","name":"other"}"#, problem: "422 contradiction", pointer: "/name"),
    Refusal(
      body: #"{"address":"http://x:1","webhookSecret":"short"}"#, problem: "422 out_of_range", pointer: "/webhookSecret"
    ),
    Refusal(
      body: #"{"address":"http://x:1","webhookSecretRef":"../etc"}"#, problem: "422 invalid_name",
      pointer: "/webhookSecretRef"),
  ]) func aBadRegistrationIsRefusedWithItsPlace(_ refusal: Refusal) async throws {
    let api = try await Harness(starts: false)
    let response = await api.send("PUT", "/v1/nodes/gpu7", body: refusal.body)
    #expect(response.problem == refusal.problem, "\(response.text)")
    if let pointer = refusal.pointer { #expect(response.json("pointer") == pointer) }
    #expect(await api.send("GET", "/v1/nodes/gpu7").status == 404)
  }

  @Test func preconditionsHoldForNodesAsForWorkloads() async throws {
    let api = try await Harness(starts: false, requiresPreconditions: true)
    let created = await api.send("PUT", "/v1/nodes/n", ["If-None-Match": "*"], body: #"{"address":"http://x:1"}"#)
    let tag = try #require(created.headers["ETag"])
    #expect(await api.send("GET", "/v1/nodes/n", ["If-None-Match": tag]).status == 304)
    let change = #"{"address":"http://x:2"}"#
    #expect(await api.send("PUT", "/v1/nodes/n", body: change).problem == "428 precondition_required")
    #expect(
      await api.send("PUT", "/v1/nodes/n", ["If-Match": "\"9.x\""], body: change).problem == "412 precondition_failed")
    #expect(await api.send("PUT", "/v1/nodes/n", ["If-Match": tag], body: change).json("revision") == "2")
    #expect(await api.send("DELETE", "/v1/nodes/n").problem == "428 precondition_required")
    #expect(await api.send("DELETE", "/v1/nodes/n", ["If-Match": "*"]).status == 204)
  }

  @Test func aHeartbeatShowsTheGPUsAndMakesThemAPool() async throws {
    let api = try await Harness()
    try await api.join(try FleetSamples.state("n1", gpus: 2))
    let node = await api.send("GET", "/v1/nodes/n1")
    #expect(node.json("status", "state") == "ready")
    #expect(node.json("status", "usableGPUs") == "2")
    #expect(node.json("status", "gpus", "1", "product") == "A100-80GB")
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    let plan = await api.send("GET", "/v1/plan")
    #expect(plan.json("gpus", "0", "pool") == "A100-80GB")
    #expect(plan.json("gpus", "0", "node") == "n1")
    #expect(plan.json("gpus", "0", "uuid") == FleetSamples.uuid("n1", 0))
    #expect(await api.send("GET", "/v1/workloads/w").json("status", "state") == "planned")
    try await api.controller.stop()
  }

  @Test func aWorkloadThatIsSpreadOverNodesIsBoundToSeveral() async throws {
    let api = try await Harness()
    for name in ["n1", "n2", "n3"] { try await api.join(try FleetSamples.state(name, gpus: 2)) }
    let spread = Bodies.workload("w").dropLast() + #","placement":{"spread":{"over":"node","atLeast":3}}}"#
    let created = await api.send("POST", "/v1/workloads", body: String(spread))
    #expect(created.status == 201, "\(created.text)")
    let plan = await api.send("GET", "/v1/plan")
    #expect(Set((0..<3).map { plan.json("gpus", "\($0)", "node") }) == ["n1", "n2", "n3"], "\(plan.text)")
    try await api.controller.stop()
  }

  @Test func demandBeyondTheFleetIsRefusedAsScarce() async throws {
    let api = try await Harness()
    try await api.join(try FleetSamples.state("n1", gpus: 1))
    let workloads = (0..<8).map { Bodies.workload("w\($0)", rate: 900, latencyMs: 100) }
    _ = await api.send("POST", "/v1/workloads/batch", body: #"{"workloads":[\#(workloads.joined(separator: ","))]}"#)
    let plan = await api.send("GET", "/v1/plan")
    #expect(plan.json("gpus", "1", "uuid") == nil)
    #expect(plan.json("unplaced", "0", "code") == "no_stock")
    // A second node takes what had no room.
    try await api.join(try FleetSamples.state("n2", gpus: 8))
    let wider = await api.send("GET", "/v1/plan")
    #expect(wider.json("unplaced", "0", "code") == nil, "\(wider.text)")
    try await api.controller.stop()
  }

  @Test func aFleetWithoutAUsableGPUServesNothingAndSaysSo() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    #expect(await api.send("GET", "/v1/plan").json("gpus", "0", "pool") == "default")
    let off = try FleetSamples.gpu("n1", 0, mig: .init(current: false, pending: false))
    try await api.join(FleetSamples.state("n1", [off]))
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "gpus", "0", "reason") == "mig_mode_off")
    let plan = await api.send("GET", "/v1/plan")
    #expect(plan.json("gpus", "0", "pool") == nil)
    #expect(plan.json("unplaced", "0", "workload") == "w")
    try await api.controller.stop()
  }

  @Test("a cordon and a maintenance survive restarts of the controller and of the agent, until the node is returned")
  func dutiesSurviveRestarts() async throws {
    var api = try await Harness()
    let state = try FleetSamples.state("n1", gpus: 1)
    try await api.join(state)
    for (path, duty, shown) in [
      ("cordon", "cordoned", "cordoned"), ("uncordon", "in_service", "ready"),
      ("maintenance", "maintenance", "maintenance"), ("return", "in_service", "ready"),
      ("maintenance", "maintenance", "maintenance"),
    ] {
      let set = await api.send("POST", "/v1/nodes/n1/\(path)")
      #expect(set.status == 200, "\(set.text)")
      #expect(set.json("status", "duty") == duty)
      #expect(set.json("status", "state") == shown)
      api = try await api.restarted()
      // An agent that starts anew registers itself.
      try await api.join(state)
      let node = await api.send("GET", "/v1/nodes/n1")
      #expect(node.json("status", "duty") == duty)
      #expect(node.json("status", "state") == shown)
    }
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "gpus", "0", "reason") == "node_maintenance")
    #expect(await api.send("GET", "/v1/fleet").json("nodes", "maintenance") == "1")
    #expect(await api.send("POST", "/v1/nodes/n9/cordon").problem == "404 not_found")
    #expect(await api.send("POST", "/v1/nodes/n1/cordon", ["If-Match": #""0""#]).problem == "412 precondition_failed")
    try await api.controller.stop()
  }

  @Test func conditionsAreShownAndBeginAnewWithTheController() async throws {
    var api = try await Harness()
    try await api.join(try FleetSamples.state("n1", gpus: 1))
    func row(_ type: String) async -> (status: String?, since: String?) {
      let node = await api.send("GET", "/v1/nodes/n1")
      for index in 0..<6 where node.json("status", "conditions", "\(index)", "type") == type {
        return (
          node.json("status", "conditions", "\(index)", "status"),
          node.json("status", "conditions", "\(index)", "since")
        )
      }
      return (nil, nil)
    }
    for type in ["Ready", "Reachable", "GPUsHealthy", "ServicesHealthy", "Schedulable"] {
      #expect(await row(type).status == "True", "\(type)")
    }
    let before = await row("Ready")
    #expect(await row("Ready") == before)
    api = try await api.restarted { $0.now = { Date(timeIntervalSinceNow: 3600) } }
    let after = await row("Ready")
    #expect(after.status == "True" && after.since != before.since)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    _ = await api.send("GET", "/v1/plan")
    let workload = await api.send("GET", "/v1/workloads/w")
    #expect(workload.json("status", "conditions", "0", "type") == "Planned")
    #expect(workload.json("status", "conditions", "0", "status") == "True")
    #expect(workload.json("status", "conditions", "1", "status") == "False")
    #expect(workload.json("status", "conditions", "2", "type") == "CapacityUp")
    #expect(await api.send("GET", "/v1/workloads/w").text == workload.text)
    try await api.controller.stop()
  }

  @Test func aSegmentKeepsItsGPUWhenOthersComeAndGo() async throws {
    let api = try await Harness()
    try await api.join(try FleetSamples.state("n1", gpus: 4))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("a"))
    let before = await api.send("GET", "/v1/plan")
    let uuid = try #require(before.json("gpus", "0", "uuid"))
    try await api.join(try FleetSamples.state("n0", gpus: 4))
    let after = await api.send("GET", "/v1/plan")
    #expect(after.json("gpus", "0", "uuid") == uuid)
    try await api.controller.stop()
  }

  @Test func aNodeIsDrainedAndStaysAwayOnceItIsGone() async throws {
    let api = try await Harness()
    var state = FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0, instances: [(19, 0)])])
    try await api.join(state)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    #expect(await api.send("GET", "/v1/plan").json("gpus", "0", "node") == "n1")
    let draining = await api.send("DELETE", "/v1/nodes/n1")
    #expect(draining.status == 202)
    #expect(draining.json("status", "state") == "draining")
    #expect(draining.json("status", "gpus", "0", "reason") == "node_draining")
    #expect(await api.send("GET", "/v1/plan").json("gpus", "0", "node") == nil)
    // Emptied by other means, it goes at the next request.
    state.owned = []
    state.observed.gpus[0].instances = []
    try await api.beat(state)
    #expect(await api.send("DELETE", "/v1/nodes/n1").status == 204)
    for method in ["GET", "DELETE"] { #expect(await api.send(method, "/v1/nodes/n1").problem == "410 node_removed") }
    #expect(await api.send("DELETE", "/v1/nodes/n9").problem == "404 not_found")
    let beat = await api.send("POST", "/v1/nodes/n1/status", body: try FleetSamples.body(state))
    #expect(beat.problem == "410 node_removed")
    #expect(
      await api.send("POST", "/v1/nodes/n9/status", body: try FleetSamples.body(state)).problem == "404 not_found")
    try await api.join(state)
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "state") == "ready")
    try await api.controller.stop()
  }

  @Test("a declaration that keeps a drain changes all but that, and one that does not brings the node back")
  func drainsAreKeptWhereToldTo() async throws {
    let api = try await Harness()
    try await api.join(FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0, instances: [(19, 0)])]))
    #expect(await api.send("DELETE", "/v1/nodes/n1").json("status", "state") == "draining")
    let moved = #"{"address":"http://127.0.0.1:2"}"#
    func put(_ drain: String?) async -> HTTPResponse {
      await api.send("PUT", "/v1/nodes/n1", query: drain.map { [(name: "drain", value: $0)] } ?? [], body: moved)
    }
    for _ in 0..<2 {
      let kept = await put("keep")
      #expect(kept.json("status", "state") == "draining")
      #expect(kept.json("address") == "http://127.0.0.1:2")
    }
    #expect(await put("perhaps").problem == "400 invalid_parameter")
    #expect(await put(nil).json("status", "state") == "ready")
    // Where none is under way there is none to keep.
    #expect(await put("keep").json("status", "state") == "ready")
    try await api.controller.stop()
  }

  @Test("a controller without its store numbers on from what nodes have accepted, too")
  func revisionsGoOnBeyondWhatWasAccepted() async throws {
    let api = try await Harness()
    var state = FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0)], verified: 3)
    state.accepted = 9
    try await api.join(state)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    let revision = try #require(await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"].flatMap { Int($0) })
    #expect(revision > 9)
    state.accepted = -1
    let beat = await api.send("POST", "/v1/nodes/n1/status", body: try FleetSamples.body(state))
    #expect(beat.problem == "422 out_of_range")
    try await api.controller.stop()
  }

  @Test func aNodeOnWhichInstancesStandCanBeForgottenByForce() async throws {
    let api = try await Harness()
    try await api.join(FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0, instances: [(19, 0)])]))
    let forced = await api.send("DELETE", "/v1/nodes/n1", query: [(name: "force", value: "true")])
    #expect(forced.status == 204)
    #expect(await api.send("GET", "/v1/nodes").json("nodes", "0", "name") == nil)
    try await api.controller.stop()
  }

  @Test(arguments: [
    #""uuid":"""#, #""size":0"#, #""size":-3"#, #""start":99"#, #""computeSlices":9999999"#, #""starts":[70]"#,
    #""id":-1"#,
  ]) func aHeartbeatThatNoDriverCouldSendIsRefused(_ part: String) async throws {
    let api = try await Harness(starts: false)
    let state = FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0, instances: [(19, 0)])])
    _ = await api.send("PUT", "/v1/nodes/n1", body: #"{"address":"http://x:1"}"#)
    let key = try #require(part.split(separator: ":").first)
    let body = try FleetSamples.body(state).replacing(
      try Regex("\(key):(\\[[^\\]]*\\]|\"[^\"]*\"|-?[0-9]+)"), with: { _ in part })
    #expect(body.contains(part))
    let response = await api.send("POST", "/v1/nodes/n1/status", body: body)
    #expect((400...422).contains(response.status), "\(response.text)")
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "state") == "pending")
  }

  @Test("no number that a heartbeat may hold ends the controller, also of a board that no table knows")
  func extremeNumbersAreRefusedOrHarmless() async throws {
    let api = try await Harness()
    var state = FleetSamples.state(
      "n1", [try FleetSamples.gpu("n1", 0, instances: [(19, 0)])], verified: 7, manages: true)
    state.observed.gpus[0].board = "NVIDIA Unheard-of"
    try await api.join(state)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 900))
    let body = try FleetSamples.body(state)
    let places = body.ranges(of: /[0-9]+(?=[,}\]])/)
    var refused = 0
    for place in places {
      for number in [Int.max, Int.min, 1 << 62, (1 << 53) - 1, -1] {
        let answer = await api.send(
          "POST", "/v1/nodes/n1/status", body: body.replacingCharacters(in: place, with: String(number)))
        #expect([200, 400, 422].contains(answer.status), "\(number): \(answer.text)")
        if answer.status != 200 { refused += 1 }
      }
    }
    #expect(places.count > 20 && refused > places.count)
    try await api.beat(state)
    _ = await api.send("PATCH", "/v1/workloads/w", body: #"{"rate":800}"#)
    #expect(await api.send("GET", "/v1/plan").status == 200)
    try await api.controller.stop()
  }

  @Test("S8: what a simulated node has not is not unhealthy") func absentServicesAreNotMissed() async throws {
    let api = try await Harness(starts: false)
    var state = try FleetSamples.state("n1", gpus: 1)
    for (ordinal, status) in ["absent", "healthy", "failed"].enumerated() {
      state.services.append(
        ServiceDocument(
          kind: "mps", gpu: FleetSamples.uuid("n1", 0), profileId: 9, start: 0, uuid: "MIG-1", ordinal: ordinal,
          pid: nil, status: status, restarts: 0, message: nil))
    }
    try await api.join(state)
    let shown = await api.send("GET", "/v1/nodes/n1")
    #expect(shown.json("status", "services") == "3")
    #expect(shown.json("status", "unhealthyServices") == "1")
  }

  @Test("F7: a node that falls silent keeps its part of the plan for the grace, and is planned around after it")
  func aSilentNodeKeepsItsPartForTheGrace() async throws {
    let clock = ManualClock()
    let api = try await Harness { configuration in
      configuration.nodes.heartbeat = .seconds(10)
      configuration.nodes.fleet.grace = .seconds(60)
      configuration.nodes.clock = { clock.now }
    }
    let (first, second) = (try FleetSamples.state("n1", gpus: 1), try FleetSamples.state("n2", gpus: 1))
    try await api.join(first)
    try await api.join(second)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    #expect(await api.send("GET", "/v1/plan").json("gpus", "0", "node") == "n1")
    var revisions: [String?] = []
    for _ in 0..<9 {
      clock.advance(by: .seconds(10))
      try await api.beat(second)
      try await api.controller.nodes.check()
      revisions.append(await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"])
    }
    #expect(Set(revisions).count == 1)
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "state") == "unreachable")
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "usableGPUs") == "1")
    clock.advance(by: .seconds(10))
    try await api.beat(second)
    try await api.controller.nodes.check()
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "state") == "lost")
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "gpus", "0", "reason") == "node_lost")
    #expect(await api.send("GET", "/v1/plan").json("gpus", "0", "node") == "n2")
    try await api.beat(first)
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "state") == "lost")
    try await api.beat(first)
    #expect(await api.send("GET", "/v1/nodes/n1").json("status", "state") == "ready")
    try await api.controller.stop()
  }

  @Test("F7: a controller that hears of no node takes itself for cut off, says so, and obeys the operator")
  func silenceOfMostNodesMovesNothingUntilTheOperatorSaysSo() async throws {
    let clock = ManualClock()
    let api = try await Harness { configuration in
      configuration.nodes.clock = { clock.now }
    }
    for name in ["n1", "n2", "n3"] { try await api.join(try FleetSamples.state(name, gpus: 1)) }
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    let plan = await api.send("GET", "/v1/plan")
    for _ in 0..<30 {
      clock.advance(by: .seconds(10))
      try await api.beat(try FleetSamples.state("n3", gpus: 1))
      try await api.controller.nodes.check()
    }
    let fleet = await api.send("GET", "/v1/fleet")
    #expect(fleet.json("cutOff") == "1", "\(fleet.text)")
    #expect(fleet.json("nodes", "unreachable") == "2")
    #expect(await api.send("GET", "/metrics").text.contains("parva_fleet_cut_off 1"))
    #expect(await api.send("GET", "/v1/plan").headers["ETag"] == plan.headers["ETag"])
    let accepted = await api.send("POST", "/v1/fleet/accept-silence")
    #expect(accepted.json("cutOff") == "0", "\(accepted.text)")
    #expect(accepted.json("nodes", "lost") == "2")
    #expect(await api.send("GET", "/v1/plan").json("gpus", "0", "node") == "n3")
    try await api.controller.stop()
  }

  @Test("S3: nodes that join make no plan revision where neither clients nor nodes see a difference")
  func nodesThatJoinMakeNoRevisionOfTheirOwn() async throws {
    let api = try await Harness()
    try await api.join(try FleetSamples.state("n00", gpus: 2))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    let before = await api.send("GET", "/v1/plan")
    for number in 1...20 {
      try await api.join(try FleetSamples.state("m\(number)", gpus: 2))
      let after = await api.send("GET", "/v1/plan")
      #expect(after.headers["ETag"] == before.headers["ETag"])
    }
    try await api.controller.stop()
  }

  @Test("S3: nodes that join together are planned for together")
  func nodesThatJoinTogetherArePlannedForOnce() async throws {
    let api = try await Harness(starts: false) { $0.settle = .milliseconds(500) }
    let workloads = (0..<12).map { Bodies.workload("w\($0)", rate: 900, latencyMs: 100) }
    _ = await api.send("POST", "/v1/workloads/batch", body: #"{"workloads":[\#(workloads.joined(separator: ","))]}"#)
    try await api.join(try FleetSamples.state("n0", gpus: 1))
    api.controller.start()
    let first = await api.send("GET", "/v1/plan")
    #expect(first.json("unplaced", "0", "code") == "no_stock")
    let states = try (1...6).map { try FleetSamples.state("n\($0)", gpus: 1) }
    for state in states { _ = await api.send("PUT", "/v1/nodes/\(state.name)", body: #"{"address":"http://x:1"}"#) }
    for state in states { #expect(api.controller.nodes.heard(state, from: state.name) == .ready) }
    let last = await api.send("GET", "/v1/plan")
    #expect(last.json("unplaced", "0", "code") == nil)
    let revisions = [first, last].map { Int($0.headers["Parva-Plan-Revision"] ?? "") ?? 0 }
    #expect(revisions[1] == revisions[0] + 1)
    try await api.controller.stop()
  }

  @Test func inTheMiddleOfAnApplyInstancesThatAreNotOwnedYetExcludeNothing() async throws {
    let api = try await Harness()
    try await api.join(try FleetSamples.state("n1", gpus: 1))
    let generation = api.controller.nodes.generation
    var working = FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0, instances: [(19, 0)])], foreign: true)
    working.operation = "op-1"
    try await api.beat(working)
    let shown = await api.send("GET", "/v1/nodes/n1")
    #expect(shown.json("status", "gpus", "0", "usable") == "1")
    #expect(shown.json("status", "gpus", "0", "instances", "0", "profileId") == "19")
    #expect(api.controller.nodes.generation == generation)
    working.operation = nil
    try await api.beat(working)
    #expect(
      await api.send("GET", "/v1/nodes/n1").json("status", "gpus", "0", "reason") == "foreign_instances")
    try await api.controller.stop()
  }

  @Test func aStoreThatWasLostGivesNoRevisionOutAgainThatANodeKnows() async throws {
    let api = try await Harness()
    try await api.join(FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0)], verified: 41))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    let plan = await api.send("GET", "/v1/plan")
    #expect((Int(plan.headers["Parva-Plan-Revision"] ?? "") ?? 0) > 41)
    try await api.controller.stop()
  }

  @Test func nodesComeInPages() async throws {
    let api = try await Harness(starts: false)
    for name in ["c", "a", "b"] {
      #expect(await api.send("PUT", "/v1/nodes/\(name)", body: #"{"address":"http://127.0.0.1:1"}"#).status == 201)
    }
    var names: [String] = []
    var cursor: String?
    repeat {
      var query: [(name: String, value: String)] = [(name: "limit", value: "2")]
      if let cursor { query.append((name: "cursor", value: cursor)) }
      let page = await api.send("GET", "/v1/nodes", query: query)
      names += ["0", "1", "2"].compactMap { page.json("nodes", $0, "name") }
      cursor = page.json("nextCursor")
    } while cursor != nil
    #expect(names == ["a", "b", "c"])
  }
}
