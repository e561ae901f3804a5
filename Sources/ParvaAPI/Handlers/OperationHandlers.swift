import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/plan/apply` and `/v1/operations`: plans on their way to the nodes.
struct OperationHandlers: Sendable {
  static let defaultLimit = 20
  static let maxLimit = 200

  let pusher: PlanPusher
  let plan: PlanHandlers
  let windows: WindowRegistry

  /// Pushes the plan that covers every change acknowledged before this request.
  func apply(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("revision", "maxUnavailable", "onFailure", "dryRun", "force")
    let wanted = try request.integer("revision", in: 1...Int.max)
    let options = PlanPusher.Options(
      maxUnavailable: try request.share("maxUnavailable"),
      onFailure: try request.choice("onFailure", of: FleetOperationDocument.Rollout.FailureAction.self))
    let isDry = try request.flag("dryRun")
    let isForced = try request.flag("force")
    let form = try request.preferred(
      isDry
        ? [(Form.json, ["application/json"]), (.text, ["text/plain"]), (.svg, ["image/svg+xml"])]
        : [(.json, ["application/json"])])
    let claim = isDry ? nil : try request.idempotencyClaim()
    if let claim,
      let honoured = try await begun({ () async throws(PlanPusher.Refusal) in
        try await pusher.operation(claimedBy: claim)
      })
    {
      return try answer(honoured, isReplay: true)
    }
    let current = try await plan.current(within: .seconds(PlanHandlers.defaultWait))
    if let wanted, wanted != current.record.revision {
      throw ProblemDetails(
        status: 409, code: "plan_superseded",
        detail: "The current plan is revision \(current.record.revision), not \(wanted); read it again.")
    }
    if isDry {
      let way = try await begun { () async throws(PlanPusher.Refusal) in
        try await pusher.rehearse(current, options: options)
      }
      return Self.answer(way, of: current, form, pusher.timing)
    }
    try WindowHandlers.check(windows, force: isForced)
    let (document, isReplay) = try await begun { () async throws(PlanPusher.Refusal) in
      try await pusher.begin(current, options: options, claim: claim)
    }
    return try answer(document, isReplay: isReplay)
  }

  /// How a dry run is told.
  private enum Form { case json, text, svg }

  private static func answer(
    _ way: FleetTransition, of plan: PublishedPlan, _ form: Form, _ timing: TransitionTiming
  ) -> HTTPResponse {
    let writer = TransitionWriter(way.transition, of: way.input, timing: timing)
    let headers: HTTPHeaders = [
      "Vary": "Accept", "Parva-Plan-Revision": String(plan.record.revision),
    ]
    return switch form {
    case .json:
      HTTPResponse(status: 200, contentType: "application/json", body: writer.json(), headers: headers)
    case .text:
      HTTPResponse(
        status: 200, contentType: "text/plain; charset=utf-8", body: Data(writer.text(TextStyle()).utf8),
        headers: headers)
    case .svg: HTTPResponse(status: 200, contentType: "image/svg+xml", body: writer.svg(), headers: headers)
    }
  }

  /// Pauses, resumes, aborts or rolls back an operation that is not over.
  func control(_ wish: PlanPusher.Wish) -> @Sendable (HTTPRequest) async throws -> HTTPResponse {
    { request in
      try request.allowQuery()
      try request.acceptsJSON()
      let id = request.pathParameters["id"] ?? ""
      let document: FleetOperationDocument
      do throws(PlanPusher.ControlRefusal) {
        document = try await pusher.control(id, wish)
      } catch {
        throw Self.problem(error)
      }
      return try .json(202, document, headers: ["Location": "/v1/operations/\(id)"])
    }
  }

  private static func problem(_ refusal: PlanPusher.ControlRefusal) -> ProblemDetails {
    switch refusal {
    case .unknown: ProblemDetails(status: 404, code: "not_found", detail: "There is no operation of this id.")
    case .over:
      ProblemDetails(
        status: 409, code: "operation_over",
        detail: "The operation has ended; to have another plan on the nodes, apply one.")
    case .rollingBack:
      ProblemDetails(
        status: 409, code: "operation_rolling_back",
        detail: "The operation is being rolled back; it can only be aborted.")
    case .nothingBefore:
      ProblemDetails(
        status: 409, code: "nothing_before",
        detail:
          "No plan was verified on all nodes before this one, or it is no longer kept, or a node of it is gone: there is nothing to go back to."
      )
    case .storeFailed(let error): ProblemDetails(error)
    }
  }

  private func answer(_ document: FleetOperationDocument, isReplay: Bool) throws -> HTTPResponse {
    var response = try HTTPResponse.json(202, document, headers: ["Location": "/v1/operations/\(document.id)"])
    if isReplay { response.headers["Idempotency-Replayed"] = "true" }
    return response
  }

  /// What the pusher answers, with its refusals as problems.
  private func begun<Answer: Sendable>(
    _ body: () async throws(PlanPusher.Refusal) -> Answer
  ) async throws(ProblemDetails) -> Answer {
    do throws(PlanPusher.Refusal) {
      return try await body()
    } catch {
      switch error {
      case .noNodes:
        throw ProblemDetails(
          status: 409, code: "no_nodes",
          detail: "The plan is bound to no nodes; register some, or wait until one is ready.")
      case .keyReused: throw ProblemDetails(ChangeRefusal.keyReused, resource: "operation")
      case .storeFailed(let error): throw ProblemDetails(error)
      }
    }
  }

  func list(_ request: HTTPRequest) async throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    try request.acceptsJSON()
    let operations: [FleetOperationDocument]
    do throws(StoreError) {
      operations = try await pusher.operations(after: query.cursor, limit: query.limit + 1)
    } catch {
      throw ProblemDetails(error)
    }
    let page = query.page(operations) { $0.id }
    return try .json(200, PageDocument("operations", page.items, next: page.next))
  }

  /// The operation, at once or, with `wait`, as soon as it is over.
  func get(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("wait")
    let seconds = try request.integer("wait", in: 0...PlanHandlers.maxWait, default: 0)
    let format = try request.preferred([.json, .table])
    let document: FleetOperationDocument?
    do throws(StoreError) {
      document = try await pusher.operation(request.pathParameters["id"] ?? "", wait: .seconds(seconds))
    } catch {
      throw ProblemDetails(error)
    }
    guard let document else {
      throw ProblemDetails(status: 404, code: "not_found", detail: "There is no operation of this id.")
    }
    var response =
      format == .table
      ? HTTPResponse(
        status: 200, contentType: format.contentType, body: Data(OperationText(document, style: TextStyle()).text.utf8))
      : try HTTPResponse.json(200, document)
    response.headers["Vary"] = "Accept"
    return response
  }
}
