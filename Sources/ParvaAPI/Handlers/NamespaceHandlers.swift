import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/namespaces`: who shares the fleet, with what each may have and has.
struct NamespaceHandlers: Sendable {
  static let defaultLimit = 100
  static let maxLimit = 1000

  let registry: DemandRegistry
  let tokens: TokenRegistry
  let webhooks: WebhookRegistry
  let events: EventLog
  let rule: PreconditionRule

  // MARK: - Reading

  /// In order of name. Who is bound to one finds that one.
  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    try request.acceptsJSON()
    let rows = registry.read { demand in
      let names = Set(demand.namespaces.keys).union([Namespace.standard])
        .filter { $0 > query.cursor ?? "" && (request.space.name ?? $0) == $0 }
      return names.sorted().prefix(query.limit + 1).map { Self.document($0, demand) }
    }
    let page = query.page(rows) { $0.name }
    return request.unlessFresh(try Self.tagged(.json(200, PageDocument("namespaces", page.items, next: page.next))))
  }

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    return request.unlessFresh(try answer(200, request))
  }

  // MARK: - Changing

  func create(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let spec = try Self.spec(request)
    _ = try await change(DemandChange(.createNamespace(spec.name, spec.terms)), spec.name)
    return try made(201, spec.name)
  }

  func put(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let name = request.pathParameters["name"] ?? ""
    let isThere = registry.read { $0.namespaces[name] != nil }
    let precondition = try rule.precondition(of: request, isThere: isThere)
    let spec = try Self.spec(request, named: name)
    let receipt = try await change(DemandChange(.putNamespace(name, spec.terms), if: precondition), name)
    return try made(receipt.effect == .created ? 201 : 200, name)
  }

  /// Only an empty one, for which there is neither a token nor a subscriber: who comes after it under its name must not be read by them.
  func delete(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let name = request.pathParameters["name"] ?? ""
    let precondition = try rule.precondition(of: request, isThere: registry.read { $0.namespaces[name] != nil })
    try await tokens.whileNoneIsMade { () async throws(ProblemDetails) in
      try refuseUnlessEmpty(name)
      _ = try await change(DemandChange(.deleteNamespace(name), if: precondition), name)
    }
    if registry.read({ $0.namespaces[name] == nil }) { events.forget(name) }
    return HTTPResponse(status: 204)
  }

  /// - Throws: 409 `namespace_in_use`, with everything that has to go before and how much of it there is.
  private func refuseUnlessEmpty(_ name: String) throws(ProblemDetails) {
    let (workloads, profiles) = registry.read { demand in
      (demand.use(of: name).workloads, demand.profiles.keys.count { $0.namespace == name })
    }
    let (tokens, subscribers) = (tokens.count(in: name), webhooks.count(in: name))
    let blockers = [
      (workloads, "workload", "parva get workloads"), (tokens, "token", "parva token list"),
      (subscribers, "subscriber", "parva get webhooks"),
    ].filter { $0.0 > 0 }
    guard !blockers.isEmpty else { return }
    let texts = blockers.map { count, what, verb in "\(count) \(what)\(count == 1 ? "" : "s") (\(verb))" }
    let last = profiles == 0 ? "" : " Its \(profiles) profile\(profiles == 1 ? "" : "s") would go with it."
    throw ProblemDetails(
      status: 409, code: "namespace_in_use",
      detail: "The namespace \(name) holds \(texts.joined(separator: ", ")), which must go first.\(last)")
  }

  // MARK: - Parts

  private func answer(_ status: Int, _ request: HTTPRequest) throws -> HTTPResponse {
    let name = request.pathParameters["name"] ?? ""
    let document = registry.read { demand in
      (request.space.name ?? name) == name && demand.hasNamespace(name) ? Self.document(name, demand) : nil
    }
    guard let document else { throw ProblemDetails(.notFound, resource: Self.resource(name)) }
    return try Self.tagged(.json(status, document), document.revision ?? 0)
  }

  private func made(_ status: Int, _ name: String) throws -> HTTPResponse {
    let document = registry.read { demand in demand.hasNamespace(name) ? Self.document(name, demand) : nil }
    guard let document else { throw ProblemDetails(.notFound, resource: Self.resource(name)) }
    var response = try Self.tagged(.json(status, document), document.revision ?? 0)
    if status == 201 { response.headers["Location"] = "/v1/namespaces/\(name)" }
    return response
  }

  private func change(_ change: DemandChange, _ name: String) async throws(ProblemDetails) -> ChangeReceipt {
    do {
      return try await registry.change(change)
    } catch {
      throw ProblemDetails(error, resource: Self.resource(name))
    }
  }

  private static func spec(
    _ request: HTTPRequest, named name: String? = nil
  ) throws(ProblemDetails) -> (name: String, terms: NamespaceTerms) {
    let source = try request.input()
    do {
      let spec = try NamespaceSpecReader.read(source, named: name)
      let quota = NamespaceQuota(gpus: spec.quota.gpus, workloads: spec.quota.workloads, rate: spec.quota.rate)
      return (spec.name, NamespaceTerms(quota: quota, weight: spec.weight))
    } catch {
      throw ProblemDetails(error)
    }
  }

  private static func document(_ name: String, _ demand: borrowing Demand) -> NamespaceDocument {
    let (record, use) = (demand.namespaces[name], demand.use(of: name))
    return NamespaceDocument(
      name: name,
      quota: NamespaceQuotaSpec(
        gpus: record?.quota.gpus, workloads: record?.quota.workloads, rate: record?.quota.rate),
      weight: record?.weight ?? 1,
      use: NamespaceDocument.Use(workloads: use.workloads, rate: use.rate), revision: record?.revision,
      createdAt: record.map { Timestamp.text($0.createdAt) }, updatedAt: record.map { Timestamp.text($0.updatedAt) })
  }

  private static func tagged(_ response: HTTPResponse, _ revision: Int = 0) -> HTTPResponse {
    var response = response
    response.headers["ETag"] = EntityTag(revision: revision, of: response.body).text
    return response
  }

  private static func resource(_ name: String) -> String { "namespace \(name.prefix(300))" }
}
