package import Foundation

/// Times as RFC 3339 writes them, in UTC with milliseconds.
package enum Timestamp {
  private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

  package static func text(_ date: Date) -> String { style.format(date) }

  /// Nil for what is not written so.
  package static func date(_ text: String) -> Date? { try? style.parse(text) }
}

extension Date {
  /// As the store keeps it, so that what is in memory is what a restart reads back.
  var wholeMilliseconds: Date { Date(timeIntervalSince1970: (timeIntervalSince1970 * 1000).rounded() / 1000) }
}
