import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/plan/pin` and `/v1/plans/{revision}/rollback`: which plan stays.
struct PlanPinHandlers: Sendable {
  let controller: Controller

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    return try .json(200, PlanPinState(controller.board.view.pin.map(Self.document)))
  }

  /// Keeps the current plan until it is released.
  func pin(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    guard let pin = try await done(.pin(reason: try Self.reason(request)), "") else { throw Self.notPinned }
    return try .json(200, Self.document(pin))
  }

  func release(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    _ = try await done(.release, "")
    return HTTPResponse(status: 204)
  }

  /// Publishes an earlier plan as a new revision, and pins it.
  func bringBack(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    let revision = try request.planRevision("revision")
    let given = try Self.reason(request)
    let reason = given.isEmpty ? "rolled back to revision \(revision)" : given
    guard let pin = try await done(.bringBack(revision: revision, reason: reason), "\(revision)") else {
      throw Self.notPinned
    }
    return try .json(201, Self.document(pin), headers: ["Location": "/v1/plans/\(pin.revision)"])
  }

  static func document(_ pin: PlanPin) -> PlanPinDocument {
    PlanPinDocument(revision: pin.revision, reason: pin.reason, since: Timestamp.text(pin.since))
  }

  /// The body may be missing.
  private static func reason(_ request: HTTPRequest) throws(ProblemDetails) -> String {
    guard !request.body.isEmpty else { return "" }
    let source = try request.input()
    do {
      return try PlanPinReader.reason(in: source)
    } catch {
      throw ProblemDetails(error)
    }
  }

  private func done(_ order: PlanOrder, _ revision: String) async throws(ProblemDetails) -> PlanPin? {
    do throws(PlanOrder.Refusal) {
      return try await controller.order(order)
    } catch {
      throw Self.problem(error, revision)
    }
  }

  private static let notPinned = ProblemDetails(
    status: 404, code: "not_pinned", detail: "No plan is pinned: plans follow what changes.")

  private static func problem(_ refusal: PlanOrder.Refusal, _ revision: String) -> ProblemDetails {
    switch refusal {
    case .noPlan:
      ProblemDetails(
        status: 503, code: "plan_pending", detail: "The first plan is still being made.", headers: ["Retry-After": "1"])
    case .unknownPlan: .unknownPlan(revision)
    case .unreadable:
      ProblemDetails(
        status: 409, code: "plan_unreadable",
        detail: "Plan revision \(revision) names what the tables of this version do not have.")
    case .notPinned: notPinned
    case .unusable(let faults):
      ProblemDetails(
        status: 409, code: "plan_unusable",
        detail: "Plan revision \(revision) cannot stand today: \(faults.prefix(5).joined(separator: "; "))"
          + (faults.count > 5 ? "; and \(faults.count - 5) more." : "."))
    case .storeFailed(let error): ProblemDetails(error)
    case .stopping:
      ProblemDetails(
        status: 503, code: "stopping", detail: "The controller ends; nothing was changed.",
        headers: ["Retry-After": "1"])
    }
  }
}
