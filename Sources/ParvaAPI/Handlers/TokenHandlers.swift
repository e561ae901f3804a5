import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/tokens` and `/v1/whoami`: who may come in, and who has.
struct TokenHandlers: Sendable {
  static let defaultLimit = 100
  static let maxLimit = 1000

  let tokens: TokenRegistry
  let registry: DemandRegistry

  // MARK: - Reading

  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    try request.acceptsJSON()
    let page = query.page(tokens.tokens(after: query.cursor)) { $0.id }
    return try .json(200, PageDocument("tokens", page.items.map { Self.document($0) }, next: page.next))
  }

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    guard let token = tokens.token(request.pathParameters["id"] ?? "") else { throw Self.notFound }
    return try .json(200, Self.document(token))
  }

  /// Who asks. Where nobody has to say, it is somebody who may do everything.
  func whoami(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    let caller = request.caller
    let role = caller.map { AccessRole(rawValue: $0.role) ?? .node } ?? .admin
    return try .json(
      200,
      CallerDocument(
        id: request.callerID, name: request.callerName, role: role.rawValue, node: caller?.node,
        namespace: caller?.namespace, expiresAt: caller?.expiresAt.map(Timestamp.text), may: role.rights.map(\.rawValue)
      ),
      headers: ["Cache-Control": "no-store"])
  }

  // MARK: - Changing

  func create(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let source = try request.input()
    let spec: TokenSpecReader.Wish
    do {
      spec = try TokenSpecReader.read(source, roles: AccessRole.allCases.map(\.rawValue))
    } catch {
      throw ProblemDetails(error)
    }
    let made: (token: AccessToken, secret: String)
    do throws(TokenRegistry.Refusal) {
      made = try await tokens.create(
        TokenRegistry.Wish(
          name: spec.name, role: AccessRole(rawValue: spec.role) ?? .node, node: spec.node,
          namespace: spec.namespace, lifetime: spec.lifetime, createdBy: request.callerID)
      ) { name in registry.read { $0.hasNamespace(name) } }
    } catch {
      throw Self.problem(error)
    }
    return try .json(
      201, Self.document(made.token, secret: made.secret),
      headers: ["Location": "/v1/tokens/\(made.token.id)", "Cache-Control": "no-store"])
  }

  func revoke(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    do throws(TokenRegistry.Refusal) {
      try await tokens.revoke(request.pathParameters["id"] ?? "")
    } catch {
      throw Self.problem(error)
    }
    return HTTPResponse(status: 204)
  }

  // MARK: - Parts

  private static func document(_ token: AccessToken, secret: String? = nil) -> TokenDocument {
    TokenDocument(
      id: token.id, name: token.name, role: token.role.rawValue, node: token.node, namespace: token.namespace,
      createdAt: Timestamp.text(token.createdAt), createdBy: token.createdBy,
      expiresAt: token.expiresAt.map(Timestamp.text), lastUsedAt: token.lastUsedAt.map(Timestamp.text), token: secret)
  }

  private static var notFound: ProblemDetails {
    ProblemDetails(status: 404, code: "not_found", detail: "There is no token of this id.")
  }

  private static func problem(_ refusal: TokenRegistry.Refusal) -> ProblemDetails {
    switch refusal {
    case .notFound: notFound
    case .tooMany(let limit):
      ProblemDetails(
        status: 409, code: "too_many_tokens", detail: "This controller keeps at most \(limit) tokens; revoke some.")
    case .unknownNamespace(let name): unknown(name)
    case .storeFailed(let error): ProblemDetails(error)
    }
  }

  private static func unknown(_ namespace: String) -> ProblemDetails {
    var problem = ProblemDetails(.unknownNamespace(namespace), resource: "")
    problem.pointer = "/namespace"
    return problem
  }
}

/// What `/v1/whoami` tells of a role.
private enum AccessRight: String {
  case read, change, administer
  /// To speak for a node.
  case report
}

extension AccessRole {
  fileprivate var rights: [AccessRight] {
    switch self {
    case .reader: [.read]
    case .operator: [.read, .change]
    case .admin: [.read, .change, .administer]
    case .node: [.report]
    }
  }
}
