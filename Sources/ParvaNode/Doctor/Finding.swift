/// One thing that the doctor looked at.
package struct Finding: Codable, Hashable, Sendable {
  package enum Grade: String, Codable, Sendable {
    case ok
    /// Works, with less than it could.
    case warn
    /// An apply, or a server that it starts, would fail.
    case stop
  }

  /// Stable name of what was looked at, for example `capability_nodes`.
  package var check: String
  package var grade: Grade
  /// What was found, one sentence.
  package var detail: String
  /// The command, or the setting, that mends it.
  package var mend: String?

  package init(_ check: String, _ grade: Grade, _ detail: String, mend: String? = nil) {
    self.check = check
    self.grade = grade
    self.detail = detail
    self.mend = mend
  }
}
