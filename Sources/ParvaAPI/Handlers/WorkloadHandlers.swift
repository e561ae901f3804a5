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
  let now: @Sendable () -> Date
  let rule: PreconditionRule

  // MARK: - Reading

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    let id = request.workloadID
    guard let registration = registry.read({ $0.registrations[id] }) else { throw Self.notFound(id, request.space) }
    let format = try request.preferred(WorkloadRepresentation.formats)
    let status = status(of: registration, request.space)
    return request.unlessFresh(
      Self.response(
        200, registration, status, conditions.documents(of: status, id), observer.observation(id, traffic.view.table),
        registration.workload.curve.nextChange(after: now().wholeSeconds), format, in: request.space))
  }

  /// The segments that the current plan gives it.
  func segments(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    let (id, space) = (request.workloadID, request.space)
    guard registry.read({ $0.registrations[id] != nil }) else { throw Self.notFound(id, space) }
    let format = try request.preferred(WorkloadRepresentation.formats)
    let view = board.view
    let segments = view.plan?.segments(of: id) ?? []
    let known = space.name.map { view.revision(for: $0) } ?? view.plan?.record.revision
    let body =
      space.name == nil
      ? WorkloadRepresentation.segments(segments, revision: known, format)
      : NamespaceRepresentation.segments(segments, since: known, of: space, format)
    let revision = known ?? 0
    return request.unlessFresh(
      HTTPResponse(
        status: 200, contentType: format.contentType, body: body,
        headers: ["ETag": EntityTag(revision: revision, of: body, as: format).text, "Vary": "Accept"]))
  }

  /// What has happened to it, oldest first; some time longer than it is there.
  func history(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    let (id, space) = (request.workloadID, request.space)
    let (registration, since) = registry.read { demand in
      (demand.registrations[id], Namespace.isQualified(id) ? demand.namespaces[Namespace.of(id)]?.createdAt : nil)
    }
    // Who comes under the name of a namespace that is gone finds nothing of it.
    let entries = conditions.history.entries(of: id, registration).filter { $0.time >= since ?? $0.time }
    guard registration != nil || !entries.isEmpty else { throw Self.notFound(id, space) }
    let body = WorkloadRepresentation.history(id, entries, in: space)
    return request.unlessFresh(
      HTTPResponse(
        status: 200, contentType: "application/json", body: body,
        headers: ["ETag": EntityTag(revision: registration?.revision ?? 0, of: body).text]))
  }

  // MARK: - Changing

  /// Workloads as they are usually written are read on the loop, and refused there where the demand tells why.
  func create(_ request: HTTPRequest) throws -> Route.Beginning {
    try request.allowQuery()
    let claim = try request.idempotencyClaim()
    let (source, space) = (try request.input(), request.space)
    guard let read = WorkloadReader.readQuickly(source, in: space.name) else {
      return .rest { try await create(try Self.workload(in: source, space), claim, space) }
    }
    let workload = try space.taken(read)
    if let refusal = registry.refusal(of: DemandChange(.create([workload]), claim: claim, in: space.name)) {
      throw ProblemDetails(
        refusal, resource: "workload \(space.told(workload.id))", pointerPrefix: "", in: space)
    }
    return .rest { try await create(workload, claim, space) }
  }

  private func create(_ workload: Workload, _ claim: IdempotencyClaim?, _ space: Space) async throws -> HTTPResponse {
    let receipt = try await change(
      DemandChange(.create([workload]), claim: claim, in: space.name), workload.id, space, pointerPrefix: "")
    let registration = Registration(
      workload, revision: receipt.revision, createdAt: receipt.time, updatedAt: receipt.time)
    var response = Self.response(201, registration, .pending, in: space)
    response.headers["Location"] = Self.location(space.told(workload.id))
    if receipt.isReplay { response.headers["Idempotency-Replayed"] = "true" }
    return response
  }

  func put(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let (id, space) = (request.workloadID, request.space)
    let precondition = try rule.precondition(of: request, isThere: registry.read { $0.registrations[id] != nil })
    let told = request.pathParameters["id"]
    let workload = try Self.named(id, try Self.workload(in: try request.input(), space, named: told), space)
    let receipt = try await change(
      DemandChange(.put(workload), if: precondition, in: space.name), id, space, pointerPrefix: "")
    return try answer(receipt, id, space)
  }

  func patch(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let (id, space) = (request.workloadID, request.space)
    let claim = try request.idempotencyClaim()
    let precondition = try rule.precondition(of: request, isThere: true)
    let patch = try MergePatch(request)
    // First, because what was patched then need not fit the request's precondition any more.
    if let claim, let replay = try await replay(of: claim, id, space) { return replay }
    // Without a precondition of the client's own, losing a race means reading again; eight lost in a row is a fight.
    for _ in 0..<8 {
      guard let current = registry.read({ $0.registrations[id] }) else { throw Self.notFound(id, space) }
      guard precondition.holds(at: current.revision) else {
        throw ProblemDetails(
          .preconditionFailed(current: current.revision), resource: "workload \(space.told(id))")
      }
      let workload = try Self.named(
        id, try space.taken(try patch.applied(to: space.told(current.workload), in: space.name)), space)
      let change = DemandChange(.put(workload), if: .revision([current.revision]), claim: claim, in: space.name)
      if let receipt = try await changeUnlessRaced(change, id, space) { return try answer(receipt, id, space) }
    }
    throw ProblemDetails(
      status: 409, code: "conflict", detail: "Others keep changing the workload \(space.told(id)); try again.",
      headers: ["Retry-After": "1"])
  }

  private func replay(
    of claim: IdempotencyClaim, _ id: String, _ space: Space
  ) async throws(ProblemDetails) -> HTTPResponse? {
    let honoured: HonouredClaim?
    do {
      honoured = try await registry.honoured(claim)
    } catch {
      throw ProblemDetails(error, resource: "workload \(space.told(id))")
    }
    guard let honoured else { return nil }
    return try answer(
      ChangeReceipt(.replaced, revision: honoured.revision, time: honoured.time, isReplay: true), id, space)
  }

  func delete(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let (id, space) = (request.workloadID, request.space)
    let precondition = try rule.precondition(of: request, isThere: registry.read { $0.registrations[id] != nil })
    _ = try await change(DemandChange(.delete(id), if: precondition, in: space.name), id, space)
    return HTTPResponse(status: 204)
  }

  // MARK: - Parts

  private func status(of registration: Registration, _ space: Space) -> WorkloadStatus {
    let view = board.view
    return WorkloadStatus(of: registration, on: view, running: nodes.running(registration.id), at: now())
      .told(to: space, view)
  }

  private func change(
    _ change: DemandChange, _ id: String, _ space: Space, pointerPrefix: String? = nil
  ) async throws(ProblemDetails) -> ChangeReceipt {
    do {
      return try await registry.change(change)
    } catch {
      throw ProblemDetails(
        error, resource: "workload \(space.told(id))", pointerPrefix: pointerPrefix, in: space)
    }
  }

  /// Nil where the precondition does not hold any more.
  private func changeUnlessRaced(
    _ change: DemandChange, _ id: String, _ space: Space
  ) async throws(ProblemDetails) -> ChangeReceipt? {
    do {
      return try await registry.change(change)
    } catch {
      if case .preconditionFailed = error { return nil }
      throw ProblemDetails(error, resource: "workload \(space.told(id))", pointerPrefix: "", in: space)
    }
  }

  /// The resource as a change left it, under the tag that it has by that: who goes on from there must not undo what another
  /// client did since. After a replay it is the resource as it is now.
  private func answer(_ receipt: ChangeReceipt, _ id: String, _ space: Space) throws(ProblemDetails) -> HTTPResponse {
    guard let registration = receipt.registration ?? registry.read({ $0.registrations[id] }) else {
      throw Self.notFound(id, space)
    }
    let status = status(of: registration, space)
    let isNew = receipt.effect == .created && !receipt.isReplay
    var response = Self.response(
      isNew ? 201 : 200, registration, status, conditions.documents(of: status, id), in: space)
    if isNew { response.headers["Location"] = Self.location(space.told(id)) }
    if receipt.isReplay { response.headers["Idempotency-Replayed"] = "true" }
    return response
  }

  private static func workload(
    in source: InputSource, _ space: Space, named id: String? = nil
  ) throws(ProblemDetails) -> Workload {
    let workload: Workload
    do {
      workload = try WorkloadReader.readOne(source, named: id, in: space.name)
    } catch {
      throw ProblemDetails(error)
    }
    return try space.taken(workload)
  }

  private static func named(_ id: String, _ workload: Workload, _ space: Space) throws(ProblemDetails) -> Workload {
    guard workload.id == id else {
      throw ProblemDetails(
        status: 422, code: "id_mismatch",
        detail: "The body is about \(space.told(workload.id)), the path about \(space.told(id)).",
        pointer: "/id")
    }
    return workload
  }

  private static func response(
    _ status: Int, _ registration: Registration, _ state: WorkloadStatus, _ conditions: [ConditionDocument] = [],
    _ observation: TrafficObservation? = nil, _ nextRate: (time: Int, rate: Double)? = nil,
    _ format: DocumentFormat = .json, in space: Space
  ) -> HTTPResponse {
    let body = WorkloadRepresentation.one(registration, state, conditions, observation, nextRate, format, in: space)
    return HTTPResponse(
      status: status, contentType: format.contentType, body: body,
      headers: ["ETag": EntityTag(revision: registration.revision, of: body, as: format).text, "Vary": "Accept"])
  }

  /// Ids are URL-safe by their grammar; a colon is so within a path.
  private static func location(_ id: String) -> String { "/v1/workloads/\(id)" }

  private static func notFound(_ id: String, _ space: Space) -> ProblemDetails {
    ProblemDetails(.notFound, resource: "workload \(space.told(id))")
  }
}

extension HTTPRequest {
  /// The workload that the path names, as it is known everywhere.
  var workloadID: String { space.id(pathParameters["id"] ?? "") }
}
