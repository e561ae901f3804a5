import Foundation
import Logging
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import ParvaWire
import Synchronization
import Testing

/// A controller that follows another one's commits, against one that reads them all at once.
@Suite struct FollowerTests {
  static var quiet: Logger {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
  }

  static var configuration: Controller.Configuration {
    get throws {
      var configuration = Controller.Configuration(planning: try Harness.builtIn)
      configuration.settle = .zero
      configuration.push.wordTimeout = .zero
      configuration.webhooks.allowed = [NetworkRange("127.0.0.0/8")].compactMap(\.self)
      configuration.webhooks.firstPause = .seconds(600)
      return configuration
    }
  }

  /// Two replicas of a log, of which the first leads.
  static func pair() async throws -> (first: SharedLog.Replica, second: SharedLog.Replica) {
    let log = SharedLog()
    let (first, second) = (try log.replica(), try log.replica())
    await log.lead(first)
    return (first, second)
  }

  /// The controller of a replica that leads.
  static func leading(
    _ store: any ReplicatedStore, _ configuration: Controller.Configuration? = nil, takesOver: Bool = false
  ) async throws -> Controller {
    guard case .leader(let term) = store.standing else { throw Missing("a leader") }
    return try await Controller(
      configuration: try configuration ?? Self.configuration, store: store.writer(term: term),
      role: .leads(term: term, takesOver: takesOver), logger: quiet)
  }

  /// That of one that will follow.
  static func following(_ store: any ReplicatedStore) async throws -> Controller {
    try await Controller(configuration: try configuration, store: store, role: .follows(store), logger: quiet)
  }

  static func router(_ controller: Controller) -> Router {
    Router(routes: RouteTable(controller).routes, logger: quiet)
  }

  static func ask(_ router: Router, _ method: String, _ path: String, _ body: String = "") async
    -> HTTPResponse
  {
    let parts = path.split(separator: "?", maxSplits: 1)
    let query = parts.dropFirst().flatMap { $0.split(separator: "&") }.map { pair in
      let words = pair.split(separator: "=").map(String.init)
      return (name: words[0], value: words[1])
    }
    return await router.respond(
      to: HTTPRequest(method: method, path: String(parts[0]), query: query, body: Data(body.utf8)))
  }

  /// What is told and not stored: since when this process has seen something, and what nodes have said since they were stored.
  private static let unstored: Set<String> = [
    "conditions", "lastHeartbeat", "heardAt", "since", "requestId",
  ]

  /// The answer as text, without what no store keeps.
  private static func text(_ response: HTTPResponse) -> String {
    func bare(_ value: Any) -> Any {
      if let object = value as? [String: Any] {
        return object.filter { !unstored.contains($0.key) }.mapValues(bare)
      }
      return (value as? [Any])?.map(bare) ?? value
    }
    guard let value = try? JSONSerialization.jsonObject(with: response.body, options: .fragmentsAllowed),
      let data = try? JSONSerialization.data(
        withJSONObject: bare(value), options: [.sortedKeys, .fragmentsAllowed, .prettyPrinted])
    else { return "\(response.status) \(response.text)" }
    return "\(response.status) \(String(decoding: data, as: UTF8.self))"
  }

  /// Of the tag, which goes on with a digest of all that is told.
  private static func revision(_ response: HTTPResponse) -> Substring? {
    response.headers["ETag"]?.prefix { $0 != "." }
  }

