import ParvaWire

/// Reads why a plan is to stay.
package enum PlanPinReader {
  static let bytes = 4 << 10
  /// Most bytes of a reason.
  package static let mostReason = 500

  /// - Throws: `invalid_syntax`, `unknown_key`, `wrong_type`, `out_of_range`.
  package static func reason(in source: InputSource) throws(InputErrors) -> String {
    let document = try InputDocument(source, limit: bytes)
    let reason = try document.decode(PlanPinSpec.self).reason ?? ""
    guard reason.utf8.count <= mostReason, isOneLine(reason) else {
      throw InputErrors(
        document.error(
          .outOfRange, "reason must be one line of at most \(mostReason) bytes", at: ["reason"], value: reason))
    }
    return reason
  }

  /// Whether it can stand in a log as it is.
  static func isOneLine(_ text: String) -> Bool {
    !text.unicodeScalars.contains {
      [.control, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
    }
  }
}
