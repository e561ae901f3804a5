import Foundation
import ParvaControl
import ParvaHTTP

/// Has the audit know of every call of a route that it is to know of: those that change something. So it is here, too, that
/// each of them has its dry run.
struct AuditRecorder: Sendable {
  let log: AuditLog
  let now: @Sendable () -> Date
  /// Whether what this controller knows is the newest there is; else a request that has changed nothing has no answer.
  var isSure: @Sendable () -> Bool = { true }

  /// The route, whose calls leave a row each: with the change where there is one, else soon after the answer.
  func recorded(_ route: Route) -> Route {
    guard route.access?.isRecorded == true else { return route }
    let plain = route
    var route = route
    switch route.handler {
    case .inline(let handle):
      route.handler = .async { request in
        let (request, draft) = try begun(request, plain)
        return try await recording(draft) { try handle(request) }
      }
    case .begun(let handle):
      route.handler = .begun { request in
        let (request, draft) = try begun(request, plain)
        return try recording(draft) { try handle(request) }
      }
    case .async(let handle):
      route.handler = .async { request in
        let (request, draft) = try begun(request, plain)
        return try await recording(draft) { try await handle(request) }
      }
    }
    return route
  }

  /// The request as its handler is to see it, and what the audit knows of it by now.
  private func begun(_ request: HTTPRequest, _ route: Route) throws(ProblemDetails) -> (HTTPRequest, AuditDraft) {
    var request = request
    do throws(ProblemDetails) {
      let isDryRun = try DryRun.take(from: &request, route)
      return (request, draft(request, isDryRun: isDryRun))
    } catch {
      try end(draft(request, isDryRun: false), error.status)
      throw error
    }
  }

  /// Whose ids tell their namespace.
  private static let named: Set<Substring> = ["workloads", "segments"]

  private func draft(_ request: HTTPRequest, isDryRun: Bool) -> AuditDraft {
    // Without the version, and without what is done to it: what is left names the thing.
    var parts = request.path.split(separator: "/").dropFirst()
    if let id = request.pathParameters["id"] ?? request.pathParameters["name"] ?? request.pathParameters["model"],
      let first = parts.first
    {
      let known = Self.named.contains(first) ? request.space.id(id) : id
      // What can be no id of the caller's space stands as it was asked for.
      parts = [first, Substring(known.hasPrefix(":") ? id : known)]
      if first == "webhooks" { parts[1] = Substring(request.space.subscriber(id)) }
      if first == "profiles", let name = request.space.name { parts = ["namespaces", Substring(name)] + parts }
    }
    return AuditDraft(
      AuditEntry(
        time: now(), who: request.callerID, name: request.callerName, method: request.method,
        path: request.path.withoutTokens + (isDryRun ? "?\(DryRun.parameter)=true" : ""),
        resource: parts.joined(separator: "/").withoutTokens,
        requestID: request.requestID, status: 0,
        isChange: false), isDryRun: isDryRun, in: request.space.name)
  }

  private func recording(_ draft: AuditDraft, _ handle: () async throws -> HTTPResponse) async throws -> HTTPResponse {
    do {
      let response = try await AuditDraft.$current.withValue(draft) {
        draft.isDryRun ? try await DryRun.answer(draft, handle) : try await handle()
      }
      try end(draft, response.status)
      return response
    } catch {
      try end(draft, (error as? ProblemDetails)?.status ?? 500)
      throw error
    }
  }

  private func recording(_ draft: AuditDraft, _ handle: () throws -> Route.Beginning) throws -> Route.Beginning {
    do {
      switch try handle() {
      case .answer(let response):
        let answer = draft.isDryRun ? DryRun.answer(draft, response) : response
        try end(draft, answer.status)
        return .answer(answer)
      case .rest(let rest): return .rest { try await recording(draft, rest) }
      }
    } catch {
      try end(draft, (error as? ProblemDetails)?.status ?? 500)
      throw error
    }
  }

  /// - Throws: 503 `not_leader` where another controller may lead by now, and nothing was stored in the name of this one.
  private func end(_ draft: AuditDraft, _ status: Int) throws(ProblemDetails) {
    guard let entry = draft.close(status) else { return }
    if status < 500, !isSure() { throw .notLeader("Another replica may lead by now.") }
    log.note(entry)
  }
}
