import Foundation
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct WorkloadStatusTests {
  // MARK: - The matrix

  private enum Planned: CaseIterable {
    case noPlan, olderPlan, failed, whole, part, leftOut
  }

  private static let rate = 100.0
  private static let registration = Samples.registration(Samples.workload("w", rate: rate), revision: 7)

  /// A board on which the plan of demand revision 7, or an older one, gives the workload 120, 60 or no requests/s.
  private static func board(_ planned: Planned) throws -> PlanBoard.View {
    var view = PlanBoard.View()
    guard planned != .noPlan else { return view }
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let capacity = planned == .part ? 60.0 : 120.0
    let segment = Segment(
      workload: "w", ordinal: 0, model: "resnet50", profile: 0, start: 0, batch: 1, processes: 1, capacity: capacity,
      load: 1, latencyMs: 1)
    let plan = Plan(
      planner: "p", admission: "half-slo", status: .feasible,
      gpus: planned == .leftOut ? [] : [PlannedGPU(pool: "default", product: product, segments: [segment])],
      unplaced: planned == .leftOut ? [Unserved(workload: "w", code: .noStock, message: "none left")] : [],
      partial: planned == .part
        ? [PartialService(workload: "w", demanded: 100, served: 60, code: .noStock, message: "one more")] : [],
      summary: PlanSummary(
        gpuCount: 1, allocatedSlices: 1, externalFragmentation: 0, internalSlack: 0, profileSource: .measured))
    let covers = planned != .olderPlan && planned != .failed
    view.plan = PublishedPlan(
      record: PlanRecord(
        revision: 3, demandRevision: covers ? 7 : 6, createdAt: Samples.time, planner: "p", status: "feasible",
        gpuCount: 1, unplacedCount: 0), plan: plan, json: PlanWriter.json(plan))
    view.attempted = 7
    if planned == .failed { view.failure = "no luck" }
    return view
  }

  /// What is expected where so much is known to run; nil where no node is registered.
  private struct Row {
    let planned: Planned
    let up: Double?
    let state: WorkloadStatus.State
    var code: String?
  }

  private static let rows = [
    Row(planned: .noPlan, up: nil, state: .pending), Row(planned: .noPlan, up: 0, state: .pending),
    Row(planned: .noPlan, up: 50, state: .partial, code: "not_applied"), Row(planned: .noPlan, up: 100, state: .served),
    Row(planned: .olderPlan, up: nil, state: .pending), Row(planned: .olderPlan, up: 0, state: .pending),
    Row(planned: .olderPlan, up: 50, state: .partial, code: "not_applied"),
    Row(planned: .olderPlan, up: 120, state: .served),
    Row(planned: .failed, up: nil, state: .pending, code: "planning_failed"),
    Row(planned: .failed, up: 0, state: .pending, code: "planning_failed"),
    Row(planned: .failed, up: 50, state: .partial, code: "planning_failed"),
    Row(planned: .failed, up: 120, state: .served, code: "planning_failed"),
    Row(planned: .whole, up: nil, state: .planned), Row(planned: .whole, up: 0, state: .planned),
    Row(planned: .whole, up: 50, state: .partial, code: "not_applied"), Row(planned: .whole, up: 120, state: .served),
    Row(planned: .part, up: nil, state: .planned, code: "no_stock"),
    Row(planned: .part, up: 0, state: .planned, code: "no_stock"),
    Row(planned: .part, up: 60, state: .partial, code: "no_stock"), Row(planned: .part, up: 120, state: .served),
    Row(planned: .leftOut, up: nil, state: .unserved, code: "no_stock"),
    Row(planned: .leftOut, up: 0, state: .unserved, code: "no_stock"),
    Row(planned: .leftOut, up: 50, state: .partial, code: "no_stock"),
    Row(planned: .leftOut, up: 120, state: .served, code: "no_stock"),
  ]

  @Test("F9: the state says what runs, and beside it stands what is planned")
  func theStateSaysWhatRuns() throws {
    #expect(Self.rows.count == 4 * Planned.allCases.count)
    for row in Self.rows {
      let running = row.up.map { up in
        var running = RunningCapacity()
        if up > 0 { running.add(up, revision: 2) }
        return running
      }
      let status = WorkloadStatus(
        of: Self.registration, on: try Self.board(row.planned), running: running, at: Samples.time)
      #expect((status.state, status.code) == (row.state, row.code), "\(row)")
      #expect((status.code == nil) == (status.message == nil), "\(row)")
      let covers = ![.noPlan, .olderPlan, .failed].contains(row.planned)
      #expect(status.planRevision == (covers ? 3 : nil), "\(row)")
      #expect(
        status.capacityPlanned == (covers ? [.part: 60, .leftOut: 0][row.planned] ?? 120 : nil), "\(row)")
      #expect(status.capacityUp == row.up && status.appliedRevision == ((row.up ?? 0) > 0 ? 2 : nil), "\(row)")
    }
  }

  // MARK: - From the nodes

  private static let place = InstancePlace(profileID: 9, start: 4)

  private static func record(_ change: (inout NodeRecord) throws -> Void = { _ in }) throws -> NodeRecord {
    let gpu = try FleetSamples.gpu("n", 0, instances: [(profile: 9, start: 4)])
    var record = FleetSamples.record("n", FleetSamples.state("n", [gpu], verified: 5))
    record.applied = NodeAssignment(
      revision: 5,
      gpus: [
        WantedGPU(
          uuid: gpu.uuid,
          instances: [WantedInstance(profileID: 9, start: 4, segment: "w/0", workload: "w", capacity: 80)])
      ])
    try change(&record)
    return record
  }

  private static func service(_ status: String, start: Int = 4) -> ServiceDocument {
    ServiceDocument(
      kind: "server", gpu: FleetSamples.uuid("n", 0), profileId: 9, start: start, uuid: "MIG-1", ordinal: 0, pid: 1,
      status: status, restarts: 0, message: nil)
  }

  @Test("F9: an instance counts while its node is heard, its driver shows it and its services are up")
  func anInstanceCountsWhileItIsKnownToRun() throws {
    func capacity(_ change: (inout NodeRecord) throws -> Void) throws -> Double {
      var running = RunningCapacity()
      try Self.record(change).addRunning("w", to: &running)
      return running.capacity
    }
    #expect(try capacity { _ in } == 80)
    #expect(try capacity { $0.isDraining = true } == 80)
    #expect(try capacity { $0.state?.services = [Self.service("healthy"), Self.service("absent")] } == 80)
    #expect(try capacity { $0.state?.services = [Self.service("failed", start: 0)] } == 80, "another's service")
    for status in ["starting", "unhealthy", "stopping", "waiting", "failed"] {
      #expect(try capacity { $0.state?.services = [Self.service("healthy"), Self.service(status)] } == 0, "\(status)")
    }
    #expect(try capacity { $0.isUnreachable = true } == 0)
    #expect(try capacity { $0.applied = nil } == 0)
    #expect(try capacity { $0.state = nil } == 0)
    #expect(try capacity { $0.state?.verified = VerifiedDocument(revision: 4) } == 0, "it has verified another plan")
    #expect(try capacity { $0.state?.observed.gpus[0].fault = "gpu_is_lost" } == 0)
    #expect(try capacity { $0.state?.observed.gpus[0].instances[0].start = 0 } == 0)
    #expect(try capacity { $0.state?.observed.gpus = [] } == 0)
    #expect(try capacity { $0.state?.owned = [] } == 0, "it is somebody else's")
  }

  @Test("F9: planned before the push, served after it, less when a GPU is lost, and by what stands after a PATCH")
  func theStatusFollowsTheNodes() async throws {
    let agent = try FakeAgent(.ended(.rolledBack, code: "insufficient_resources"), .verified)
    var api = try await Harness()
    try await api.join(try FleetSamples.state("n", gpus: 2), address: agent.address)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w", rate: 900))
    let plan = await api.send("GET", "/v1/plan")
    let revision = try #require(plan.json("revision").flatMap(Int.init))
    func status(_ api: Harness) async -> (state: String?, up: String?, applied: String?) {
      let read = await api.send("GET", "/v1/workloads/w")
      return (read.json("status", "state"), read.json("status", "capacityUp"), read.json("status", "appliedRevision"))
    }
    func push(_ api: Harness) async throws -> String? {
      let location = try #require(await api.send("POST", "/v1/plan/apply").headers["Location"])
      return await api.send("GET", location, query: [(name: "wait", value: "30")]).json("status")
    }
    #expect(await status(api) == ("planned", "0.0", nil))
    #expect(try await push(api) == "failed")
    #expect(await status(api) == ("planned", "0.0", nil), "a push that failed serves nobody")
    #expect(try await push(api) == "verified")
    let wanted = try #require(agent.received.last?.wanted)
    try await api.beat(try agent.state())
    let capacity = wanted.gpus.flatMap(\.instances).reduce(0) { $0 + ($1.capacity ?? 0) }
    #expect(capacity >= 900)
    #expect(await status(api) == ("served", "\(capacity)", "\(revision)"))
    let listed = await api.send("GET", "/v1/workloads")
    #expect(listed.json("workloads", "0", "status", "state") == "served")

    api = try await api.restarted()
    #expect(await status(api) == ("served", "\(capacity)", "\(revision)"), "a restart forgets nothing")

    for gpu in wanted.gpus where !gpu.instances.isEmpty {
      try await api.beat(try agent.state(lost: gpu.uuid))
      #expect(await status(api).state != "served", "a lost GPU serves nobody")
    }
    try await api.beat(try agent.state())
    #expect(await status(api).state == "served")
    _ = await api.send("PATCH", "/v1/workloads/w", body: #"{"rate":90000}"#)
    _ = await api.send("GET", "/v1/plan")
    #expect(await status(api) == ("partial", "\(capacity)", "\(revision)"), "what stands goes on serving")
    try await api.controller.stop()
    await agent.shutdown()
  }
}
