package import ParvaEngine

/// What a request would store if it were no dry run.
package struct DryRunOutcome: Sendable {
  /// What of one kind would be set, and what would be gone.
  package struct Change: Hashable, Sendable {
    package var kind: String
    package var set: PlanCause.Names
    package var removed: PlanCause.Names
  }

  /// The row that the audit would have; nil where nobody keeps one.
  package var row: AuditEntry?
  package var changes: [Change] = []
  /// The workload as it would be, where there is one alone.
  package var workload: Workload?
}
