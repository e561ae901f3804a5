package import Foundation
package import ParvaEngine
import ParvaFormats
import Synchronization

/// A registered workload and when it was registered and last changed.
///
/// A class, so that the table of all registrations moves pointers; it never changes.
package final class Registration: Sendable {
  package let workload: Workload
  /// Demand revision of the last change: the plan that covers it serves this very declaration.
  package let revision: Int
  package let createdAt: Date
  package let updatedAt: Date
  /// Nil without a schedule.
  private let span: KnownSpan?

  package init(_ workload: Workload, revision: Int, createdAt: Date, updatedAt: Date) {
    self.workload = workload
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    span = workload.schedule.isEmpty ? nil : KnownSpan()
  }

  package var id: String { workload.id }

  /// The rate that it asks for at a time, in whole seconds since 1970, and a later one until when it surely stays; nil where it always
  /// does. O(1) until then, O(entries of the schedule) when it is over.
  package func rate(at time: Int) -> (rate: Double, until: Int?) {
    guard let span else { return (workload.rate, nil) }
    return span.value.withLock { known in
      if let known, known.since <= time, time < known.until ?? .max { return (known.rate, known.until) }
      let (rate, until) = workload.curve.span(at: time)
      known = (time, rate, until)
      return (rate, until)
    }
  }

  /// Part of a schedule in which nothing begins or ends, as it was worked out last.
  private final class KnownSpan: Sendable {
    let value = Mutex<(since: Int, rate: Double, until: Int?)?>(nil)
  }
}

extension Registration: Equatable {
  package static func == (a: Registration, b: Registration) -> Bool {
    (a.workload, a.revision, a.createdAt, a.updatedAt) == (b.workload, b.revision, b.createdAt, b.updatedAt)
  }
}
