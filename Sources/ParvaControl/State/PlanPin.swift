package import Foundation

/// Keeps the plan as it is: no other is made until it is released.
package struct PlanPin: Hashable, Sendable {
  /// The plan that stays.
  package var revision: Int
  /// Whoever pinned it says why; may be empty.
  package var reason: String
  package var since: Date

  package init(revision: Int, reason: String, since: Date) {
    (self.revision, self.reason, self.since) = (revision, reason, since)
  }
}
