package import Foundation
package import ParvaWire

/// What is true of something, without when it came to be so.
package struct Condition: Hashable, Sendable {
  package typealias Status = ConditionDocument.Status

  package var type: String
  package var status: Status
  /// Stable.
  package var reason: String
  package var message: String

  /// A message may hold what a node says, and events keep it: at most this much of it.
  static let messageLength = 500

  package init(_ type: String, _ status: Status, _ reason: String, _ message: String) {
    (self.type, self.status, self.reason) = (type, status, reason)
    self.message = message.utf8.count <= Self.messageLength ? message : String(message.prefix(Self.messageLength))
  }
}

/// Conditions with when the status of each last changed. Pure: it is told what is, again and again.
package struct ConditionList: Hashable, Sendable {
  package private(set) var rows: [ConditionDocument] = []

  package init() {}

  /// Takes what is now. Answers those of which the status or the reason is another than before.
  package mutating func take(_ conditions: [Condition], at date: Date) -> [ConditionDocument] {
    var changed: [ConditionDocument] = []
    rows = conditions.map { now in
      let before = rows.first { $0.type == now.type }
      let row = ConditionDocument(
        type: now.type, status: now.status, reason: now.reason, message: now.message,
        since: before.flatMap { $0.status == now.status ? $0.since : nil } ?? Timestamp.text(date))
      if before?.status != row.status || before?.reason != row.reason { changed.append(row) }
      return row
    }
    return changed
  }
}
