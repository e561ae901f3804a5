package import ParvaHTTP
import Synchronization

/// Decides who may call which route: holders of a token by its scope, and clients with a verified certificate.
package final class AccessControl: Sendable {
  private let tokens: Mutex<AccessTokens?>
  private let trustsCertificates: Bool

  /// - Parameters:
  ///   - tokens: nil where there are none.
  ///   - trustsCertificates: whether a client certificate that the listener has verified allows everything.
  package init(tokens: AccessTokens?, trustsCertificates: Bool) {
    self.tokens = Mutex(tokens)
    self.trustsCertificates = trustsCertificates
  }

  /// Takes effect with the next request.
  package func replace(_ tokens: AccessTokens) { self.tokens.withLock { $0 = tokens } }

  /// For the router.
  package var gate: Router.Gate {
    { request, route throws(ProblemDetails) in try self.admit(&request, to: route) }
  }

  private func admit(_ request: inout HTTPRequest, to route: Route) throws(ProblemDetails) {
    if trustsCertificates, let subject = request.clientSubject {
      request.principal = subject
      return
    }
    guard let needed = AccessScope.needed(for: route) else { return }
    guard let token = Self.bearerToken(of: request) else {
      throw ProblemDetails(
        status: 401, code: "credentials_missing",
        detail: "This needs a token in the Authorization field, after 'Bearer '"
          + (trustsCertificates ? ", or a client certificate." : "."),
        headers: ["WWW-Authenticate": "Bearer realm=\"parva\""])
    }
    guard let holder = tokens.withLock({ $0 })?.holder(of: token) else {
      throw ProblemDetails(
        status: 401, code: "credentials_invalid", detail: "The token is none of those that this server knows.",
        headers: ["WWW-Authenticate": "Bearer realm=\"parva\", error=\"invalid_token\""])
    }
    request.principal = holder.name
    guard holder.scope.allows(needed, on: route, request, as: holder.name) else {
      throw ProblemDetails(
        status: 403, code: "scope_insufficient",
        detail: holder.scope == .node
          ? "The token of node \(holder.name) is for what its agent says of that node alone."
          : "The token of \(holder.name) allows to \(holder.scope.rawValue); this needs \(needed.rawValue).",
        headers: [
          "WWW-Authenticate": "Bearer realm=\"parva\", error=\"insufficient_scope\", scope=\"\(needed.rawValue)\""
        ])
    }
  }

  /// The scheme's name is compared without regard to case (RFC 9110, section 11.1).
  private static func bearerToken(of request: HTTPRequest) -> String? {
    guard let field = request.headers["Authorization"] else { return nil }
    let words = field.split(separator: " ", omittingEmptySubsequences: true)
    guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
    return String(words[1])
  }
}
