package import Foundation

/// Times as RFC 3339 writes them, in UTC with milliseconds.
package enum Timestamp {
  private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

  package static func text(_ date: Date) -> String { style.format(date) }
}