  static func change(
    _ random: inout SeededGenerator, _ router: Router, _ seen: inout [String: [String]]
  ) async throws {
    let id = "w\(Int.random(in: 0..<8, using: &random))"
    let node = "n\(Int.random(in: 0..<3, using: &random))"
    let rate = Double.random(in: 50...900, using: &random).rounded()
    switch Int.random(in: 0..<22, using: &random) {
    case 0...3: _ = await ask(router, "POST", "/v1/workloads", Bodies.workload(id, rate: rate))
    case 4, 5: _ = await ask(router, "PUT", "/v1/workloads/\(id)", Bodies.workload(id, rate: rate))
    case 6: _ = await ask(router, "DELETE", "/v1/workloads/\(id)")
    case 7:
      let space = "s\(Int.random(in: 0..<2, using: &random))"
      _ = await ask(router, "POST", "/v1/namespaces", #"{"name":"\#(space)","quota":{"workloads":9}}"#)
      if Bool.random(using: &random) { _ = await ask(router, "DELETE", "/v1/namespaces/\(space)") }
    case 8:
      let token = await ask(router, "POST", "/v1/tokens", #"{"name":"ci","role":"reader"}"#)
      seen["tokens", default: []].append(token.headers["Location"] ?? "")
    case 9: if let token = seen["tokens"]?.popLast() { _ = await ask(router, "DELETE", token) }
    case 10:
      let name = "/v1/windows/x\(Int.random(in: 0..<2, using: &random))"
      let window = #"{"kind":"freeze","start":"2020-01-01T00:00:00Z","end":"2020-01-02T00:00:00Z"}"#
      _ = Bool.random(using: &random) ? await ask(router, "PUT", name, window) : await ask(router, "DELETE", name)
    case 11:
      let name = "/v1/webhooks/h\(Int.random(in: 0..<2, using: &random))"
      switch Int.random(in: 0..<3, using: &random) {
      case 0: _ = await ask(router, "DELETE", name)
      case 1: _ = await ask(router, "POST", name + "/rotate-secret", "{}")
      default: _ = await ask(router, "PUT", name, #"{"url":"http://127.0.0.1:9/\#(rate)","enabled":\#(rate > 400)}"#)
      }
    case 12, 13:
      _ = await ask(router, "PUT", "/v1/nodes/\(node)", #"{"address":"http://127.0.0.1:1","zone":"z\#(rate)"}"#)
    case 14...16:
      let state = FleetSamples.state(
        node, try (0..<Int.random(in: 1...2, using: &random)).map { try FleetSamples.gpu(node, $0) })
      _ = await ask(router, "POST", "/v1/nodes/\(node)/status", try FleetSamples.body(state))
    case 17:
      let verb = ["cordon", "uncordon", "maintenance", "return"].randomElement(using: &random) ?? ""
      _ = await ask(router, "POST", "/v1/nodes/\(node)/\(verb)")
    case 18: _ = await ask(router, "DELETE", "/v1/nodes/\(node)?force=true")
    case 19:
      let isPin = Bool.random(using: &random)
      _ = await ask(router, isPin ? "POST" : "DELETE", "/v1/plan/pin", isPin ? #"{"reason":"a look"}"# : "")
    case 20:
      let begun = await ask(router, "POST", "/v1/plan/apply")
      if let id = begun.json("id") { seen["operations", default: []].append(id) }
    default:
      guard let id = seen["operations"]?.last else { return }
      let verb = ["pause", "resume", "abort"].randomElement(using: &random) ?? ""
      _ = await ask(router, "POST", "/v1/operations/\(id)/\(verb)")
    }
  }

  @Test(arguments: 0..<3 as Range<UInt64>)
  func aFollowerAnswersWhatIsStored(_ number: UInt64) async throws {
    let seed = TestSeed.of(offset: number)
    var random = SeededGenerator(seed: seed)
    let (first, second) = try await Self.pair()
    let leader = try await Self.leading(first)
    leader.start()
    let follower = try await Self.following(second)
    follower.follow {}
    let (router, copy) = (Self.router(leader), Self.router(follower))
    var seen: [String: [String]] = [:]
    for _ in 0..<40 { try await Self.change(&random, router, &seen) }
    // What is planned last is planned, and what nodes said last is stored.
    _ = await leader.board.wait(for: .seconds(60)) { view in
      view.pin != nil || view.attempted >= leader.registry.revision || view.failure != nil
    }
    leader.halt()
    try await leader.stop()
    let followed = try #require(follower.follower)
    #expect(await followed.wait(for: first.position, within: .seconds(60)))
    let fresh = Self.router(try await Self.following(first))
    var paths = [
      "/v1/workloads", "/v1/plan", "/v1/plans", "/v1/plan/pin", "/v1/nodes", "/v1/operations", "/v1/namespaces",
      "/v1/tokens", "/v1/windows", "/v1/webhooks", "/v1/profiles", "/v1/audit", "/v1/fleet", "/v1/prometheus-targets",
    ]
    paths += (0..<8).map { "/v1/workloads/w\($0)" } + (0..<3).map { "/v1/nodes/n\($0)" }
    paths += (seen["operations"] ?? []).map { "/v1/operations/\($0)" }
    for path in paths {
      let (mine, wanted) = (await Self.ask(copy, "GET", path), await Self.ask(fresh, "GET", path))
      #expect(Self.text(mine) == Self.text(wanted), "seed \(seed): \(path) of the follower")
      #expect(Self.revision(mine) == Self.revision(wanted), "seed \(seed): tag of \(path)")
      let led = await Self.ask(router, "GET", path)
      // How far it has come with its subscribers and what it pushes is more than it stores.
      let isMore = ["/v1/webhooks", "/v1/fleet", "/v1/operations", "/v1/audit"].contains(where: path.hasPrefix)
      if isMore { continue }
      #expect(Self.text(led) == Self.text(mine), "seed \(seed): \(path) of the leader")
    }
    try await follower.stop()
  }

  /// A plan is stored without the nodes that it leaves empty, and what nodes say of themselves after it.
  @Test func aNodeThatIsToHoldNothingMatchesThePlanAtAFollowerToo() async throws {
    let (first, second) = try await Self.pair()
    let leader = try await Self.leading(first)
    leader.start()
    let follower = try await Self.following(second)
    follower.follow {}
    let (router, copy) = (Self.router(leader), Self.router(follower))
    for node in ["n1", "n2"] {
      _ = await Self.ask(router, "PUT", "/v1/nodes/\(node)", #"{"address":"http://127.0.0.1:1"}"#)
      let state = FleetSamples.state(node, [try FleetSamples.gpu(node, 0)])
      _ = await Self.ask(router, "POST", "/v1/nodes/\(node)/status", try FleetSamples.body(state))
    }
    _ = await Self.ask(router, "POST", "/v1/workloads", Bodies.workload("w", rate: 50))
    let view = await leader.board.wait(for: .seconds(60)) { view in
      view.plan.map { $0.record.demandRevision == 1 && ($0.assignments?.nodes.count ?? 0) == 2 } ?? false
    }
    let plan = try #require(view.plan)
    let empty = try #require(["n1", "n2"].first { plan.assignments?.gpus[$0] == nil })
    leader.nodes.verified(NodeAssignment(revision: plan.record.revision, gpus: []), on: empty)
    try await leader.nodes.flush()
    #expect(await Self.ask(router, "GET", "/v1/nodes/\(empty)").json("status", "matchesPlan") == "1")
    #expect(try await #require(follower.follower).wait(for: first.position, within: .seconds(60)))
    let told = await Self.ask(copy, "GET", "/v1/nodes/\(empty)")
    #expect(told.json("status", "matchesPlan") == "1", "\(told.text)")
    // Nor is anything waited for that will not come.
    let begun = ContinuousClock.now
    #expect(await Self.ask(copy, "GET", "/v1/plan?wait=60").status == 200)
    let preview = await Self.ask(
      copy, "POST", "/v1/plan/preview", Bodies.batch(Bodies.workload("x", rate: 50)))
    #expect(preview.status == 200, "\(preview.text)")
    #expect(ContinuousClock.now - begun < .seconds(9))
    leader.halt()
    try await leader.stop()
    try await follower.stop()
  }

  @Test("who takes over plans a schedule's next step, and one that fell between two leaders", arguments: [false, true])
  func schedulesGoOn(stepsBetween: Bool) async throws {
    let log = SharedLog()
    let store = try log.replica()
    await log.lead(store)
    let wall = Mutex(try Date("2027-01-25T06:00:00Z", strategy: .iso8601))
    var configuration = try Self.configuration
    configuration.now = { wall.withLock { $0 } }
    configuration.sleep = { try await Task.sleep(for: min($0, .milliseconds(2))) }
    let first = try await Self.leading(store, configuration)
    first.start()
    let entry = #"{"from":"08:00","to":"10:00","timeZone":"UTC","rate":5000}"#
    let body = Bodies.workload("w", rate: 50).replacing(#""labels":{}"#, with: #""schedule":[\#(entry)]"#)
    #expect(await Self.ask(Self.router(first), "POST", "/v1/workloads", body).status == 201)
    let before = try #require(
      await first.board.wait(for: .seconds(60)) { $0.plan.map { $0.record.demandRevision == 1 } ?? false }.plan)
    first.halt()
    try await first.stop()
    if stepsBetween { wall.withLock { $0 += 3 * 3_600 } }
    let second = try await Self.leading(store, configuration, takesOver: true)
    second.start()
    if !stepsBetween { wall.withLock { $0 += 3 * 3_600 } }
    let after = await second.board.wait(for: .seconds(60)) {
      $0.plan.map { $0.record.revision > before.record.revision } ?? false
    }
    #expect(after.plan?.record.cause?.triggers == [.schedule])
    second.halt()
    try await second.stop()
  }

  @Test(
    "a plan that nobody has begun to push is pushed by who takes over, though nothing is planned",
    .timeLimit(.minutes(1)))
  func aPlanThatWasNotBegunIsPushed() async throws {
    let log = SharedLog()
    let store = try log.replica()
    await log.lead(store)
    var configuration = try Self.configuration
    let first = try await Self.leading(store, configuration)
    first.start()
    let router = Self.router(first)
    _ = await Self.ask(router, "PUT", "/v1/nodes/n1", #"{"address":"http://127.0.0.1:1"}"#)
    let state = FleetSamples.state("n1", [try FleetSamples.gpu("n1", 0)])
    _ = await Self.ask(router, "POST", "/v1/nodes/n1/status", try FleetSamples.body(state))
    _ = await Self.ask(router, "POST", "/v1/workloads", Bodies.workload("w", rate: 50))
    let before = try #require(
      await first.board.wait(for: .seconds(60)) { view in
        view.plan.map { $0.record.demandRevision == 1 && $0.assignments?.gpus["n1"] != nil } ?? false
      }.plan)
    first.halt()
    try await first.stop()
    #expect(try await store.operations(after: nil, limit: 1).isEmpty)
    configuration.appliesByItself = true
    let second = try await Self.leading(store, configuration, takesOver: true)
    second.start()
    while try await store.operations(after: nil, limit: 1).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    let plan = second.board.view.plan
    #expect(plan?.record.revision == before.record.revision && plan?.origin == .stored)
    // Nor does an apply wait for a plan that is not made.
    let begun = ContinuousClock.now
    _ = await Self.ask(Self.router(second), "POST", "/v1/plan/apply?dryRun=true")
    #expect(ContinuousClock.now - begun < .seconds(9))
    second.halt()
    try await second.stop()
  }

  @Test func aFollowerStoresNothingAndSaysHowOldItIs() async throws {
    let (first, second) = try await Self.pair()
    let follower = try await Self.following(second)
    follower.follow {}
    let followed = try #require(follower.follower)
    #expect(await followed.catchUp(within: .seconds(60)))
    // What has not come in is not in what it knows, and it does not take itself for fresh.
    second.hold(true)
    var batch = StoreBatch()
    batch.demandRevision = 1
    batch.registrations["a"] = Samples.registration(Samples.workload("a"))
    try await first.writer(term: 1).commit(batch)
    let before = ContinuousClock.now
    #expect(follower.registry.revision == 0)
    #expect(await followed.wait(for: 1, within: .zero) == false)
    #expect(try #require(followed.freshAt) < before)
    second.hold(false)
    #expect(await followed.wait(for: 1, within: .seconds(60)))
    #expect(follower.registry.revision == 1)
    #expect(await followed.catchUp(within: .seconds(60)))
    #expect(try #require(followed.freshAt) > before)
    await #expect(throws: StoreError.self) { try await follower.store.commit(batch) }
    try await follower.stop()
  }
}
