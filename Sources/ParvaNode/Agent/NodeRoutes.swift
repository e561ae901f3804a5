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
  let now: @Sendable () -> Int

  /// - Parameters:
  ///   - server: counts what the server that gets these routes has seen.
  ///   - now: seconds since 1970.
  package init(
    agent: NodeAgent, authority: Authority, server: ServerCounters = ServerCounters(),
    now: @escaping @Sendable () -> Int = { Int(Date().timeIntervalSince1970) }
  ) {
    self.agent = agent
    self.authority = authority
    self.server = server
    self.now = now
  }

  package var routes: [Route] {
    [
      Route("GET", "/healthz", .inline(health)),
      Route("GET", "/metrics", .async(metrics)),
      Route("GET", "/v1/state", .async(state)),
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
        detail: "Revision \(wanted.revision) is older than \(latest), which this node has accepted.",
        pointer: "/revision")
    } catch NodeAgent.Refusal.conflict {
      throw ProblemDetails(
        status: 409, code: "revision_conflict",
        detail: "Revision \(wanted.revision) came before with other contents; a change needs a new revision.",
        pointer: "/revision")
    }
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
        do throws(WebhookSignature.Refusal) {
          _ = try secret.verify(headers: request.headers, body: request.body, now: now())
          return
        } catch {
          refusal = error
        }
      }
      throw ProblemDetails(
        status: 401, code: refusal.rawValue,
        detail:
          "The message is not signed with a secret of this node, or not within \(WebhookSignature.window) seconds.")
    }
  }
}
