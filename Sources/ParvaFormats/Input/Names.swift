/// Grammar of the names that users choose.
enum Names {
  /// What ``isIdentifier`` allows, for messages.
  static let identifierRule =
    "1 to 253 characters in parts joined by dots, each part 1 to 63 of a-z 0-9 - _ with a letter or digit at both ends"

  /// DNS labels joined by dots (RFC 1123, section 2.1), lower case, that may hold `_` too, as names of models do.
  /// O(length).
  static func isIdentifier(_ text: String) -> Bool { isLabels(text, inside: [0x2d, 0x5f]) }

  /// - Parameter marks: what may stand inside a label beside letters and digits.
  private static func isLabels(_ text: String, inside marks: [UInt8]) -> Bool {
    let bytes = text.utf8
    guard (1...253).contains(bytes.count) else { return false }
    var partLength = 0
    var last: UInt8 = 0x2e
    for byte in bytes {
      if byte == 0x2e {
        guard partLength > 0, isLowerAlphanumeric(last) else { return false }
        partLength = 0
      } else {
        guard isLowerAlphanumeric(byte) || (partLength > 0 && marks.contains(byte)) else { return false }
        partLength += 1
        guard partLength <= 63 else { return false }
      }
      last = byte
    }
    return partLength > 0 && isLowerAlphanumeric(last)
  }

  /// What ``isPool`` allows, for messages.
  static let poolRule =
    "1 to 253 of A-Z a-z 0-9 . _ -, beginning and ending with a letter or digit, with a zone of the same kind after one @ "
    + "where it has one"

  /// The pools of registered nodes are called PRODUCT or PRODUCT@ZONE, so a pool may hold an at sign and capitals.
  static func isPool(_ text: String) -> Bool {
    let parts = text.utf8.split(separator: 0x40, omittingEmptySubsequences: false)
    guard (1...253).contains(text.utf8.count), parts.count <= 2 else { return false }
    return parts.allSatisfy { part in
      guard let first = part.first, let last = part.last, isAlphanumeric(first), isAlphanumeric(last) else {
        return false
      }
      return part.allSatisfy { isAlphanumeric($0) || [0x2e, 0x5f, 0x2d].contains($0) }
    }
  }

  /// What ``isModel`` allows, for messages.
  static let modelRule = "1 to 253 of A-Z a-z 0-9 . _ - / : @, beginning with a letter or digit"

  /// Models carry the names of their makers' hubs, so they may hold a slash and capitals.
  static func isModel(_ text: String) -> Bool {
    let bytes = text.utf8
    guard (1...253).contains(bytes.count), let first = bytes.first, isAlphanumeric(first) else { return false }
    return bytes.allSatisfy { isAlphanumeric($0) || [0x2e, 0x5f, 0x2d, 0x2f, 0x3a, 0x40].contains($0) }
  }

  /// What ``isLabelKey`` and ``isLabelValue`` allow, for messages.
  static let labelRule =
    "a key is up to 63 (after an optional DNS prefix and slash), a value up to 63 (or empty), "
    + "of A-Z a-z 0-9 - _ . with a letter or digit at both ends"

  /// The syntax that Kubernetes gives label keys.
  static func isLabelKey(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let name = parts.last, parts.count <= 2 else { return false }
    return isLabelText(name) && (parts.count == 1 || isLabels(String(parts[0]), inside: [0x2d]))
  }

  /// The syntax that Kubernetes gives label values.
  static func isLabelValue(_ text: String) -> Bool { text.isEmpty || isLabelText(text[...]) }

  private static func isLabelText(_ text: Substring) -> Bool {
    let bytes = text.utf8
    guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
    return isAlphanumeric(first) && isAlphanumeric(last)
      && bytes.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f || $0 == 0x2e }
  }

  private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
    (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    isLowerAlphanumeric(byte) || (0x41...0x5a).contains(byte)
  }
}
