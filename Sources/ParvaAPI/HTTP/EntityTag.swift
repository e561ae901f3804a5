import Foundation
import ParvaEngine
import ParvaHTTP

/// The tag of every resource: its revision, a dot, and what tells its representations at that revision apart.
///
/// The whole tag changes with every byte of the representation, as RFC 9110, section 8.8.3, wants it. Clients change
/// only what the revision counts, so `If-Match` compares that part: a new plan does not void a client's edit.
struct EntityTag: Hashable {
  /// 0 for what has none.
  var revision: Int
  var detail: String

  /// - Parameter format: what sets this representation apart from others of the same resource.
  init(revision: Int = 0, of representation: Data, as format: PlanFormat = .json) {
    self.revision = revision
    let digits = StableHash.digits(of: representation)
    detail = format == .json ? digits : "\(format.rawValue)-\(digits)"
  }

  /// A tag for an answer without a representation: it stands for the revision alone.
  init(revision: Int) {
    self.revision = revision
    detail = "0"
  }

  /// The tag with its quotes.
  var text: String { "\"\(revision).\(detail)\"" }
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
