import Foundation
import ParvaControl
import ParvaHTTP

/// Has the audit know of every call of a route that it is to know of.
struct AuditRecorder: Sendable {
  let log: AuditLog
  let now: @Sendable () -> Date

  /// The route, whose calls leave a row each: with the change where there is one, else soon after the answer.
  func recorded(_ route: Route) -> Route {
    guard route.access?.isRecorded == true else { return route }
    var route = route
    switch route.handler {
    case .inline(let handle):
      route.handler = .async { request in try await recording(draft(request)) { try handle(request) } }
    case .begun(let handle):
      route.handler = .begun { request in try recording(draft(request)) { try handle(request) } }
    case .async(let handle):
      route.handler = .async { request in try await recording(draft(request)) { try await handle(request) } }
    }
    return route
  }

  private func draft(_ request: HTTPRequest) -> AuditDraft {
    // Without the version, and without what is done to it: what is left names the thing.
    var parts = request.path.split(separator: "/").dropFirst()
    if let id = request.pathParameters["id"] ?? request.pathParameters["name"] ?? request.pathParameters["model"],
      let first = parts.first
    {
      parts = [first, Substring(id)]
    }
    return AuditDraft(
      AuditEntry(
        time: now(), who: request.callerID, name: request.callerName, method: request.method,
        path: request.path.withoutTokens, resource: parts.joined(separator: "/").withoutTokens,
        requestID: request.requestID, status: 0,
        isChange: false))
  }

  private func recording(_ draft: AuditDraft, _ handle: () async throws -> HTTPResponse) async throws -> HTTPResponse {
    do {
      let response = try await AuditDraft.$current.withValue(draft) { try await handle() }
      end(draft, response.status)
      return response
    } catch {
      end(draft, (error as? ProblemDetails)?.status ?? 500)
      throw error
    }
  }

  private func recording(_ draft: AuditDraft, _ handle: () throws -> Route.Beginning) throws -> Route.Beginning {
    do {
      switch try handle() {
      case .answer(let response):
        end(draft, response.status)
        return .answer(response)
      case .rest(let rest): return .rest { try await recording(draft, rest) }
      }
    } catch {
      end(draft, (error as? ProblemDetails)?.status ?? 500)
      throw error
    }
  }

  private func end(_ draft: AuditDraft, _ status: Int) {
    if let entry = draft.close(status) { log.note(entry) }
  }
}
