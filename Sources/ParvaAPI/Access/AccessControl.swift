import Foundation
package import ParvaControl
import ParvaFormats
package import ParvaHTTP
import Synchronization

/// Decides who may call which route: holders of a token by its role, and clients with a verified certificate.
package final class AccessControl: Sendable {
  private let file: Mutex<AccessTokens?>
  private let tokens: TokenRegistry?
  private let issued: IssuedTokens?
  private let trustsCertificates: Bool
  private let roles: Mutex<CertificateRoles?>
  private let isRequired: Bool

  /// - Parameters:
  ///   - file: tokens that were given with the start; nil where there are none.
  ///   - tokens: those that were made at run time.
  ///   - issued: judges those that an issuer has signed.
  ///   - trustsCertificates: whether a client certificate that the listener has verified lets in.
  ///   - roles: what it lets do; nil: everything.
  ///   - isRequired: whether who shows no credential is refused; else such a caller may do everything.
  package init(
    file: AccessTokens? = nil, tokens: TokenRegistry? = nil, issued: IssuedTokens? = nil,
    trustsCertificates: Bool = false,
    roles: CertificateRoles? = nil,
    isRequired: Bool = true
  ) {
    self.file = Mutex(file)
    self.tokens = tokens
    self.issued = issued
    self.trustsCertificates = trustsCertificates
    self.roles = Mutex(roles)
    self.isRequired = isRequired
  }

  /// Takes effect with the next request; what was opened by a token that is gone ends.
  package func replace(_ newer: AccessTokens) {
    let gone = file.withLock { file in
      let (merged, gone) = newer.taking(over: file)
      file = merged
      return gone
    }
    for caller in gone { caller.end() }
  }

  /// Takes effect with the next request.
  package func replace(_ newer: CertificateRoles) { roles.withLock { $0 = newer } }

  /// For the router.
  package var gate: Router.Gate {
    { request, route throws(ProblemDetails) in try self.admit(&request, to: route) }
  }

  private func admit(_ request: inout HTTPRequest, to route: Route) throws(ProblemDetails) {
    // A route that was forgotten in the table is nobody's but the administrator's.
    let access = route.access ?? .admin
    if access == .anyone { return }
    // Of two, what stands in front of this server may have judged the other one.
    guard request.headers.count(of: "Authorization") <= 1 else {
      throw ProblemDetails(
        status: 400, code: "credentials_repeated",
        detail: "The request has more than one Authorization field; send one.")
    }
    let token = Self.bearerToken(of: request)
    var caller = token.flatMap(caller)
    var refused: IssuedTokens.Refusal?
    if caller == nil, let token, let issued, SignedToken.looksLike(token) {
      do throws(IssuedTokens.Refusal) {
        caller = try issued.caller(of: token)
      } catch {
        refused = error
      }
    }
    if caller == nil { try ForeignPage.refuse(request) }
    if caller == nil, trustsCertificates, let subject = request.clientSubject {
      caller = try holder(of: subject, request.clientURIs, access)
    }
    guard let caller else {
      if let refused { throw Self.refusal(refused) }
      // One of ours that does not count any more is no reason to be let in as nobody.
      guard isRequired || token?.hasPrefix(TokenSecret.prefix) == true else { return }
      throw refusal(of: token, access)
    }
    request.caller = caller
    if let namespace = caller.namespace, access.tenancy == .none {
      throw ProblemDetails(
        status: 403, code: "namespace_insufficient",
        detail:
          "\(caller.name) is for the namespace \(namespace) alone; this takes a credential that is for the whole fleet.",
        headers: ["WWW-Authenticate": "Bearer realm=\"parva\", error=\"insufficient_scope\""])
    }
    guard access.allows(caller, request) else {
      let needed = access.role?.rawValue ?? ""
      throw ProblemDetails(
        status: 403, code: "scope_insufficient",
        detail: caller.role == AccessRole.node.rawValue
          ? "The token of node \(caller.node ?? "") is for what its agent says of that node alone; this needs \(needed)."
          : "\(caller.name) has the role \(caller.role); this needs \(needed).",
        headers: ["WWW-Authenticate": "Bearer realm=\"parva\", error=\"insufficient_scope\", scope=\"\(needed)\""])
    }
  }

  /// For the router: what names a key that is not known waits until the issuer was asked for it, for a while.
  package var pause: Router.Pause? {
    guard let issued else { return nil }
    return { request, route in
      guard (route.access ?? .admin) != .anyone, let token = Self.bearerToken(of: request), SignedToken.looksLike(token)
      else { return nil }
      // Its key may have come since the gate has asked for it; then the gate is only asked again.
      let again: @Sendable () async -> Void = {}
      do throws(IssuedTokens.Refusal) {
        _ = try issued.caller(of: token)
        return again
      } catch {
        guard error == .unknownKey else { return nil }
        if let wait = issued.keys.asked() { return wait }
        return (try? issued.caller(of: token)) == nil ? nil : again
      }
    }
  }

  private static func refusal(_ refused: IssuedTokens.Refusal) -> ProblemDetails {
    let isUnknown = refused == .noRole
    return ProblemDetails(
      status: isUnknown ? 403 : 401, code: refused.rawValue, detail: refused.sentence,
      headers: [
        "WWW-Authenticate": "Bearer realm=\"parva\", error=\"\(isUnknown ? "insufficient_scope" : "invalid_token")\""
      ])
  }

  private func caller(of token: String) -> Caller? {
    tokens?.caller(of: token) ?? file.withLock { $0 }?.caller(of: token)
  }

  private func holder(
    of subject: String, _ uris: [String], _ access: Route.Access
  ) throws(ProblemDetails) -> Caller {
    guard let roles = roles.withLock({ $0 }) else {
      return Caller(name: subject, id: "certificate:\(subject)", role: AccessRole.admin.rawValue)
    }
    guard let caller = roles.caller(subject: subject, uris: uris) else {
      throw ProblemDetails(
        status: 403, code: "certificate_unknown",
        detail: "No line of --certificate-roles names the certificate of \(subject). A line with the role "
          + "\(access.role?.rawValue ?? "") is needed.")
    }
    return caller
  }

  private func refusal(of token: String?, _ access: Route.Access) -> ProblemDetails {
    let needed = "of the role \(access.role?.rawValue ?? "reader")"
    guard token != nil else {
      return ProblemDetails(
        status: 401, code: "credentials_missing",
        detail: "This needs a token \(needed) in the Authorization field, after 'Bearer '"
          + (trustsCertificates ? ", or a client certificate." : "."),
        headers: ["WWW-Authenticate": "Bearer realm=\"parva\""])
    }
    return ProblemDetails(
      status: 401, code: "credentials_invalid",
      detail: "The token is none of those that this server knows; it may have run out or been revoked. This needs one "
        + "\(needed).",
      headers: ["WWW-Authenticate": "Bearer realm=\"parva\", error=\"invalid_token\""])
  }

  /// The scheme's name is compared without regard to case (RFC 9110, section 11.1).
  private static func bearerToken(of request: HTTPRequest) -> String? {
    guard let field = request.headers["Authorization"] else { return nil }
    let words = field.split(separator: " ", omittingEmptySubsequences: true)
    guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
    return String(words[1])
  }
}
