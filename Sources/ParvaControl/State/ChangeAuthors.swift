/// Who has changed something, and at which of its revisions last.
struct ChangeAuthors: Sendable {
  /// How many are known at most; those whose last change is oldest are forgotten first.
  static let most = 1_000

  private var newest: [PlanCause.Author: Int] = [:]

  /// - Parameter revision: never lower than one before it.
  mutating func note(_ author: PlanCause.Author, at revision: Int) {
    newest[author] = revision
    guard newest.count > Self.most else { return }
    let oldest = newest.values.sorted()[newest.count / 2]
    newest = newest.filter { $0.value > oldest }
    newest[author] = revision
  }

  /// Those whose last change came after a revision. O(authors).
  func since(_ revision: Int) -> Set<PlanCause.Author> { Set(newest.lazy.filter { $0.value > revision }.map(\.key)) }
}
