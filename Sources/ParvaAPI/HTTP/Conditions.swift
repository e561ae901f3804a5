import ParvaControl
import ParvaHTTP

/// Whether changes of what exists must name the revision that they change (`--require-if-match`).
struct PreconditionRule: Sendable {
  let isRequired: Bool

  /// What a request demands of what it changes.
  ///
  /// - Throws: 428 `precondition_required` where it has to demand something and does not (RFC 6585, section 3).
  func precondition(of request: HTTPRequest, isThere: Bool) throws(ProblemDetails) -> Precondition {
    let precondition = try request.precondition()
    guard !isRequired || !isThere || precondition != .none else {
      throw ProblemDetails(
        status: 428, code: "precondition_required",
        detail: "This controller changes what exists only under If-Match; read the resource and send its ETag.")
    }
    return precondition
  }
}

extension HTTPRequest {
  /// What `If-Match` and `If-None-Match: *` demand before a change (RFC 9110, section 13.1).
  ///
  /// - Throws: 400 `unsupported_precondition` for both at once or for `If-None-Match` with tags.
  func precondition() throws(ProblemDetails) -> Precondition {
    guard let match = headers["If-Match"] else {
      guard let noneMatch = headers["If-None-Match"] else { return .none }
      guard Self.isAny(noneMatch) else {
        throw ProblemDetails(
          status: 400, code: "unsupported_precondition",
          detail: "A change may carry If-Match, or If-None-Match with * alone.")
      }
      return .absent
    }
    guard headers["If-None-Match"] == nil else {
      throw ProblemDetails(
        status: 400, code: "unsupported_precondition",
        detail: "If-Match and If-None-Match contradict each other in one request.")
    }
    if Self.isAny(match) { return .exists }
    // Weak tags never match here (section 13.1.1), and neither does a tag that is none of ours.
    return .revision(
      Self.entityTags(in: match).filter { !$0.isWeak }.compactMap { tag in
        Int(tag.text.dropFirst().prefix { $0 != "." && $0 != "\"" })
      })
  }
}
