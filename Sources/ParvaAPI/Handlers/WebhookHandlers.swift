import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/webhooks`: who is told what happens.
struct WebhookHandlers: Sendable {
  static let defaultLimit = 100
  static let maxLimit = 1000
  /// Tests under way at a time: each may take as long as a receiver lets it.
  static let mostTests = 8
  /// Seconds for which a secret that was replaced signs too, where nothing else is said.
  static let overlap = 86_400

  let webhooks: WebhookRegistry
  let registry: DemandRegistry
  let rule: PreconditionRule

  // MARK: - Reading

  func list(_ request: HTTPRequest) async throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    try request.acceptsJSON()
    let space = request.space
    let standings = webhooks.standings(after: query.cursor.map(space.subscriber), in: space.name)
    let page = query.page(standings) { space.told($0.record.id) }
    var documents: [WebhookDocument] = []
    for standing in page.items {
      documents.append(WebhookRepresentation.document(await webhooks.counted(standing), to: space))
    }
    return try .json(200, PageDocument("webhooks", documents, next: page.next))
  }

  func get(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    return request.unlessFresh(try await answer(200, Self.id(request), to: request.space))
  }

  /// The newest tries, whichever message they were of.
  func deliveries(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    let tries: [WebhookSender.Try]
    do throws(WebhookRegistry.Refusal) {
      tries = try webhooks.tries(Self.id(request))
    } catch {
      throw Self.problem(error)
    }
    return try .json(200, ["deliveries": tries.map { WebhookRepresentation.document($0) }])
  }

  func deadLetters(_ request: HTTPRequest) async throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    let number = try query.number()
    try request.acceptsJSON()
    let found: [DeadLetter]
    do throws(WebhookRegistry.Refusal) {
      found = try await webhooks.deadLetters(Self.id(request), before: number, limit: query.limit + 1)
    } catch {
      throw Self.problem(error)
    }
    let page = query.page(found) { String($0.number) }
    return HTTPResponse(
      status: 200, contentType: "application/json", body: WebhookRepresentation.list(page.items, next: page.next))
  }

  // MARK: - Changing

  func create(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let space = request.space
    try check(namespace: space.name)
    let wish = try wish(of: try request.input(), named: nil, in: space.name)
    let made: (id: String, secret: String)
    do throws(WebhookRegistry.Refusal) {
      made = try await webhooks.create(wish, in: space.name, by: request.callerID)
    } catch {
      throw Self.problem(error)
    }
    return try await answer(201, made.id, to: space, secret: made.secret)
  }

  func put(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let (id, namespace) = (Self.id(request), Self.namespace(request))
    guard WebhookSpecReader.isID(Namespace.bare(id)), namespace.map(Namespace.isName) ?? true else {
      throw ProblemDetails(
        status: 422, code: "invalid_name", detail: "A subscriber's id is \(WebhookSpecReader.idRule).")
    }
    try check(namespace: namespace)
    let precondition = try precondition(of: request)
    let wish = try wish(of: try request.input(), named: Namespace.bare(id), in: namespace)
    let secret: String?
    do throws(WebhookRegistry.Refusal) {
      secret = try await webhooks.put(id, wish, if: precondition, by: request.callerID)
    } catch {
      throw Self.problem(error)
    }
    return try await answer(secret == nil ? 200 : 201, id, to: request.space, secret: secret)
  }

  /// Members that are named get other values, or with null their defaults; the secret stays.
  func patch(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let id = Self.id(request)
    let precondition = try precondition(of: request)
    let patch = try MergePatch(request)
    // Without a precondition of the client's own, losing a race means reading again; eight lost in a row is a fight.
    for _ in 0..<8 {
      guard let standing = webhooks.standing(id) else { throw Self.problem(.notFound) }
      let revision = standing.record.revision
      guard precondition.holds(at: revision) else { throw Self.problem(.preconditionFailed(revision)) }
      let wish = try wish(
        of: try patch.applied(to: WebhookRepresentation.spec(standing.record.wish)), named: Namespace.bare(id),
        in: Self.namespace(request))
      do throws(WebhookRegistry.Refusal) {
        _ = try await webhooks.put(id, wish, if: .revision([revision]), by: request.callerID)
      } catch {
        if case .preconditionFailed = error { continue }
        throw Self.problem(error)
      }
      return try await answer(200, id, to: request.space)
    }
    throw ProblemDetails(
      status: 409, code: "conflict",
      detail: "Others keep changing the subscriber \(request.space.told(id)); try again.",
      headers: ["Retry-After": "1"])
  }

  func delete(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let precondition = try precondition(of: request)
    do throws(WebhookRegistry.Refusal) {
      try await webhooks.remove(Self.id(request), if: precondition)
    } catch {
      throw Self.problem(error)
    }
    return HTTPResponse(status: 204)
  }

  func rotate(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let precondition = try precondition(of: request)
    let overlap = try Self.optional(request) { source throws(InputErrors) in
      try WebhookSpecReader.overlap(source, most: WebhookRegistry.longestOverlap)
    }
    let secret: String
    do throws(WebhookRegistry.Refusal) {
      secret = try await webhooks.rotate(
        Self.id(request), overlap: TimeInterval(overlap ?? Self.overlap), if: precondition)
    } catch {
      throw Self.problem(error)
    }
    return try await answer(200, Self.id(request), to: request.space, secret: secret)
  }

  func replay(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let numbers = try Self.optional(request) { source throws(InputErrors) in try WebhookSpecReader.numbers(source) }
    let count: Int
    do throws(WebhookRegistry.Refusal) {
      count = try await webhooks.replay(Self.id(request), numbers)
    } catch {
      throw Self.problem(error)
    }
    return try .json(202, ["replaying": count])
  }

  /// Answers 200 whatever became of it: the body tells.
  func test(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let made: WebhookSender.Try?
    do throws(WebhookRegistry.Refusal) {
      made = try await webhooks.test(Self.id(request))
    } catch {
      throw Self.problem(error)
    }
    guard let made else {
      throw ProblemDetails(
        status: 503, code: "stopping", detail: "The controller ends; nothing can be said of the message.",
        headers: ["Retry-After": "1"])
    }
    return try .json(200, WebhookRepresentation.document(made))
  }

  // MARK: - Parts

  /// As it is known everywhere.
  private static func id(_ request: HTTPRequest) -> String {
    request.space.subscriber(request.pathParameters["id"] ?? "")
  }

  /// Whose the subscriber of the path is; nil: the fleet's.
  private static func namespace(_ request: HTTPRequest) -> String? {
    Namespace.isQualified(id(request)) ? Namespace.of(id(request)) : nil
  }

  private func check(namespace: String?) throws(ProblemDetails) {
    guard let namespace, !registry.read({ $0.hasNamespace(namespace) }) else { return }
    throw ProblemDetails(.unknownNamespace(namespace), resource: "namespace")
  }

  private func precondition(of request: HTTPRequest) throws(ProblemDetails) -> Precondition {
    try rule.precondition(of: request, isThere: webhooks.standing(Self.id(request)) != nil)
  }

  /// What a body says that may be missing.
  private static func optional<Value>(
    _ request: HTTPRequest, _ read: (InputSource) throws(InputErrors) -> Value?
  ) throws(ProblemDetails) -> Value? {
    guard !request.body.isEmpty else { return nil }
    let source = try request.input()
    do throws(InputErrors) {
      return try read(source)
    } catch {
      throw ProblemDetails(error)
    }
  }

  private func wish(
    of source: InputSource, named id: String?, in namespace: String?
  ) throws(ProblemDetails) -> WebhookRecord.Wish {
    let known = namespace == nil ? WebhookEventType.allCases : WebhookEventType.own
    let spec: WebhookSpec
    do throws(InputErrors) {
      spec = try WebhookSpecReader.read(source, types: known.map(\.rawValue))
    } catch {
      throw ProblemDetails(error)
    }
    try check(spec.url)
    if let selector = spec.labelSelector {
      do throws(ProblemDetails) {
        _ = try LabelSelector(selector)
      } catch {
        throw ProblemDetails(status: 422, code: "invalid_selector", detail: error.detail, pointer: "/labelSelector")
      }
    }
    let types = spec.types.map { Set($0) }
    return WebhookRecord.Wish(
      name: spec.name ?? id ?? "webhook", url: spec.url,
      types: known.filter { types?.contains($0.rawValue) ?? true },
      selector: spec.labelSelector, isEnabled: spec.enabled ?? true, retrySeconds: spec.retrySeconds ?? 86_400)
  }

  /// What can be said of a URL before anybody is asked for its host: every try judges the address that it then has.
  private func check(_ url: String) throws(ProblemDetails) {
    func refusal(_ code: String, _ detail: String) -> ProblemDetails {
      ProblemDetails(status: 422, code: code, detail: detail, pointer: "/url")
    }
    let target: TargetURL
    do throws(TargetURL.Fault) {
      target = try TargetURL(url)
    } catch {
      throw refusal("invalid_url", "url \(Self.sentence(error)).")
    }
    let allowed = webhooks.settings.allowed
    let hint = "; --webhook-allow-network of the controller allows networks that are not public"
    if !target.isEncrypted, allowed.isEmpty {
      throw refusal("target_forbidden", "url must begin with https://" + hint + ", with http:// too.")
    }
    if let address = target.address,
      let why = TargetGuard(allowed: allowed).refusal(of: address, isEncrypted: target.isEncrypted)
    {
      throw refusal("target_forbidden", "\(why)" + hint + ".")
    }
  }

  private static func sentence(_ fault: TargetURL.Fault) -> String {
    switch fault {
    case .malformed: "must be an absolute URL in ASCII, without spaces"
    case .scheme: "must begin with https://, or with http:// for an allowed network"
    case .credentials: "must hold no user and no password, because readers see it"
    case .fragment: "must have no fragment"
    case .tooLong: "is longer than \(TargetURL.longest) bytes"
    }
  }

  private func answer(
    _ status: Int, _ id: String, to space: Space, secret: String? = nil
  ) async throws -> HTTPResponse {
    guard let standing = webhooks.standing(id) else { throw Self.problem(.notFound) }
    let document = WebhookRepresentation.document(await webhooks.counted(standing), to: space, secret: secret)
    var response = try HTTPResponse.json(status, document)
    response.headers["ETag"] = EntityTag(revision: standing.record.revision, of: response.body).text
    if status == 201 { response.headers["Location"] = "/v1/webhooks/\(space.told(id))" }
    if secret != nil { response.headers["Cache-Control"] = "no-store" }
    return response
  }

  private static func problem(_ refusal: WebhookRegistry.Refusal) -> ProblemDetails {
    switch refusal {
    case .notFound:
      ProblemDetails(status: 404, code: "not_found", detail: "There is no subscriber or dead letter of this id.")
    case .preconditionFailed(let revision?):
      ProblemDetails(
        status: 412, code: "precondition_failed",
        detail: "The subscriber has changed: it is at revision \(revision). Read it again and repeat the change.")
    case .preconditionFailed(nil):
      ProblemDetails(
        status: 412, code: "precondition_failed", detail: "There is no such subscriber, and the request demands one.")
    case .tooMany(let limit, let namespace):
      ProblemDetails(
        status: 409, code: "too_many_webhooks",
        detail: (namespace.map { "The namespace \($0)" } ?? "This controller")
          + " keeps at most \(limit) subscribers; remove some.")
    case .switchedOff:
      ProblemDetails(
        status: 409, code: "webhook_disabled",
        detail: "The subscriber takes no messages: it was switched off, or its receiver has answered 410. A PUT with "
          + "enabled set to true switches it on.")
    case .storeFailed(let error): ProblemDetails(error)
    }
  }
}
