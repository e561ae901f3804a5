/// What a client wants to be true of the resource at the moment of its change (RFC 9110, section 13.1).
package enum Precondition: Hashable, Sendable {
  case none
  /// `If-Match: *`
  case exists
  /// `If-None-Match: *`
  case absent
  /// `If-Match` with tags: the resource is at one of these revisions.
  case revision([Int])

  /// Whether it holds for a resource at `current`, nil where there is none.
  package func holds(at current: Int?) -> Bool {
    switch self {
    case .none: true
    case .exists: current != nil
    case .absent: current == nil
    case .revision(let wanted): current.map(wanted.contains) ?? false
    }
  }
}
