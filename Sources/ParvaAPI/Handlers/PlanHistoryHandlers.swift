import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// `/v1/plans`: plans that were, and what differs between them.
struct PlanHistoryHandlers: Sendable {
  static let defaultLimit = 50
  static let maxLimit = 500

  let store: any Store
  /// Plans are read and compared off the threads that serve requests.
  private let queue = WorkQueue("parva.history", yields: true)

  init(store: any Store) { self.store = store }

  /// Records of plans, newest first.
  func list(_ request: HTTPRequest) async throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    let before = try query.number()
    try request.acceptsJSON()
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
            plan.field("lowerBound", record.lowerBound)
            plan.field("unplaced", record.unplacedCount)
            if let cause = record.cause { plan.object("cause", inline: true) { Self.write(cause, &$0) } }
          }
        }
      }
      root.field("nextCursor", page.next)
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: "application/json", body: Data(writer.bytes))
  }

  private static func write(_ cause: PlanCause, _ object: inout DocumentWriter) {
    object.array("triggers", inline: true) { list in
      for trigger in cause.triggers { list.element(trigger.rawValue) }
    }
    if let revision = cause.broughtBack { object.field("broughtBack", revision) }
    if let revision = cause.after { object.field("after", revision) }
    let kinds: [(StaticString, PlanCause.Names)] = [("changed", cause.changed), ("removed", cause.removed)]
    for (name, names) in kinds where names.count > 0 {
      object.names(name, names)
    }
    if cause.profiles > 0 { object.field("profiles", cause.profiles) }
    if let who = cause.who {
      object.array("who", inline: true) { list in
        for author in who {
          list.object { object in
            object.field("id", author.id)
            object.field("name", author.name)
          }
        }
      }
    }
  }

  /// A plan as it was published.
  func get(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    let stored = try await stored(request, "revision")
    let body = PlanWriter.json(stored.document, as: stored.record.identity)
    let tag = EntityTag(revision: stored.record.revision, of: body).text
    let headers: HTTPHeaders = [
      "ETag": tag, "Parva-Plan-Revision": String(stored.record.revision),
      "Parva-Demand-Revision": String(stored.record.demandRevision),
    ]
    return request.unlessFresh(
      HTTPResponse(status: 200, contentType: "application/json", body: body, headers: headers))
  }

  /// What changes from plan `a` to plan `b`.
  func diff(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let format = try request.preferred([.json, .table])
    let (a, b) = (try await stored(request, "a"), try await stored(request, "b"))
    let body = try await queue.run { () throws(ProblemDetails) in
      let writer = PlanDiffWriter(from: try Self.read(a), to: try Self.read(b))
      return format == .table ? Data(writer.text(TextStyle()).utf8) : writer.json()
    }
    return HTTPResponse(
      status: 200, contentType: format.contentType, body: body,
      headers: ["Vary": "Accept"])
  }

  private func stored(_ request: HTTPRequest, _ parameter: String) async throws(ProblemDetails) -> StoredPlan {
    let revision = try request.planRevision(parameter)
    let found = try await storing { () async throws(StoreError) in try await store.plan(revision) }
    guard let found else { throw .unknownPlan("\(revision)") }
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
}

extension HTTPRequest {
  /// The plan that the path names.
  func planRevision(_ parameter: String) throws(ProblemDetails) -> Int {
    let text = pathParameters[parameter] ?? ""
    guard let revision = Int(text), revision >= 1, String(revision) == text else {
      throw ProblemDetails(status: 404, code: "not_found", detail: "A plan is named by its revision, a number from 1.")
    }
    return revision
  }
}

extension ProblemDetails {
  static func unknownPlan(_ revision: String) -> Self {
    ProblemDetails(
      status: 404, code: "not_found",
      detail:
        "Plan revision \(revision) never was, or is no longer kept (--keep-plans, --keep-plans-mib, --keep-plans-days)."
    )
  }
}
