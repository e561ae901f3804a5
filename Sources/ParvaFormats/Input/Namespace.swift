/// Names of namespaces, and how they stand in the ids of workloads: `NAMESPACE:ID`, and the bare id in ``standard``.
///
/// No bare id holds a colon, so every id is of one namespace, and those of one stand together in any sorted list.
package enum Namespace {
  /// That of all bare ids. It is always there.
  package static let standard = "default"

  /// What ``isName(_:)`` allows, for messages.
  package static let nameRule = "1 to 63 of a-z 0-9 - _ with a letter or digit at both ends"

  /// O(length).
  package static func isName(_ text: String) -> Bool { Names.isIdentifier(text) && !text.utf8.contains(0x2e) }

  /// The namespace of a workload's id, or of a segment's. O(length).
  package static func of(_ id: String) -> String {
    id.utf8.firstIndex(of: colon).map { String(id[..<$0]) } ?? standard
  }

  /// Whether the id is of another namespace than ``standard``. O(length).
  package static func isQualified(_ id: String) -> Bool { id.utf8.contains(colon) }

  /// The id without its namespace. O(length).
  package static func bare(_ id: String) -> String {
    id.utf8.firstIndex(of: colon).map { String(id[id.utf8.index(after: $0)...]) } ?? id
  }

  /// A bare id as it is known everywhere.
  package static func qualified(_ id: String, in name: String) -> String { name == standard ? id : prefix(name) + id }

  /// What every id of a namespace begins with, other than ``standard``.
  package static func prefix(_ name: String) -> String { name + ":" }

  private static let colon = UInt8(ascii: ":")
}

extension Names {
  /// What ``isWorkload(_:)`` allows, for messages.
  static let workloadRule = "\(identifierRule), after the name of a namespace and a colon where it is in one"

  /// Whether a text can be the id of a workload, in whatever namespace. O(length).
  static func isWorkload(_ text: String) -> Bool {
    guard Namespace.isQualified(text) else { return isIdentifier(text) }
    let name = Namespace.of(text)
    return Namespace.isName(name) && name != Namespace.standard && isIdentifier(Namespace.bare(text))
  }
}
