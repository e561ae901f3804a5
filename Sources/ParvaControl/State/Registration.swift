package import Foundation
package import ParvaEngine

/// A registered workload and when it was registered and last changed.
///
/// A class, so that the table of all registrations moves pointers; it never changes.
package final class Registration: Sendable {
  package let workload: Workload
  /// Demand revision of the last change: the plan that covers it serves this very declaration.
  package let revision: Int
  package let createdAt: Date
  package let updatedAt: Date

  package init(_ workload: Workload, revision: Int, createdAt: Date, updatedAt: Date) {
    self.workload = workload
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }

  package var id: String { workload.id }
}

extension Registration: Equatable {
  package static func == (a: Registration, b: Registration) -> Bool {
    (a.workload, a.revision, a.createdAt, a.updatedAt) == (b.workload, b.revision, b.createdAt, b.updatedAt)
  }
}
