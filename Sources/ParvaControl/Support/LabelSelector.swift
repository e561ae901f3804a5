package import ParvaHTTP

/// A filter on labels in the syntax that Kubernetes gives it: `team=vision,tier!=gold,zone in (a, b),!canary,owner`.
package struct LabelSelector: Hashable, Sendable {
  package enum Requirement: Hashable, Sendable {
    case isIn(key: String, values: Set<String>)
    /// True where the key is absent, too.
    case isNotIn(key: String, values: Set<String>)
    case exists(key: String)
    case isAbsent(key: String)
  }

  package let requirements: [Requirement]

  /// - Throws: 400 `invalid_parameter` naming the part that is not understood.
  package init(_ text: String) throws(ProblemDetails) {
    var found: [Requirement] = []
    for part in Self.parts(of: text) {
      guard let requirement = Self.requirement(part) else {
        throw .parameter(
          "labelSelector",
          "has a part that is not understood: '\(part)'; write key=value, key!=value, key in (a, b), key notin (a, b), "
            + "key or !key")
      }
      found.append(requirement)
    }
    requirements = found
  }

  package func matches(_ labels: [String: String]) -> Bool {
    requirements.allSatisfy { requirement in
      switch requirement {
      case .isIn(let key, let values): labels[key].map(values.contains) ?? false
      case .isNotIn(let key, let values): labels[key].map { !values.contains($0) } ?? true
      case .exists(let key): labels[key] != nil
      case .isAbsent(let key): labels[key] == nil
      }
    }
  }

  /// The text cut at the commas that stand outside parentheses.
  private static func parts(of text: String) -> [String] {
    var parts: [String] = [""]
    var depth = 0
    for character in text {
      if character == "(" { depth += 1 }
      if character == ")" { depth -= 1 }
      if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
    }
    return parts
  }

  private static func requirement(_ part: String) -> Requirement? {
    let text = part.trimmingPrefix(while: \.isWhitespace)
    if text.hasPrefix("!") { return key(text.dropFirst()).map { .isAbsent(key: $0) } }
    for (sign, isNegative) in [("!=", true), ("==", false), ("=", false)] {
      guard let range = text.firstRange(of: sign) else { continue }
      guard let key = key(text[..<range.lowerBound]), let value = value(text[range.upperBound...]) else { return nil }
      return isNegative ? .isNotIn(key: key, values: [value]) : .isIn(key: key, values: [value])
    }
    guard let open = text.firstIndex(of: "(") else { return key(text[...]).map { .exists(key: $0) } }
    let words = text[..<open].split(whereSeparator: \.isWhitespace)
    let list = text[text.index(after: open)...].drop(while: \.isWhitespace)
    guard words.count == 2, words[1] == "in" || words[1] == "notin", let key = key(words[0]),
      let close = list.firstIndex(of: ")"), list[list.index(after: close)...].allSatisfy(\.isWhitespace)
    else { return nil }
    let values = list[..<close].split(separator: ",", omittingEmptySubsequences: false).map { value($0) }
    guard !values.contains(nil) else { return nil }
    let set = Set(values.compactMap(\.self))
    return words[1] == "in" ? .isIn(key: key, values: set) : .isNotIn(key: key, values: set)
  }

  private static func key(_ text: Substring) -> String? {
    let key = trimmed(text)
    return key.isEmpty || !key.allSatisfy(isLabelCharacter) ? nil : key
  }

  private static func value(_ text: Substring) -> String? {
    let value = trimmed(text)
    return value.allSatisfy(isLabelCharacter) ? value : nil
  }

  private static func trimmed(_ text: Substring) -> String {
    String(text.split(whereSeparator: \.isWhitespace).joined(separator: " "))
  }

  private static func isLabelCharacter(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || "-_./".contains(character))
  }
}
