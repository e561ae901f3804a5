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
  /// Digest of the token that state and metrics are shown for to those who are not on this machine.
  let readToken: SecretDigest?
  let now: @Sendable () -> Int

  /// - Parameters:
  ///   - server: counts what the server that gets these routes has seen.
  ///   - now: seconds since 1970.
  package init(
    agent: NodeAgent, authority: Authority, readToken: SecretDigest? = nil, server: ServerCounters = ServerCounters(),
    now: @escaping @Sendable () -> Int = { Int(Date().timeIntervalSince1970) }
  ) {
    self.agent = agent
    self.authority = authority
    self.readToken = readToken
    self.server = server
    self.now = now
  }

  package var routes: [Route] {
    [
      Route("GET", "/healthz", .inline(health)),
      Route(
        "GET", "/metrics",
        .async {
          try admitted($0); return try await metrics($0)
        }),
      Route(
        "GET", "/v1/state",
        .async {
          try admitted($0); return try await state($0)
        }),
      Route("GET", "/v1/operations/{id}", .inline(operation)),
      Route("POST", "/v1/apply", bodyLimit: NodeAssignmentReader.bytes, .async(apply)),
    ]
  }

  /// A driver that has hung for long makes the node unhealthy, though it still answers.
  private func health(_ request: HTTPRequest) throws -> HTTPResponse {
    let hung = agent.reader.unanswered.map { $0 > .seconds(30) } ?? false
    return HTTPResponse(
      status: hung ? 503 : 200, contentType: "text/plain; charset=utf-8",
      body: Data((hung ? "the driver does not answer\n" : "ok\n").utf8))
  }

  private func state(_ request: HTTPRequest) async throws -> HTTPResponse {
    do {
      return try .json(200, try await agent.document())
    } catch let error as DriverError {
      throw ProblemDetails(status: 503, code: "driver_\(error.code)", detail: error.description)
    }
  }

  private func operation(_ request: HTTPRequest) throws -> HTTPResponse {
    let id = request.pathParameters["id"] ?? ""
    guard let operation = agent.operation(id) else {
      throw ProblemDetails(status: 404, code: "not_found", detail: "No operation \(id) is known here.")
    }
    return try .json(200, operation)
  }

  private func apply(_ request: HTTPRequest) async throws -> HTTPResponse {
    try authorize(request)
    let wanted: NodeAssignment
    do {
      wanted = try NodeAssignmentReader.read(InputSource(request.body, format: .json))
    } catch {
      throw ProblemDetails(error)
    }
    do {
      let operation = try agent.submit(wanted)
      return try .json(202, operation, headers: ["Location": "/v1/operations/\(operation.id)"])
    } catch NodeAgent.Refusal.stale(let latest) {
      throw ProblemDetails(
        status: 409, code: "revision_stale",
        detail: "Revision \(wanted.version) is older than \(latest), which this node has accepted.",
        pointer: "/revision")
    } catch NodeAgent.Refusal.conflict {
      throw ProblemDetails(
        status: 409, code: "revision_conflict",
        detail: "Revision \(wanted.version) came before with other contents; a change needs a new revision.",
        pointer: "/revision")
    }
  }

  /// What a node shows names its models, commands and processes: beyond this machine it is told to those alone who show the
  /// token, a certificate, or a signature of a message without a body.
  private func admitted(_ request: HTTPRequest) throws {
    let peer = request.remoteAddress ?? "unix"
    if peer == "unix" || peer == "::1" || peer.hasPrefix("127.") { return }
    if request.clientSubject != nil { return }
    if let readToken, let given = request.headers["Authorization"], given.lowercased().hasPrefix("bearer "),
      SecretDigest(of: given.dropFirst(7).trimmingCharacters(in: .whitespaces)).map(readToken.matches) == true
    {
      return
    }
    if case .signed(let secrets) = authority, request.headers["webhook-id"] != nil {
      for secret in secrets
      where (try? secret.verify(headers: request.headers, body: request.body, now: now())) != nil { return }
    }
    throw ProblemDetails(
      status: 401, code: "credentials_missing",
      detail:
        "State and metrics are shown beyond this machine for the token of --read-token-file, a client certificate, or "
        + "a signature only.")
  }

  private func authorize(_ request: HTTPRequest) throws {
    switch authority {
    case .anyone: return
    case .clientCertificate:
      if request.clientSubject == nil {
        throw ProblemDetails(
          status: 401, code: "client_certificate_missing", detail: "A client certificate is needed to apply.")
      }
    case .signed(let secrets):
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
        if node != agent.name {
          throw ProblemDetails(
            status: 401, code: "webhook_other_node",
            detail:
              "The message's webhook-id has to be any text without dots, a dot and the name of the node that it is "
              + "for; this node is \(agent.name) (--name), and the id names \(node ?? "none").")
        }
        return
      }
      throw ProblemDetails(
        status: 401, code: refusal.rawValue,
        detail:
          "The message is not signed with a secret of this node, or not within \(WebhookSignature.window) seconds.")
    }
  }
}
