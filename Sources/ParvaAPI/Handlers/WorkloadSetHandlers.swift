import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// `/v1/workloads` and `/v1/workloads/batch`: many registrations at once.
struct WorkloadSetHandlers: Sendable {
  static let defaultLimit = 100
  static let maxLimit = 1000

  let registry: DemandRegistry
  let board: PlanBoard
  let nodes: NodeRegistry
  let rule: PreconditionRule

  /// A page of registrations in order of id.
  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(
      request, default: Self.defaultLimit, most: Self.maxLimit, beside: "labelSelector", "model", "state")
    let selector = try request.queryValue("labelSelector").map { text throws(ProblemDetails) in
      try LabelSelector(text)
    }
    let model = request.queryValue("model")
    let state = try request.choice("state", of: WorkloadStatus.State.self)
    let format = try request.preferred(WorkloadRepresentation.formats)
    let view = board.view
    let (revision, candidates) = registry.read { ($0.revision, $0.registrations.rows(after: query.cursor)) }
    var rows: [Registration] = []
    for row in candidates {
      guard selector.map({ $0.matches(row.workload.labels) }) ?? true, model.map({ $0 == row.workload.model }) ?? true,
        state.map({ $0 == WorkloadStatus(of: row, on: view, running: nodes.running(row.id)).state }) ?? true
      else { continue }
      rows.append(row)
      if rows.count > query.limit { break }
    }
    let page = query.page(rows) { $0.id }
    let body = WorkloadRepresentation.list(page.items, revision: revision, cursor: page.next, format) {
      WorkloadStatus(of: $0, on: view, running: nodes.running($0.id))
    }
    let headers: HTTPHeaders = [
      "ETag": EntityTag(revision: revision, of: body, as: format).text, "Vary": "Accept",
    ]
    return request.unlessFresh(
      HTTPResponse(status: 200, contentType: format.contentType, body: body, headers: headers))
  }

  /// Registers all workloads of the body, or none.
  func createBatch(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let claim = try request.idempotencyClaim()
    let workloads = try Self.workloads(in: request)
    let receipt = try await change(
      DemandChange(.create(workloads), claim: claim), pointerPrefix: Self.pointerPrefix(of: request.body))
    let rows = workloads.map {
      Registration($0, revision: receipt.revision, createdAt: receipt.time, updatedAt: receipt.time)
    }
    var response = answer(201, rows, receipt, request) { _ in .pending }
    response.headers["Location"] = "/v1/workloads"
    if receipt.isReplay { response.headers["Idempotency-Replayed"] = "true" }
    return response
  }

  /// Makes the workloads of the body the only ones.
  func replaceAll(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    // A set is always there, if empty.
    let precondition = try rule.precondition(of: request, isThere: true)
    let workloads = try Self.workloads(in: request)
    let receipt = try await change(DemandChange(.replaceAll(workloads), if: precondition))
    let view = board.view
    let rows = registry.read { $0.registrations.rows }
    return answer(200, rows, receipt, request) {
      WorkloadStatus(of: $0, on: view, running: nodes.running($0.id))
    }
  }

  /// Changes workloads by a merge patch each, all or none.
  func patch(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let claim = try request.idempotencyClaim()
    let precondition = try rule.precondition(of: request, isThere: true)
    let patches = try MergePatch.several(request)
    let ids = patches.map(\.id)
    if let claim, let replay = try await replay(of: claim) { return changed(ids, replay, request) }
    // A change that was raced is worked out anew; eight lost in a row is a fight.
    for _ in 0..<8 {
      let change = DemandChange(.change(try patched(patches)), if: precondition, claim: claim)
      if let receipt = try await changeUnlessRaced(change) { return changed(ids, receipt, request) }
    }
    throw ProblemDetails(.raced, resource: "set of workloads")
  }

  private func replay(of claim: IdempotencyClaim) async throws(ProblemDetails) -> ChangeReceipt? {
    let honoured: HonouredClaim?
    do {
      honoured = try await registry.honoured(claim)
    } catch {
      throw ProblemDetails(error, resource: "set of workloads")
    }
    return honoured.map { ChangeReceipt(.replaced, revision: $0.revision, time: $0.time, isReplay: true) }
  }

  /// Nil where one of the workloads has changed since it was read.
  private func changeUnlessRaced(_ change: DemandChange) async throws(ProblemDetails) -> ChangeReceipt? {
    do {
      return try await registry.change(change)
    } catch {
      if case .raced = error { return nil }
      throw ProblemDetails(error, resource: "set of workloads")
    }
  }

  /// The workloads as their patches leave them, each with the revision at which it was read.
  private func patched(_ patches: [MergePatch.Element]) throws(ProblemDetails) -> [(workload: Workload, readAt: Int)] {
    let current = registry.read { demand in patches.map { demand.registrations[$0.id] } }
    var rows: [(workload: Workload, readAt: Int)] = []
    rows.reserveCapacity(patches.count)
    for (element, registration) in zip(patches, current) {
      guard let registration else {
        throw ProblemDetails(
          status: 404, code: "not_found", detail: "There is no workload \(element.id), and nothing was changed.",
          pointer: element.pointer + "/id")
      }
      do throws(ProblemDetails) {
        rows.append((try element.patch.applied(to: registration.workload), registration.revision))
      } catch {
        var problem = error
        problem.pointer = element.pointer + (problem.pointer ?? "")
        throw problem
      }
      guard rows.last?.workload.id == element.id else {
        throw ProblemDetails(
          status: 422, code: "id_mismatch", detail: "A patch cannot change an id.", pointer: element.pointer + "/id")
      }
    }
    return rows
  }

  private func changed(_ ids: [String], _ receipt: ChangeReceipt, _ request: HTTPRequest) -> HTTPResponse {
    let view = board.view
    let rows = registry.read { demand in ids.compactMap { demand.registrations[$0] } }
    var response = answer(200, rows, receipt, request) {
      WorkloadStatus(of: $0, on: view, running: nodes.running($0.id))
    }
    if receipt.isReplay { response.headers["Idempotency-Replayed"] = "true" }
    return response
  }

  private func answer(
    _ status: Int, _ rows: [Registration], _ receipt: ChangeReceipt, _ request: HTTPRequest,
    state: (Registration) -> WorkloadStatus
  ) -> HTTPResponse {
    guard !request.prefersMinimal else {
      return HTTPResponse(
        status: status,
        headers: ["ETag": EntityTag(revision: receipt.revision).text, "Preference-Applied": "return=minimal"])
    }
    let body = WorkloadRepresentation.list(rows, revision: receipt.revision, cursor: nil, status: state)
    return HTTPResponse(
      status: status, contentType: "application/json", body: body,
      headers: ["ETag": EntityTag(revision: receipt.revision, of: body).text])
  }

  private func change(
    _ change: DemandChange, pointerPrefix: String? = nil
  ) async throws(ProblemDetails) -> ChangeReceipt {
    do {
      return try await registry.change(change)
    } catch {
      throw ProblemDetails(error, resource: "set of workloads", pointerPrefix: pointerPrefix)
    }
  }

  private static func workloads(in request: HTTPRequest) throws(ProblemDetails) -> [Workload] {
    let source = try request.input([.json, .yaml, .csv])
    do {
      return try WorkloadReader.read(source)
    } catch {
      throw ProblemDetails(error)
    }
  }

  /// Where the workloads stand in a JSON body: at its root or under its one key.
  private static func pointerPrefix(of body: Data) -> String? {
    switch body.first(where: { ![0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf].contains($0) }) {
    case UInt8(ascii: "["): "/"
    case UInt8(ascii: "{"): "/workloads/"
    default: nil
    }
  }
}
