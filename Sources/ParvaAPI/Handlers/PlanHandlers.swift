import Foundation
import ParvaHTTP

/// `/v1/plan`: the current plan.
struct PlanHandlers: Sendable {
  /// Longest wait that a client may ask for, in seconds: proxies give up on longer silence.
  static let maxWait = 60
  /// Seconds that a plain GET waits for the plan of what was registered before it.
  static let defaultWait = 10

  let registry: DemandRegistry
  let board: PlanBoard

  /// The plan that covers every change acknowledged before this request, or, with `after`, the next one.
  func get(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("after", "wait")
    let after = try request.integer("after", in: 0...Int.max)
    let seconds = try request.integer("wait", in: 0...Self.maxWait, default: Self.defaultWait)
    let format = try request.preferred(Self.offers)
    let demand = registry.revision
    let view = await board.wait(for: .seconds(seconds)) { view in
      if let after { return (view.plan?.record.revision ?? 0) > after }
      return view.attempted >= demand
    }
    guard let plan = view.plan else {
      throw ProblemDetails(
        status: 503, code: "plan_pending", detail: view.failure ?? "The first plan is still being made.",
        headers: ["Retry-After": "1"])
    }
    let tag = format == .json ? "\"\(plan.tag)\"" : "\"\(plan.tag)-\(format.rawValue)\""
    let headers: HTTPHeaders = [
      "ETag": tag, "Vary": "Accept", "Parva-Plan-Revision": String(plan.record.revision),
      "Parva-Demand-Revision": String(plan.record.demandRevision),
    ]
    if let after, plan.record.revision <= after { return HTTPResponse(status: 204, headers: headers) }
    if request.isFresh(tag) { return HTTPResponse(status: 304, headers: headers) }
    return HTTPResponse(
      status: 200, contentType: format.mediaType, body: plan.document(format), headers: headers)
  }

  static let offers: [(offer: PlanFormat, mediaTypes: [String])] = [
    (.json, ["application/json"]),
    (.yaml, ["application/yaml", "text/yaml", "application/x-yaml"]),
    (.csv, ["text/csv"]),
    (.text, ["text/plain"]),
  ]
}
