import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/workloads/{id}`: one registration.
struct WorkloadHandlers: Sendable {
  let registry: DemandRegistry
  let board: PlanBoard
  let nodes: NodeRegistry
  let conditions: WorkloadConditions
  let traffic: TrafficBoard
  let observer: TrafficObserver
  let rule: PreconditionRule

  // MARK: - Reading

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    let id = request.pathParameters["id"] ?? ""
    guard let registration = registry.read({ $0.registrations[id] }) else { throw Self.notFound(id) }
    let format = try request.preferred(WorkloadRepresentation.formats)
    let status = status(of: registration)
    return request.unlessFresh(
      Self.response(
        200, registration, status, conditions.documents(of: status, id), observer.observation(id, traffic.view.table),
        format))
  }

  /// The segments that the current plan gives it.
  func segments(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    let id = request.pathParameters["id"] ?? ""
    guard registry.read({ $0.registrations[id] != nil }) else { throw Self.notFound(id) }
    let format = try request.preferred(WorkloadRepresentation.formats)
    let plan = board.view.plan
    let body = WorkloadRepresentation.segments(
      plan?.segments(of: id) ?? [], revision: plan?.record.revision, format)
    let revision = plan?.record.revision ?? 0
    return request.unlessFresh(
      HTTPResponse(
        status: 200, contentType: format.contentType, body: body,
        headers: ["ETag": EntityTag(revision: revision, of: body, as: format).text, "Vary": "Accept"]))
  }

  // MARK: - Changing

  /// Workloads as they are usually written are read on the loop, and refused there where the demand tells why.
  func create(_ request: HTTPRequest) throws -> Route.Beginning {
    try request.allowQuery()
    let claim = try request.idempotencyClaim()
    let source = try request.input()
    guard let workload = WorkloadReader.readQuickly(source) else {
      return .rest { try await create(try Self.workload(in: source), claim) }
    }
    if let refusal = registry.refusal(of: DemandChange(.create([workload]), claim: claim)) {
      throw ProblemDetails(refusal, resource: "workload \(workload.id)", pointerPrefix: "")
    }
    return .rest { try await create(workload, claim) }
  }

  private func create(_ workload: Workload, _ claim: IdempotencyClaim?) async throws -> HTTPResponse {
    let receipt = try await change(
      DemandChange(.create([workload]), claim: claim), workload.id, pointerPrefix: "")
    let registration = Registration(
      workload, revision: receipt.revision, createdAt: receipt.time, updatedAt: receipt.time)
    var response = Self.response(201, registration, .pending)
    response.headers["Location"] = Self.location(workload.id)
    if receipt.isReplay { response.headers["Idempotency-Replayed"] = "true" }
    return response
  }

  func put(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let id = request.pathParameters["id"] ?? ""
    let precondition = try rule.precondition(of: request, isThere: registry.read { $0.registrations[id] != nil })
    let workload = try Self.named(id, try Self.workload(in: try request.input()))
    let receipt = try await change(DemandChange(.put(workload), if: precondition), id)
    return try answer(receipt, id)
  }

  func patch(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let id = request.pathParameters["id"] ?? ""
    let claim = try request.idempotencyClaim()
    let precondition = try rule.precondition(of: request, isThere: true)
    let patch = try MergePatch(request)
    // First, because what was patched then need not fit the request's precondition any more.
    if let claim, let replay = try await replay(of: claim, id) { return replay }
    // Without a precondition of the client's own, losing a race means reading again; eight lost in a row is a fight.
    for _ in 0..<8 {
      guard let current = registry.read({ $0.registrations[id] }) else { throw Self.notFound(id) }
      guard precondition.holds(at: current.revision) else {
        throw ProblemDetails(.preconditionFailed(current: current.revision), resource: "workload \(id)")
      }
      let workload = try Self.named(id, try patch.applied(to: current.workload))
      let change = DemandChange(.put(workload), if: .revision([current.revision]), claim: claim)
      if let receipt = try await changeUnlessRaced(change, id) { return try answer(receipt, id) }
    }
    throw ProblemDetails(
      status: 409, code: "conflict", detail: "Others keep changing the workload \(id); try again.",
      headers: ["Retry-After": "1"])
  }

  private func replay(of claim: IdempotencyClaim, _ id: String) async throws(ProblemDetails) -> HTTPResponse? {
    let honoured: HonouredClaim?
    do {
      honoured = try await registry.honoured(claim)
    } catch {
      throw ProblemDetails(error, resource: "workload \(id)")
    }
    guard let honoured else { return nil }
    return try answer(ChangeReceipt(.replaced, revision: honoured.revision, time: honoured.time, isReplay: true), id)
  }

  func delete(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let id = request.pathParameters["id"] ?? ""
    let precondition = try rule.precondition(of: request, isThere: registry.read { $0.registrations[id] != nil })
    _ = try await change(DemandChange(.delete(id), if: precondition), id)
    return HTTPResponse(status: 204)
  }

  // MARK: - Parts

  private func status(of registration: Registration) -> WorkloadStatus {
    WorkloadStatus(of: registration, on: board.view, running: nodes.running(registration.id))
  }

  private func change(
    _ change: DemandChange, _ id: String, pointerPrefix: String? = nil
  ) async throws(ProblemDetails) -> ChangeReceipt {
    do {
      return try await registry.change(change)
    } catch {
      throw ProblemDetails(error, resource: "workload \(id)", pointerPrefix: pointerPrefix)
    }
  }

  /// Nil where the precondition does not hold any more.
  private func changeUnlessRaced(_ change: DemandChange, _ id: String) async throws(ProblemDetails) -> ChangeReceipt? {
    do {
      return try await registry.change(change)
    } catch {
      if case .preconditionFailed = error { return nil }
      throw ProblemDetails(error, resource: "workload \(id)")
    }
  }

  /// The resource after a change. Another client may have changed it again, or away, since.
  private func answer(_ receipt: ChangeReceipt, _ id: String) throws(ProblemDetails) -> HTTPResponse {
    guard let registration = registry.read({ $0.registrations[id] }) else { throw Self.notFound(id) }
    let status = status(of: registration)
    let isNew = receipt.effect == .created && !receipt.isReplay
    var response = Self.response(isNew ? 201 : 200, registration, status, conditions.documents(of: status, id))
    if isNew { response.headers["Location"] = Self.location(id) }
    if receipt.isReplay { response.headers["Idempotency-Replayed"] = "true" }
    return response
  }

  private static func workload(in source: InputSource) throws(ProblemDetails) -> Workload {
    do {
      return try WorkloadReader.readOne(source)
    } catch {
      throw ProblemDetails(error)
    }
  }

  private static func named(_ id: String, _ workload: Workload) throws(ProblemDetails) -> Workload {
    guard workload.id == id else {
      throw ProblemDetails(
        status: 422, code: "id_mismatch", detail: "The body is about \(workload.id), the path about \(id).",
        pointer: "/id")
    }
    return workload
  }

  private static func response(
    _ status: Int, _ registration: Registration, _ state: WorkloadStatus, _ conditions: [ConditionDocument] = [],
    _ observation: TrafficObservation? = nil, _ format: DocumentFormat = .json
  ) -> HTTPResponse {
    let body = WorkloadRepresentation.one(registration, state, conditions, observation, format)
    return HTTPResponse(
      status: status, contentType: format.contentType, body: body,
      headers: ["ETag": EntityTag(revision: registration.revision, of: body, as: format).text, "Vary": "Accept"])
  }

  /// Ids are URL-safe by their grammar.
  private static func location(_ id: String) -> String { "/v1/workloads/\(id)" }

  private static func notFound(_ id: String) -> ProblemDetails {
    ProblemDetails(.notFound, resource: "workload \(id)")
  }
}
