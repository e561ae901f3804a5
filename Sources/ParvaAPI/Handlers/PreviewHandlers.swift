import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// `/v1/plan/preview`: plans that could be.
struct PreviewHandlers: Sendable {
  /// Each takes every core for as long as it plans, so there are two, and nobody gets both.
  static let places = Route.Concurrency(most: 2, share: 1)

  let registry: DemandRegistry
  let nodes: NodeRegistry
  let plan: PlanHandlers
  let setup: PlanningSetup
  let backend: any PlanningBackend
  let now: @Sendable () -> Date
  /// How long plans are ahead of schedules.
  let lead: ScheduleLead
  private let queue = WorkQueue("parva.preview", yields: true)

  init(
    registry: DemandRegistry, nodes: NodeRegistry, plan: PlanHandlers, setup: PlanningSetup,
    backend: any PlanningBackend, now: @escaping @Sendable () -> Date, lead: ScheduleLead
  ) {
    self.registry = registry
    self.nodes = nodes
    self.plan = plan
    self.setup = setup
    self.backend = backend
    (self.now, self.lead) = (now, lead)
  }

  /// The plan for the workloads of the body, or for the registered set with them, at the rates of now or of another time;
  /// nothing is stored. What others have registered stays for who is bound to a namespace, who is told its own part.
  func post(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("base", "at")
    let base = request.queryValue("base") ?? "none"
    guard ["none", "registered"].contains(base) else {
      throw ProblemDetails.parameter("base", "must be none or registered")
    }
    let date = try request.queryValue("at").map { text throws(ProblemDetails) in
      guard let date = Date(rfc3339: text) else {
        throw ProblemDetails.parameter("at", "must be a time by RFC 3339, for example 2027-01-31T12:00:00Z")
      }
      return date
    }
    let source = try request.input([.json, .yaml, .csv])
    let space = request.space
    let workloads: [Workload]
    do {
      workloads = try WorkloadReader.read(source, atMost: registry.limit, in: space.name)
    } catch {
      throw ProblemDetails(error)
    }
    guard workloads.count <= registry.limit else {
      throw ProblemDetails(.tooMany(limit: registry.limit), resource: "set of workloads")
    }
    let current = try await plan.current(within: .seconds(PlanHandlers.defaultWait))
    var demand = registry.snapshot
    if base == "none" {
      let others = space.name == nil ? [] : demand.registrations.rows.filter { !space.holds($0.id) }
      demand.registrations = RegistrationTable(others)
    }
    demand.registrations.apply(
      Dictionary(
        workloads.map { ($0.id, Registration($0, revision: 0, createdAt: .distantPast, updatedAt: .distantPast)) },
        uniquingKeysWith: { $1 }))
    let registered = demand
    let settled = await queue.run { [now, lead] in
      ScheduledDemand(registered, at: date ?? now(), lead: lead.seconds).demand
    }
    let body = try await compute(settled, nodes.snapshot, current.plan, space)
    return HTTPResponse(status: 200, contentType: "application/json", body: body)
  }

  private func compute(_ demand: Demand, _ fleet: Fleet, _ current: Plan, _ space: Space) async throws -> Data {
    let (inForce, job) = await queue.run { [setup] in
      let inForce = PlanInForce.plan(standing: fleet.standing, on: fleet.inventory, published: current)
      return (inForce, setup.job(for: demand, on: fleet.inventory, replacing: inForce))
    }
    let plan: Plan
    do throws(PlanningFailure) {
      plan = try await backend.plan(job)
    } catch {
      throw ProblemDetails(
        status: error == .stopped ? 503 : 500, code: "planning_failed",
        detail: "No plan came of these workloads: \(error).")
    }
    return await queue.run { [setup] in
      let plan = setup.bound(plan, of: demand, to: fleet.inventory, replacing: inForce, published: current)
      if space.name != nil { return NamespaceRepresentation.preview(plan, of: space) }
      var writer = DocumentWriter(.json)
      writer.object { root in
        root.object("plan") { PlanWriter.write(plan, .json, nil, &$0) }
        root.object("diff") { PlanDiffWriter(from: current, to: plan).write(.json, &$0) }
      }
      writer.finish()
      return Data(writer.bytes)
    }
  }
}
