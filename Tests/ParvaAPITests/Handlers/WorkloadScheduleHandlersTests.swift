import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

/// Rates that go by the clock.
@Suite struct WorkloadScheduleHandlersTests {
  /// A clock on the wall that a test puts forward.
  private final class Wall: Sendable {
    private let state: Mutex<Date>

    init(_ text: String) throws {
      state = Mutex(try Date(text, strategy: Date.ISO8601FormatStyle()))
    }

    var now: Date { state.withLock { $0 } }

    func turn(to text: String) throws {
      let date = try Date(text, strategy: Date.ISO8601FormatStyle())
      state.withLock { $0 = date }
    }
  }

  private static let body = """
    {"id":"web","model":"resnet50","rate":50,"slo":{"latencyMs":200},"schedule":[
    {"days":["monday"],"from":"08:00","to":"10:00","timeZone":"Europe/Berlin","rate":6000},
    {"days":["monday"],"from":"09:30","to":"12:00","timeZone":"Europe/Berlin","rate":900}]}
    """

  private static func harness(_ wall: Wall) async throws -> Harness {
    try await Harness {
      $0.now = { wall.now }
      $0.scheduleLead = 600
      $0.sleep = { _ in try await Task.sleep(for: .milliseconds(1)) }
    }
  }

  /// The load that the newest plan beyond a revision gives it.
  private static func load(_ api: Harness, after revision: inout Int) async -> Double? {
    let seen = revision
    let plan = await api.controller.board.wait(for: .seconds(20)) { ($0.plan?.record.revision ?? 0) > seen }.plan
    revision = plan?.record.revision ?? seen
    return plan?.rates["web"].map { ($0 * 1_000).rounded() / 1_000 }
  }

  @Test("plans follow a schedule by themselves, ahead of what rises and not before what falls")
  func plansFollow() async throws {
    // Winter: Berlin is an hour ahead.
    let wall = try Wall("2027-01-25T06:00:00Z")
    let api = try await Self.harness(wall)
    #expect(await api.send("PUT", "/v1/workloads/web", body: Self.body).status == 201)
    #expect(await api.send("GET", "/v1/plan").status == 200)
    var revision = 0
    #expect(await Self.load(api, after: &revision) == 50)
    let early = await api.send("GET", "/v1/workloads/web")
    #expect(early.json("rate") == "50.0" && early.json("status", "rate") == "50.0", "\(early.text)")
    #expect(early.json("status", "nextRate", "rate") == "6000.0")
    #expect(early.json("status", "nextRate", "at") == "2027-01-25T07:00:00.000Z")
    // Ten minutes ahead.
    try wall.turn(to: "2027-01-25T06:50:00Z")
    #expect(await Self.load(api, after: &revision) == 6_000)
    #expect(await api.send("GET", "/v1/workloads/web").json("status", "rate") == "50.0")
    let list = await api.send("GET", "/v1/plans")
    #expect(list.json("plans", "0", "cause", "triggers", "0") == "schedule", "\(list.text)")
    // The entry that comes first counts for as long as it is its time.
    try wall.turn(to: "2027-01-25T08:59:59Z")
    let late = await api.send("GET", "/v1/workloads/web")
    #expect(
      late.json("status", "rate") == "6000.0" && late.json("status", "nextRate", "rate") == "900.0", "\(late.text)")
    try wall.turn(to: "2027-01-25T09:00:00Z")
    #expect(await Self.load(api, after: &revision) == 900)
    // What a restart finds is planned for as it is then.
    try wall.turn(to: "2027-01-25T12:00:00Z")
    #expect(await Self.load(api, after: &revision) == 50)
    try wall.turn(to: "2027-02-01T08:00:00Z")
    #expect(await Self.load(api, after: &revision) == 6_000)
    try await api.controller.stop()
  }

  @Test(
    "a preview is for the rates of its time; a patch replaces or takes away a schedule, and a change of the rate leaves it"
  )
  func previewAndPatch() async throws {
    let wall = try Wall("2027-01-25T06:00:00Z")
    let api = try await Self.harness(wall)
    #expect(await api.send("PUT", "/v1/workloads/web", body: Self.body).status == 201)
    let query = [(name: "base", value: "registered"), (name: "at", value: "2027-01-25T06:55:00Z")]
    let other = Bodies.batch(Bodies.workload("other", rate: 1))
    let preview = await api.send("POST", "/v1/plan/preview", query: query, body: other)
    #expect(preview.status == 200 && preview.json("diff", "workloads") != "", "\(preview.text.prefix(300))")
    let ahead = await api.send("POST", "/v1/plan/preview", query: [query[0]], body: other)
    func load(_ answer: HTTPResponse) -> Double {
      let root = try? JSONSerialization.jsonObject(with: answer.body) as? [String: Any]
      let gpus = (root?["plan"] as? [String: Any])?["gpus"] as? [[String: Any]] ?? []
      return gpus.flatMap { $0["segments"] as? [[String: Any]] ?? [] }
        .filter { $0["workload"] as? String == "web" }.reduce(0) { $0 + ($1["load"] as? Double ?? 0) }
    }
    #expect(abs(load(preview) - 6_000) < 1e-6 && abs(load(ahead) - 50) < 1e-9)
    #expect(
      await api.send("POST", "/v1/plan/preview", query: [(name: "at", value: "soon")], body: other).problem
        == "400 invalid_parameter")
    let slower = await api.send("PATCH", "/v1/workloads/web", body: #"{"rate":60}"#)
    #expect(slower.json("rate") == "60.0" && slower.json("schedule", "1", "rate") == "900.0", "\(slower.text)")
    let many = await api.send("PATCH", "/v1/workloads", body: #"[{"id":"web","rate":70}]"#)
    #expect(many.status == 200, "\(many.text)")
    let bad = await api.send("PATCH", "/v1/workloads/web", body: #"{"schedule":[{"rate":1,"timeZone":"CET"}]}"#)
    #expect(bad.problem.hasPrefix("422"), "\(bad.text)")
    // As it is answered it can be sent back.
    let sent = await api.send("GET", "/v1/workloads/web")
    #expect(await api.send("PUT", "/v1/workloads/web", body: sent.text).json("revision") == sent.json("revision"))
    let without = await api.send("PATCH", "/v1/workloads/web", body: #"{"schedule":null}"#)
    #expect(without.json("schedule") == nil && without.json("status", "rate") == nil, "\(without.text)")
    try await api.controller.stop()
  }
}
