/// What somebody wants of the planning itself.
package enum PlanOrder: Sendable {
  /// Plan no further until it is released.
  case pin(reason: String)
  /// Plan again.
  case release
  /// Publish an earlier plan anew, and pin it.
  case bringBack(revision: Int, reason: String)

  package enum Refusal: Error, Sendable {
    /// No plan was published yet.
    case noPlan
    /// Never was, or is no longer kept.
    case unknownPlan
    case unreadable
    /// Nothing is pinned.
    case notPinned
    /// What of the earlier plan cannot stand today.
    case unusable([String])
    case storeFailed(StoreError)
    /// The controller ends.
    case stopping
  }
}

/// An order that waits for its turn.
struct WaitingOrder: Sendable {
  let order: PlanOrder
  /// The request that has given it, for the audit.
  let draft: AuditDraft?
  let done: CheckedContinuation<Result<PlanPin?, PlanOrder.Refusal>, Never>
}
