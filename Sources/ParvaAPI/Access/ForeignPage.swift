import Foundation
import ParvaHTTP

/// Keeps pages of others from changing something through somebody's browser. A token is sent by who means it; where nobody has to
/// show one, or a certificate is shown for every page that asks, the browser's word for whose page it is decides.
enum ForeignPage {
  /// Programs send neither of the two fields that are looked at; browsers send at least one with whatever is no GET or HEAD
  /// (Fetch, "append a request Origin header"; Fetch Metadata, "Sec-Fetch-Site").
  ///
  /// - Throws: 403 `foreign_page`.
  static func refuse(_ request: HTTPRequest) throws(ProblemDetails) {
    guard !["GET", "HEAD"].contains(request.method), isForeign(request) else { return }
    throw ProblemDetails(
      status: 403, code: "foreign_page",
      detail: "A page of another origin has sent this. Open the controller's own page, or send a token.")
  }

  private static func isForeign(_ request: HTTPRequest) -> Bool {
    if let site = request.headers["Sec-Fetch-Site"] { return !["same-origin", "none"].contains(site) }
    guard let origin = request.headers["Origin"] else { return false }
    guard let scheme = origin.range(of: "://"), let host = request.headers["Host"] else { return true }
    let page = origin[scheme.upperBound...].lowercased()
    return page != host.lowercased() || !namesThisMachine(page)
  }

  /// A name that somebody else owns can be made to lead here, and is then a page of the same origin: only addresses, and names
  /// that are this machine's everywhere (RFC 6761, section 6.3), are taken.
  private static func namesThisMachine(_ authority: String) -> Bool {
    if authority.hasPrefix("[") { return true }
    let host = authority.prefix { $0 != ":" }
    if host == "localhost" || host.hasSuffix(".localhost") { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }
}
