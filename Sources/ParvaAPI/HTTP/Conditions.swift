import ParvaControl
import ParvaHTTP

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
