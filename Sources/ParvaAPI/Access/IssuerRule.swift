import ParvaControl
import ParvaFormats

/// What a claim of an issuer's token is good for: a line `ROLE CLAIM=VALUE`, or `ROLE@NAMESPACE CLAIM=VALUE`.
package struct IssuerRule: Hashable, Sendable {
  var role: AccessRole
  /// All that the role is for; `*` for what stands for the one in the value; nil: everything.
  private var namespace: String?
  /// From the token's root to the claim.
  private var path: [String]
  /// What stands before and after the `*`; without one, `suffix` is nil and `prefix` the whole.
  private var prefix: String
  private var suffix: String?

  /// Reads `ROLE CLAIM=VALUE`. CLAIM is a name, names with dots between them for what is nested, or a JSON pointer, which
  /// begins with `/`. VALUE may hold one `*`, which with the role `node` stands for the node's name, and with the namespace `*`
  /// for the namespace's.
  ///
  /// - Throws: a sentence without its beginning.
  package init(_ text: String) throws(IssuerSettingError) {
    let words = text.split(separator: " ", maxSplits: 1).map(String.init)
    let granted = (words.first ?? "").split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(
      String.init)
    guard let role = granted.first.flatMap(AccessRole.init(rawValue:)) else {
      throw IssuerSettingError("must begin with reader, operator, admin or node")
    }
    if granted.count == 2 {
      guard [.reader, .operator].contains(role) else {
        throw IssuerSettingError("has a namespace, which goes with reader and operator alone")
      }
      guard granted[1] == "*" || Namespace.isName(granted[1]) else {
        throw IssuerSettingError("has a namespace that is none: it is * or \(Namespace.nameRule)")
      }
      namespace = granted[1]
    }
    let parts = (words.count > 1 ? words[1] : "").split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[1].isEmpty, let path = Self.path(String(parts[0])) else {
      throw IssuerSettingError("must be ROLE CLAIM=VALUE")
    }
    let pieces = parts[1].split(separator: "*", omittingEmptySubsequences: false).map(String.init)
    guard pieces.count <= 2 else { throw IssuerSettingError("has more than one *") }
    guard role != .node || pieces.count == 2 else {
      throw IssuerSettingError("must have a * where the node's name stands")
    }
    guard namespace != "*" || pieces.count == 2 else {
      throw IssuerSettingError("must have a * where the namespace's name stands")
    }
    self.role = role
    self.path = path
    prefix = pieces[0]
    suffix = pieces.count == 2 ? pieces[1] : nil
  }

  /// Nil for what names no claim.
  static func path(_ text: String) -> [String]? {
    let steps =
      text.hasPrefix("/")
      ? text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
        String($0).replacing("~1", with: "/").replacing("~0", with: "~")
      } : text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    return steps.isEmpty || steps.contains("") || steps.count > 8 ? nil : steps
  }

  /// The texts of a claim: a text, each text of a list, and of the claims `scope` and `scp` each word (RFC 8693, section 4.2).
  static func texts(_ claims: JSONValue, at path: [String]) -> [String] {
    switch path.reduce(claims, { $0[$1] }) {
    case .string(let text):
      ["scope", "scp"].contains(path.last) ? text.split(separator: " ").map(String.init) : [text]
    case .list(let elements): elements.compactMap(\.text)
    default: []
    }
  }

  /// What a token is good for.
  struct Grant: Hashable, Sendable {
    var role: AccessRole
    var node: String?
    var namespace: String?

    /// Everything is more than a namespace, whatever the role there.
    var level: (Int, Int) { (namespace == nil ? 1 : 0, role.level) }
  }

  /// Whether it fits, and for which node or namespace. A name with more in it than theirs passes for none.
  func grant(_ claims: JSONValue) -> Grant? {
    for text in Self.texts(claims, at: path) {
      guard let matched = match(text) else { continue }
      if role == .node {
        if NodeSpecReader.isName(matched) { return Grant(role: role, node: matched) }
      } else if namespace == "*" {
        if Namespace.isName(matched) { return Grant(role: role, namespace: matched) }
      } else {
        return Grant(role: role, namespace: namespace)
      }
    }
    return nil
  }

  private func match(_ text: String) -> String? {
    guard let suffix else { return text == prefix ? text : nil }
    guard text.utf8.count > prefix.utf8.count + suffix.utf8.count, text.hasPrefix(prefix), text.hasSuffix(suffix) else {
      return nil
    }
    return String(text.dropFirst(prefix.count).dropLast(suffix.count))
  }
}

/// Why a setting of an issuer is refused: a sentence without its subject.
package struct IssuerSettingError: Error, Sendable, CustomStringConvertible {
  package var description: String

  init(_ description: String) { self.description = description }
}
