import ParvaHTTP

/// The tag of a registered resource: its own revision, and the plan that its status speaks of.
///
/// The whole tag changes with every byte of the representation, as RFC 9110, section 8.8.3, wants it. Clients change
/// only what the first part stands for, so `If-Match` compares that part: a new plan does not void a client's edit.
struct EntityTag: Hashable {
  var revision: Int
  /// Revision of the plan in the status, 0 while that is pending.
  var plan: Int

  var text: String { "\"\(revision).\(plan)\"" }
}

extension HTTPRequest {
  /// What `If-Match` and `If-None-Match: *` demand before a change (RFC 9110, section 13.1).
  ///
  /// - Throws: 400 `unsupported_precondition` for both at once or for `If-None-Match` with tags.
  func precondition() throws(ProblemDetails) -> Precondition {
    let noneMatch = headers["If-None-Match"]?.trimmedBlanks
    guard let match = headers["If-Match"]?.trimmedBlanks else {
      switch noneMatch {
      case nil: return .none
      case "*": return .absent
      default:
        throw ProblemDetails(
          status: 400, code: "unsupported_precondition",
          detail: "A change may carry If-Match, or If-None-Match with * alone.")
      }
    }
    guard noneMatch == nil else {
      throw ProblemDetails(
        status: 400, code: "unsupported_precondition",
        detail: "If-Match and If-None-Match contradict each other in one request.")
    }
    if match == "*" { return .exists }
    return .revision(match.split(separator: ",").compactMap(Self.revision))
  }

  /// Weak tags never match here (section 13.1.1), and neither does a tag that is none of ours.
  private static func revision(_ text: Substring) -> Int? {
    let tag = String(text).trimmedBlanks
    guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\"") else { return nil }
    return Int(tag.dropFirst().prefix { $0 != "." && $0 != "\"" })
  }

  /// Whether `If-None-Match` of a read names this tag; the comparison is weak (section 13.1.2).
  func isFresh(_ tag: String) -> Bool {
    guard let field = headers["If-None-Match"] else { return false }
    return field.trimmedBlanks == "*"
      || field.split(separator: ",").contains { entry in
        let entry = String(entry).trimmedBlanks
        return (entry.hasPrefix("W/") ? String(entry.dropFirst(2)) : entry) == tag
      }
  }
}

extension String {
  fileprivate var trimmedBlanks: String {
    var text = Substring(self)
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return String(text)
  }
}
