package import Foundation
import Glibc
package import Logging

/// Writes each event as one line of JSON to standard error: docs/metrics.md has the schema.
package struct JSONLogHandler: LogHandler {
  package var metadata: Logger.Metadata = [:]
  package var logLevel: Logger.Level = .info
  private let label: String
  private let write: @Sendable (Data) -> Void
  private let now: @Sendable () -> Date
  private static let time = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

  /// Names that metadata does not take the place of.
  private static let reserved: Set<String> = ["time", "level", "component", "message", "trace_id", "span_id"]

  package init(
    label: String, now: @escaping @Sendable () -> Date = { Date() },
    write: @escaping @Sendable (Data) -> Void = { line in
      // One call a line, so that lines of several processes do not mix.
      _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
  ) {
    (self.label, self.now, self.write) = (label, now, write)
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    var line = "{\"time\":\(Self.quoted(Self.time.format(now()))),\"level\":\"\(event.level.rawValue)\""
    line += ",\"component\":\(Self.quoted(label)),\"message\":\(Self.quoted(event.message.description))"
    if let context = Tracer.current {
      line += ",\"trace_id\":\"\(context.traceID)\",\"span_id\":\"\(context.spanID)\""
    }
    for (name, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: {
      $0.key < $1.key
    }) {
      let name = Self.reserved.contains(name) ? name + "_" : name
      line += ",\(Self.quoted(name)):\(Self.quoted("\(value)"))"
    }
    write(Data((line + "}\n").utf8))
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\u{0}"..."\u{1F}", "\u{7F}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
