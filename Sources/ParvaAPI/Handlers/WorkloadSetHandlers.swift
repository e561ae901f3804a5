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
  private static let resource = "set of workloads"

  let registry: DemandRegistry
  let board: PlanBoard
  let nodes: NodeRegistry
  let now: @Sendable () -> Date
  let rule: PreconditionRule

  /// A page of registrations in order of id.
  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(
      request, default: Self.defaultLimit, most: Self.maxLimit, beside: "labelSelector", "model", "state", "namespace")
    let selector = try request.queryValue("labelSelector").map { text throws(ProblemDetails) in
      try LabelSelector(text)
    }
    let model = request.queryValue("model")
    let state = try request.choice("state", of: WorkloadStatus.State.self)
    let format = try request.preferred(WorkloadRepresentation.formats + [.ndjson])
    let (view, date) = (board.view, now())
    let (space, asked) = (request.space, try request.askedSpace())
    let cursor = query.cursor.map { space.id($0) }
    let (revision, candidates) = registry.read { demand in
      (demand.revision(of: space.name), asked.rows(demand.registrations, after: cursor))
    }
    let isWanted = { @Sendable [nodes] (row: Registration) in
      (selector.map { $0.matches(row.workload.labels) } ?? true) && (model.map { $0 == row.workload.model } ?? true)
        && (state.map { $0 == WorkloadStatus(of: row, on: view, running: nodes.running(row.id), at: date).state }
          ?? true)
    }
    if format == .ndjson {
      guard request.queryValue("limit") == nil else {
        throw ProblemDetails.parameter("limit", "is for pages; lines are all there are, from behind 'cursor' on")
      }
      return lines(candidates, revision, view, date, space, isWanted)
    }
    var rows: [Registration] = []
    for row in candidates where isWanted(row) {
      rows.append(row)
      if rows.count > query.limit { break }
    }
    let page = query.page(rows) { space.told($0.id) }
    let body = WorkloadRepresentation.list(page.items, revision: revision, cursor: page.next, format, in: space) {
      WorkloadStatus(of: $0, on: view, running: nodes.running($0.id), at: date).told(to: space, view)
    }
    let headers: HTTPHeaders = [
      "ETag": EntityTag(revision: revision, of: body, as: format).text, "Vary": "Accept",
    ]
    return request.unlessFresh(
      HTTPResponse(status: 200, contentType: format.contentType, body: body, headers: headers))
  }

  /// All of them as they are at one revision, a line each, written as fast as the client takes them.
  private func lines(
    _ rows: ArraySlice<Registration>, _ revision: Int, _ view: PlanBoard.View, _ date: Date, _ space: Space,
    _ isWanted: @escaping @Sendable (Registration) -> Bool
  ) -> HTTPResponse {
    let headers: HTTPHeaders = ["Vary": "Accept", "Parva-Demand-Revision": String(revision)]
    return HTTPResponse(status: 200, contentType: DocumentFormat.ndjson.contentType, headers: headers) {
      [nodes] writer in
      var rest = rows
      while !rest.isEmpty {
        let part = rest.prefix(1_000)
        rest = rest.dropFirst(part.count)
        let lines = WorkloadRepresentation.lines(part.lazy.filter(isWanted), in: space) {
          WorkloadStatus(of: $0, on: view, running: nodes.running($0.id), at: date).told(to: space, view)
        }
        if !lines.isEmpty { try await writer.write(lines) }
      }
    }
  }

  /// Registers all workloads of the body, or none.
  func createBatch(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let claim = try request.idempotencyClaim()
    let (space, (workloads, format)) = (request.space, try workloads(in: request))
    let receipt: ChangeReceipt
    do {
      receipt = try await registry.change(DemandChange(.create(workloads), claim: claim, in: space.name))
    } catch .exists(let id, let index) {
      throw taken(
        workloads, ProblemDetails(.exists(id: id, index: index), resource: Self.resource, in: space), request.body,
        format, space)
    } catch {
      throw ProblemDetails(error, resource: Self.resource, in: space)
    }
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
    let workloads = try workloads(in: request).workloads
    let receipt = try await change(
      DemandChange(.replaceAll(workloads), if: precondition, in: request.space.name), request.space)
    let (view, date) = (board.view, now())
    let rows = registry.read { Array(request.space.rows($0.registrations)) }
    return answer(200, rows, receipt, request) {
      WorkloadStatus(of: $0, on: view, running: nodes.running($0.id), at: date).told(to: request.space, view)
    }
  }

  /// Changes workloads by a merge patch each, all or none.
  func patch(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let claim = try request.idempotencyClaim()
    let precondition = try rule.precondition(of: request, isThere: true)
    // Among more than there are workloads, so many more that are not there end the looking.
    let most = registry.read { $0.registrations.count } + InputLimits.refusals
    let patches = try MergePatch.several(request, atMost: most)
    let (space, ids) = (request.space, patches.map { request.space.id($0.id) })
    if let claim, let replay = try await replay(of: claim) { return changed(ids, replay, request) }
    // A change that was raced is worked out anew; eight lost in a row is a fight.
    for _ in 0..<8 {
      let change = DemandChange(
        .change(try patched(patches, space)), if: precondition, claim: claim, in: space.name)
      if let receipt = try await changeUnlessRaced(change, space) { return changed(ids, receipt, request) }
    }
    throw ProblemDetails(.raced, resource: Self.resource)
  }

  private func replay(of claim: IdempotencyClaim) async throws(ProblemDetails) -> ChangeReceipt? {
    let honoured: HonouredClaim?
    do {
      honoured = try await registry.honoured(claim)
    } catch {
      throw ProblemDetails(error, resource: Self.resource)
    }
    return honoured.map { ChangeReceipt(.replaced, revision: $0.revision, time: $0.time, isReplay: true) }
  }

  /// Nil where one of the workloads has changed since it was read.
  private func changeUnlessRaced(_ change: DemandChange, _ space: Space) async throws(ProblemDetails) -> ChangeReceipt?
  {
    do {
      return try await registry.change(change)
    } catch {
      if case .raced = error { return nil }
      throw ProblemDetails(error, resource: Self.resource, in: space)
    }
  }

  /// The workloads as their patches leave them, each with the revision at which it was read.
  private func patched(
    _ patches: [MergePatch.Element], _ space: Space
  ) throws(ProblemDetails) -> [(workload: Workload, readAt: Int)] {
    let current = registry.read { demand in patches.map { demand.registrations[space.id($0.id)] } }
    var rows: [(workload: Workload, readAt: Int)] = []
    rows.reserveCapacity(patches.count)
    var faults = BulkFaults()
    for (element, registration) in zip(patches, current) {
      if faults.isFull { break }
      guard let registration else {
        faults.add(
          404, "not_found", "There is no workload \(element.id), and nothing was changed.",
          element.place.pointer + "/id")
        continue
      }
      do throws(ProblemDetails) {
        let workload = try space.taken(try element.patch.applied(to: space.told(registration.workload), in: space.name))
        if workload.id != registration.id {
          faults.add(422, "id_mismatch", "A patch cannot change an id.", element.place.pointer + "/id")
        }
        rows.append((workload, registration.revision))
      } catch {
        var problem = error
        problem.pointer = element.place.pointer + (problem.pointer ?? "")
        faults.add(problem)
        faults.pass(bytes: element.patch.bytes)
      }
    }
    try faults.check()
    return rows
  }

  private func changed(_ ids: [String], _ receipt: ChangeReceipt, _ request: HTTPRequest) -> HTTPResponse {
    let (view, date) = (board.view, now())
    let rows = registry.read { demand in ids.compactMap { demand.registrations[$0] } }
    var response = answer(200, rows, receipt, request) {
      WorkloadStatus(of: $0, on: view, running: nodes.running($0.id), at: date).told(to: request.space, view)
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
    let body = WorkloadRepresentation.list(
      rows, revision: receipt.revision, cursor: nil, in: request.space, status: state)
    return HTTPResponse(
      status: status, contentType: "application/json", body: body,
      headers: ["ETag": EntityTag(revision: receipt.revision, of: body).text])
  }

  private func change(_ change: DemandChange, _ space: Space) async throws(ProblemDetails) -> ChangeReceipt {
    do {
      return try await registry.change(change)
    } catch {
      throw ProblemDetails(error, resource: Self.resource, in: space)
    }
  }

  /// The refusal of a batch of which some ids are taken, with the places of the first hundred.
  private func taken(
    _ workloads: [Workload], _ refusal: ProblemDetails, _ body: Data, _ format: InputFormat, _ space: Space
  ) -> ProblemDetails {
    let places = registry.read { demand in workloads.indices.filter { demand.registrations[workloads[$0].id] != nil } }
    let told = Array(places.prefix(ProblemDetails.mostErrors))
    let lines = format == .ndjson ? WorkloadReader.lines(of: told, in: body) : []
    let prefix = format == .json ? Self.pointerPrefix(of: body) : nil
    var problem = refusal
    problem.errors = told.enumerated().map { number, place in
      ProblemDetails.Fault(
        code: refusal.code, detail: "A workload with the id \(space.told(workloads[place].id)) is registered already.",
        pointer: prefix.map { "\($0)\(place)/id" } ?? (format == .ndjson ? "/id" : nil),
        line: lines.indices.contains(number) ? lines[number] : nil)
    }
    problem.errorCount = places.count
    problem.pointer = problem.errors.first?.pointer
    if let line = problem.errors.first?.line { problem.detail = "Line \(line): \(problem.detail)" }
    if places.count > 1 { problem.detail += " (and \(places.count - 1) more)" }
    return problem
  }

  private func workloads(
    in request: HTTPRequest
  ) throws(ProblemDetails) -> (workloads: [Workload], format: InputFormat) {
    let source = try request.input([.json, .yaml, .csv, .ndjson])
    let workloads: [Workload]
    do {
      workloads = try WorkloadReader.read(
        source, refusals: ProblemDetails.mostErrors, atMost: registry.limit, in: request.space.name)
    } catch {
      throw ProblemDetails(error)
    }
    return (workloads, source.format)
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
