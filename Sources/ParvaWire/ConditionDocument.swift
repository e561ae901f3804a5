/// One thing that is true of a node or a workload, is not, or is not known.
package struct ConditionDocument: Codable, Hashable, Sendable {
  package enum Status: String, Codable, Sendable, CaseIterable {
    case isTrue = "True"
    case isFalse = "False"
    case unknown = "Unknown"
  }

  /// What it is about, for example `Ready`.
  package var type: String
  package var status: Status
  /// Why it is so; stable.
  package var reason: String
  /// The same as a sentence, with names and figures.
  package var message: String
  /// When the status last changed, RFC 3339; what is found at the start of a controller begins then.
  package var since: String

  package init(type: String, status: Status, reason: String, message: String, since: String) {
    self.type = type
    self.status = status
    self.reason = reason
    self.message = message
    self.since = since
  }
}
