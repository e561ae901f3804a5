import Dispatch
import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP

/// `/v1/plans` and `/v1/plan/preview`: plans that were, what differs between them, and plans that could be.
struct PlanHistoryHandlers: Sendable {
  static let defaultLimit = 50
  static let maxLimit = 500
  /// Previews at a time: each takes every core for as long as it plans.
  static let mostPreviews = 2

  let store: any Store
  let registry: DemandRegistry
  let nodes: NodeRegistry
  let plan: PlanHandlers
  let setup: PlanningSetup
  let backend: any PlanningBackend
  private let queue = DispatchQueue(label: "parva.preview", qos: .utility)

  init(
    store: any Store, registry: DemandRegistry, nodes: NodeRegistry, plan: PlanHandlers, setup: PlanningSetup,
    backend: any PlanningBackend
  ) {
    self.store = store
    self.registry = registry
    self.nodes = nodes
    self.plan = plan
    self.setup = setup
    self.backend = backend
  }

  // MARK: - History

  /// Records of plans, newest first.
  func list(_ request: HTTPRequest) async throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    let before = try query.number()
    let records = try await storing { () async throws(StoreError) in
      try await store.plans(before: before, limit: query.limit + 1)
    }
    let page = query.page(records) { String($0.revision) }
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.array("plans") { list in
        for record in page.items {
          list.object(inline: true) { plan in
            plan.field("revision", record.revision)
            plan.field("demandRevision", record.demandRevision)
            plan.field("createdAt", Timestamp.text(record.createdAt))
            plan.field("planner", record.planner)
            plan.field("status", record.status)
            plan.field("gpuCount", record.gpuCount)
            plan.field("unplaced", record.unplacedCount)
          }
        }
      }
      root.field("nextCursor", page.next)
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: "application/json", body: Data(writer.bytes))
  }

  /// A plan as it was published.
  func get(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let stored = try await stored(request, "revision")
    let body = PlanWriter.json(stored.document, as: stored.record.identity)
    let tag = EntityTag(revision: stored.record.revision, of: body).text
    let headers: HTTPHeaders = [
      "ETag": tag, "Parva-Plan-Revision": String(stored.record.revision),
      "Parva-Demand-Revision": String(stored.record.demandRevision),
    ]
    if request.isFresh(tag) { return HTTPResponse(status: 304, headers: headers) }
    return HTTPResponse(status: 200, contentType: "application/json", body: body, headers: headers)
  }

  /// What changes from plan `a` to plan `b`.
  func diff(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let isText = try request.preferred([(false, ["application/json"]), (true, ["text/plain"])])
    let (a, b) = (try await stored(request, "a"), try await stored(request, "b"))
    let writer = PlanDiffWriter(from: try Self.read(a), to: try Self.read(b))
    let headers: HTTPHeaders = ["Vary": "Accept"]
    return isText
      ? HTTPResponse(
        status: 200, contentType: "text/plain; charset=utf-8", body: Data(writer.text(TextStyle()).utf8),
        headers: headers)
      : HTTPResponse(status: 200, contentType: "application/json", body: writer.json(), headers: headers)
  }

  private func stored(_ request: HTTPRequest, _ parameter: String) async throws(ProblemDetails) -> StoredPlan {
    let text = request.pathParameters[parameter] ?? ""
    guard let revision = Int(text), revision >= 1, String(revision) == text else {
      throw ProblemDetails(status: 404, code: "not_found", detail: "A plan is named by its revision, a number from 1.")
    }
    let found = try await storing { () async throws(StoreError) in try await store.plan(revision) }
    guard let found else {
      throw ProblemDetails(
        status: 404, code: "not_found",
        detail:
          "Plan revision \(revision) never was, or is no longer kept (--keep-plans, --keep-plans-mib, --keep-plans-days)."
      )
    }
    return found
  }

  private func storing<Value: Sendable>(
    _ body: @Sendable () async throws(StoreError) -> Value
  ) async throws(ProblemDetails) -> Value {
    do throws(StoreError) {
      return try await body()
    } catch {
      throw ProblemDetails(error)
    }
  }

  private static func read(_ stored: StoredPlan) throws(ProblemDetails) -> Plan {
    do {
      return try PlanReader.read(InputSource(stored.document, format: .json))
    } catch {
      throw ProblemDetails(
        status: 409, code: "plan_unreadable",
        detail: "Plan revision \(stored.record.revision) names what the tables of this version do not have.")
    }
  }

  // MARK: - Preview

  /// The plan for the workloads of the body, or for the registered set with them; nothing is stored.
  func preview(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("base")
    let base = request.queryValue("base") ?? "none"
    guard ["none", "registered"].contains(base) else {
      throw ProblemDetails.parameter("base", "must be none or registered")
    }
    let source = try request.input([.json, .yaml, .csv])
    let workloads: [Workload]
    do {
      workloads = try WorkloadReader.read(source)
    } catch {
      throw ProblemDetails(error)
    }
    let current = try await plan.current(within: .seconds(PlanHandlers.defaultWait))
    var demand = registry.snapshot
    if base == "none" { demand.registrations = RegistrationTable() }
    demand.registrations.apply(
      Dictionary(
        workloads.map { ($0.id, Registration($0, revision: 0, createdAt: .distantPast, updatedAt: .distantPast)) },
        uniquingKeysWith: { $1 }))
    let body = try await compute(demand, nodes.snapshot, current.plan)
    return HTTPResponse(status: 200, contentType: "application/json", body: body)
  }

  private func compute(_ demand: Demand, _ fleet: Fleet, _ current: Plan) async throws -> Data {
    let inForce = PlanInForce.plan(standing: fleet.standing, on: fleet.inventory, published: current)
    let job = setup.job(for: demand, on: fleet.inventory, replacing: inForce)
    let plan: Plan
    do throws(PlanningFailure) {
      plan = try await backend.plan(job)
    } catch {
      throw ProblemDetails(
        status: error == .stopped ? 503 : 500, code: "planning_failed",
        detail: "No plan came of these workloads: \(error).")
    }
    return await withCheckedContinuation { continuation in
      queue.async { [setup] in
        let plan = setup.bound(
          plan, job.input.workloads, to: fleet.inventory, replacing: inForce, published: current)
        let diff = PlanDiffWriter(from: current, to: plan).json()
        continuation.resume(
          returning: Data(#"{"plan":"#.utf8) + PlanWriter.json(plan) + Data(#","diff":"#.utf8) + diff + Data("}\n".utf8)
        )
      }
    }
  }
}
