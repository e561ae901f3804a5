import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/nodes` and below: registration, what the nodes show, heartbeats.
struct NodeHandlers: Sendable {
  static let defaultLimit = 100
  static let maxLimit = 1000

  let nodes: NodeRegistry
  let board: PlanBoard
  let rule: PreconditionRule

  // MARK: - Reading

  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    let format = try request.preferred([.json, .table])
    let fleet = nodes.snapshot
    let plan = board.view.plan
    let page = query.page(fleet.page(after: query.cursor ?? "", limit: query.limit + 1)) { $0.name }
    let conditions = nodes.conditions(of: page.items.map(\.name))
    let rows = page.items.map { node in
      NodeRepresentation.resource(node, fleet.inventory.gpus(of: node.name), conditions[node.name] ?? [], plan)
    }
    let list = NodeList(nodes: rows, nextCursor: page.next)
    var response =
      format == .table
      ? HTTPResponse(
        status: 200, contentType: format.contentType,
        body: Data(FleetPicture(list, style: TextStyle()).text().utf8))
      : HTTPResponse(status: 200, contentType: "application/json", body: NodeWriter.json(list))
    response.headers["Vary"] = "Accept"
    response.headers["ETag"] = EntityTag(of: response.body, as: format).text
    return request.unlessFresh(response)
  }

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    return request.unlessFresh(try answer(200, request.pathParameters["name"] ?? ""))
  }

  // MARK: - Changing

  func put(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("drain")
    let keepsDrain: Bool
    switch request.queryValue("drain") {
    case nil, "end": keepsDrain = false
    case "keep": keepsDrain = true
    default: throw ProblemDetails.parameter("drain", "must be end or keep")
    }
    let name = request.pathParameters["name"] ?? ""
    let precondition = try rule.precondition(of: request, isThere: nodes.node(name) != nil)
    let source = try request.input()
    let spec: NodeSpec
    do {
      spec = try NodeSpecReader.read(source, named: name)
    } catch {
      throw ProblemDetails(error)
    }
    if let secret = spec.webhookSecret, WebhookSignature(secret: secret) == nil {
      throw ProblemDetails(
        status: 422, code: "out_of_range", detail: "webhookSecret must be whsec_ and the base64 of 24 to 64 bytes.",
        pointer: "/webhookSecret")
    }
    let effect: ChangeReceipt.Effect
    do {
      effect = try await nodes.put(spec, named: name, if: precondition, keepsDrain: keepsDrain)
    } catch {
      throw Self.problem(error)
    }
    var response = try answer(effect == .created ? 201 : 200, name)
    if effect == .created { response.headers["Location"] = "/v1/nodes/\(name)" }
    return response
  }

  /// 204 where the node is gone, 202 where plans leave it out from now on and it goes once it is empty.
  func delete(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("force")
    let name = request.pathParameters["name"] ?? ""
    let precondition = try rule.precondition(of: request, isThere: nodes.node(name) != nil)
    let force = try request.flag("force")
    do {
      if try await nodes.delete(name, if: precondition, force: force) { return HTTPResponse(status: 204) }
    } catch .notFound {
      throw unknown(name)
    } catch {
      throw Self.problem(error)
    }
    // The drain may have ended meanwhile.
    guard nodes.node(name) != nil else { return HTTPResponse(status: 204) }
    return try answer(202, name)
  }

  /// Takes a node out of planning, or returns it.
  func set(_ duty: NodeDuty) -> @Sendable (HTTPRequest) async throws -> HTTPResponse {
    { request in
      try request.allowQuery()
      try request.acceptsJSON()
      let name = request.pathParameters["name"] ?? ""
      let precondition = try rule.precondition(of: request, isThere: nodes.node(name) != nil)
      do throws(ChangeRefusal) {
        try await nodes.set(duty, of: name, if: precondition)
      } catch .notFound {
        throw unknown(name)
      } catch {
        throw Self.problem(error)
      }
      return try answer(200, name)
    }
  }

  func heartbeat(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    let name = request.pathParameters["name"] ?? ""
    guard nodes.node(name) != nil else { throw unknown(name) }
    let source = try request.input([.json])
    // Of all bytes, and of this process alone: nobody can aim at a collision.
    var hasher = Hasher()
    request.body.withUnsafeBytes { hasher.combine(bytes: $0) }
    let digest = hasher.finalize()
    if let condition = nodes.heardAgain(digest, from: name) { return try heartbeatAnswer(condition) }
    let state: NodeStateDocument
    do {
      state = try NodeStateReader.read(source)
    } catch {
      throw ProblemDetails(error)
    }
    guard state.name == name else {
      throw ProblemDetails(
        status: 422, code: "name_mismatch", detail: "The body is about another node than the path.", pointer: "/name")
    }
    guard let condition = nodes.heard(state, from: name, digest: digest) else { throw unknown(name) }
    return try heartbeatAnswer(condition)
  }

  private func heartbeatAnswer(_ condition: NodeCondition) throws -> HTTPResponse {
    try .json(200, HeartbeatAnswer(state: condition.rawValue, heartbeatSeconds: nodes.settings.heartbeat.seconds))
  }

  // MARK: - Parts

  private func answer(_ status: Int, _ name: String) throws -> HTTPResponse {
    guard let (record, gpus, conditions) = nodes.offers(of: name) else { throw unknown(name) }
    var response = try HTTPResponse.json(
      status, NodeRepresentation.resource(record, gpus, conditions, board.view.plan))
    response.headers["ETag"] = EntityTag(revision: record.revision, of: response.body).text
    return response
  }

  /// An agent takes 404 as a call to register again, and 410 as a call to stay away.
  private func unknown(_ name: String) -> ProblemDetails {
    nodes.wasRemoved(name)
      ? ProblemDetails(
        status: 410, code: "node_removed", detail: "This node was removed; a registration brings it back.")
      : ProblemDetails(status: 404, code: "not_found", detail: "No such node is registered.")
  }

  private static func problem(_ refusal: ChangeRefusal) -> ProblemDetails {
    if case .tooMany(let limit) = refusal {
      return ProblemDetails(
        status: 409, code: "too_many_nodes", detail: "This controller takes at most \(limit) nodes.")
    }
    return ProblemDetails(refusal, resource: "node of this name")
  }
}
