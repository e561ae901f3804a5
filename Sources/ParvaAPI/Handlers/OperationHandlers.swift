import Foundation
import ParvaControl
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/plan/apply` and `/v1/operations`: plans on their way to the nodes.
struct OperationHandlers: Sendable {
  struct List: Encodable {
    enum CodingKeys: CodingKey { case operations, nextCursor }

    var operations: [FleetOperationDocument]
    /// Null on the last page, as in every list.
    var nextCursor: String?

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(operations, forKey: .operations)
      try container.encode(nextCursor, forKey: .nextCursor)
    }
  }

  static let defaultLimit = 20
  static let maxLimit = 200

  let pusher: PlanPusher
  let plan: PlanHandlers

  /// Pushes the plan that covers every change acknowledged before this request.
  func apply(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("revision")
    let wanted = try request.integer("revision", in: 1...Int.max)
    let claim = try request.idempotencyClaim()
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
    let (document, isReplay) = try await begun { () async throws(PlanPusher.Refusal) in
      try await pusher.begin(current, claim: claim)
    }
    return try answer(document, isReplay: isReplay)
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
    return try .json(200, List(operations: page.items, nextCursor: page.next))
  }

  /// The operation, at once or, with `wait`, as soon as it is over.
  func get(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("wait")
    let seconds = try request.integer("wait", in: 0...PlanHandlers.maxWait, default: 0)
    try request.acceptsJSON()
    let document: FleetOperationDocument?
    do throws(StoreError) {
      document = try await pusher.operation(request.pathParameters["id"] ?? "", wait: .seconds(seconds))
    } catch {
      throw ProblemDetails(error)
    }
    guard let document else {
      throw ProblemDetails(status: 404, code: "not_found", detail: "There is no operation of this id.")
    }
    return try .json(200, document)
  }
}
