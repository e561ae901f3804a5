import Foundation
import ParvaFormats
package import ParvaHTTP
package import ParvaServing
import ParvaWire

/// The node's HTTP interface.
package struct NodeRoutes: Sendable {
  /// Who may apply.
  package enum Authority: Sendable {
    /// Messages signed as Standard Webhooks with one of these secrets, the current and those being retired.
    case signed([WebhookSignature])
    /// Clients with a certificate that the listener has verified.
    case clientCertificate
    /// Anybody who reaches the port; for tests and simulations on a loopback address.
    case anyone
  }

  let agent: NodeAgent
  let authority: Authority
  let server: ServerCounters
  let link: LinkCounters
  /// Digest of the token that state and metrics are shown for to those who are not on this machine.
  let readToken: SecretDigest?
  let now: @Sendable () -> Int

  /// - Parameters:
  ///   - server: counts what the server that gets these routes has seen.
  ///   - link: counts the talks with the controller.
  ///   - now: seconds since 1970.
  package init(
    agent: NodeAgent, authority: Authority, readToken: SecretDigest? = nil, server: ServerCounters = ServerCounters(),
    link: LinkCounters = LinkCounters(), now: @escaping @Sendable () -> Int = { Int(Date().timeIntervalSince1970) }
  ) {
    self.agent = agent
    self.authority = authority
    self.readToken = readToken
    self.server = server
    self.link = link
    self.now = now
  }

  package var routes: [Route] {
    [
      Route("GET", "/healthz", .inline(health)),
      Route("GET", "/metrics", .async(metrics)),
      Route("GET", "/v1/state", .async(state)),
      Route("GET", "/v1/operations/{id}", .inline(operation)),
      Route("POST", "/v1/apply", bodyLimit: NodeAssignmentReader.bytes, .async(apply)),
    ].map { $0.traced(by: agent.tracer) }
  }

  /// A driver that has hung for long makes the node unhealthy, though it still answers.
  private func health(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    let hung = agent.reader.unanswered.map { $0 > .seconds(30) } ?? false
    return HTTPResponse(
      status: hung ? 503 : 200, contentType: "text/plain; charset=utf-8",
      body: Data((hung ? "the driver does not answer\n" : "ok\n").utf8))
  }

  private func state(_ request: HTTPRequest) async throws -> HTTPResponse {
    try admit(request)
    do {
      return try .json(200, try await agent.document())
    } catch let error as DriverError {
      throw ProblemDetails(status: 503, code: "driver_\(error.code)", detail: error.description)
    } catch let failure as ApplyJournal.Failure {
      throw ProblemDetails(status: 503, code: failure.code, detail: failure.description)
    }
  }

  private func operation(_ request: HTTPRequest) throws -> HTTPResponse {
    try admit(request)
    let id = request.pathParameters["id"] ?? ""
    guard let operation = agent.operation(id) else {
      throw ProblemDetails(status: 404, code: "not_found", detail: "No operation \(id) is known here.")
    }
    return try .json(200, operation)
  }

  private func apply(_ request: HTTPRequest) async throws -> HTTPResponse {
    try authorize(request)
    try request.allowQuery()
    let source = try request.input([.json])
    let pushed: PushedAssignment
    do {
      pushed = try NodeAssignmentReader.readPushed(source)
    } catch {
      throw ProblemDetails(error)
    }
    let wanted = pushed.wanted
    do {
      let operation = try agent.submit(wanted, term: pushed.term)
      return try .json(202, operation, headers: ["Location": "/v1/operations/\(operation.id)"])
    } catch NodeAgent.Refusal.stale(let latest) {
      throw ProblemDetails(
        status: 409, code: "revision_stale",
        detail: "Revision \(wanted.version) is older than \(latest), which this node has accepted.",
        pointer: "/revision")
    } catch NodeAgent.Refusal.superseded(let latest) {
      throw ProblemDetails(
        status: 409, code: PushedAssignment.superseded,
        detail: "A controller that leads in term \(latest) has spoken to this node; "
          + (pushed.term == 0 ? "this message has none." : "term \(pushed.term) is over."), pointer: "/term")
    } catch NodeAgent.Refusal.unkept(let failure) {
      throw ProblemDetails(status: 503, code: failure.code, detail: failure.description)
    } catch NodeAgent.Refusal.conflict {
      throw ProblemDetails(
        status: 409, code: "revision_conflict",
        detail: "Revision \(wanted.version) came before with other contents; a change needs a new revision.",
        pointer: "/revision")
    }
  }
}

