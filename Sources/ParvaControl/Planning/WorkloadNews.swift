import Foundation
import ParvaWire

/// What has changed of a workload's conditions, as an event.
struct WorkloadNews: Sendable {
  struct Changed: Sendable {
    var condition: Condition
    var since: Date
  }

  var id: String
  var changed: [Changed]

  /// A JSON object with sorted keys, as a general encoder writes all events: of workloads thousands a second may come.
  var text: String {
    let conditions = changed.map { change in
      let condition = change.condition
      return #"{"message":\#(Self.quoted(condition.message)),"reason":\#(Self.quoted(condition.reason)),"since":"#
        + #""\#(Timestamp.text(change.since))","status":"\#(condition.status.rawValue)","type":"\#(condition.type)"}"#
    }
    return #"{"conditions":[\#(conditions.joined(separator: ","))],"id":\#(Self.quoted(id))}"#
  }

  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
      (0x20..<0x7f).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
    }
    if isPlain { return "\"\(text)\"" }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }
}
