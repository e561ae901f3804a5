import Synchronization

/// A request that the audit is to have, from its beginning to its row.
///
/// It goes with the request's task. Who stores a change on its behalf writes the row into the very batch that stores it, so
/// that there is no change without its row and no row without its change.
package final class AuditDraft: Sendable {
  /// The request that is being answered; nil for what the controller does by itself.
  @TaskLocal package static var current: AuditDraft?

  /// That of ``current`` whose request is still under way and has no row yet: tasks that a request has begun outlive it, and
  /// what a change leads to is part of that change.
  static var open: AuditDraft? { current.flatMap { $0.state.withLock { $0.isOpen && !$0.isRecorded } ? $0 : nil } }

  private struct State {
    var isOpen = true
    var isRecorded = false
    var outcome: DryRunOutcome?
  }

  private let base: AuditEntry
  /// Whether the request only asks what it would change: nothing is stored on its behalf.
  package let isDryRun: Bool
  /// The namespace that is all there is for who asks; nil: everything is.
  package let namespace: String?
  private let state = Mutex(State())

  /// - Parameter base: what is known at the beginning; its status does not count.
  package init(_ base: AuditEntry, isDryRun: Bool = false, in namespace: String? = nil) {
    (self.base, self.isDryRun, self.namespace) = (base, isDryRun, namespace)
  }

  /// Whose request it is.
  var author: PlanCause.Author { PlanCause.Author(id: base.who, name: base.name) }

  /// The row of a change.
  func change(
    _ status: Int, _ resource: String? = nil, before: String? = nil, after: String? = nil
  ) -> AuditEntry {
    var entry = base
    entry.status = status
    entry.resource = resource ?? base.resource
    (entry.before, entry.after, entry.isChange) = (before, after, true)
    return entry
  }

  /// What a dry run would have changed; nil while it has not come to a change.
  package var outcome: DryRunOutcome? { state.withLock(\.outcome) }

  /// The dry run has come to what it would store.
  func end(with outcome: DryRunOutcome) { state.withLock { $0.outcome = outcome } }

  /// The row is on disk.
  func recorded() { state.withLock { $0.isRecorded = true } }

  /// The request has its answer: nothing is stored on its behalf any more. Answers a row for what changed nothing; nil where
  /// there is one on disk.
  package func close(_ status: Int) -> AuditEntry? {
    let isRecorded = state.withLock { state in
      state.isOpen = false
      return state.isRecorded
    }
    guard !isRecorded else { return nil }
    var entry = base
    (entry.status, entry.isChange) = (status, false)
    return entry
  }
}