/// Who is answered. The codes are those of the controller: `credentials_missing` and `credentials_invalid`.
extension NodeRoutes {
  /// What a node shows names its models, commands and processes: beyond this machine it is told to those alone who show the
  /// token, a certificate, or a signature of a message without a body.
  func admit(_ request: HTTPRequest) throws {
    let peer = request.remoteAddress ?? "unix"
    let isLocal = peer == "unix" || peer == "::1" || peer.hasPrefix("127.")
    if !isLocal && request.clientSubject == nil { try checkCredentials(of: request) }
    try request.allowQuery()
  }

  private func checkCredentials(of request: HTTPRequest) throws {
    if let given = request.headers["Authorization"], given.lowercased().hasPrefix("bearer ") {
      let digest = SecretDigest(of: given.dropFirst(7).trimmingCharacters(in: .whitespaces))
      if let readToken, let digest, readToken.matches(digest) { return }
      throw unauthorized("credentials_invalid", "The token is not that of --read-token-file.")
    }
    if case .signed(let secrets) = authority, request.headers["webhook-id"] != nil {
      return try checkSignature(of: request, secrets)
    }
    throw unauthorized(
      "credentials_missing",
      "State, operations and metrics are shown beyond this machine for the token of --read-token-file, a client "
        + "certificate, or a signature only.")
  }

  private func authorize(_ request: HTTPRequest) throws {
    switch authority {
    case .anyone: return
    case .clientCertificate:
      if request.clientSubject == nil {
        throw unauthorized("credentials_missing", "A client certificate is needed to apply.")
      }
    case .signed(let secrets): try checkSignature(of: request, secrets)
    }
  }

  private func checkSignature(of request: HTTPRequest, _ secrets: [WebhookSignature]) throws {
    var refusal = WebhookSignature.Refusal.signatureMismatch
    for secret in secrets {
      let id: String
      do throws(WebhookSignature.Refusal) {
        id = try secret.verify(headers: request.headers, body: request.body, now: now())
      } catch {
        refusal = error
        continue
      }
      // Several nodes may have one secret: what one was sent must not be played to another.
      let node = id.split(separator: ".", maxSplits: 1).dropFirst().first.map(String.init)
      if node == agent.name { return }
      throw unauthorized(
        "credentials_invalid",
        "The message's webhook-id has to be any text without dots, a dot and the name of the node that it is "
          + "for; this node is \(agent.name) (--name), and the id names \(node ?? "none").")
    }
    if refusal == .headersMissing {
      throw unauthorized(
        "credentials_missing",
        "The message has to be signed as Standard Webhooks say: webhook-id, webhook-timestamp, webhook-signature.")
    }
    throw unauthorized(
      "credentials_invalid",
      "The message is not signed with a secret of this node, or not within \(WebhookSignature.window) seconds: "
        + "\(refusal.rawValue).")
  }

  /// A 401 says what it wants (RFC 9110, section 15.5.2).
  private func unauthorized(_ code: String, _ detail: String) -> ProblemDetails {
    let fault = code == "credentials_invalid" ? ", error=\"invalid_token\"" : ""
    return ProblemDetails(
      status: 401, code: code, detail: detail,
      headers: ["WWW-Authenticate": "Bearer realm=\"parva-node\"\(fault)"])
  }
}
