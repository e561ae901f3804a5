import ParvaControl
import ParvaFormats
package import ParvaHTTP

/// Bearer tokens (RFC 6750) of a file, with those who hold them; of the tokens only digests are kept.
package struct AccessTokens: Sendable {
  /// Fewest characters of a token: 24 random ones of base64 are 144 bits.
  package static let leastCharacters = 24

  private var entries: [(digest: SecretDigest, caller: Caller)]

  package var isEmpty: Bool { entries.isEmpty }
  package var count: Int { entries.count }

  /// The roles as lines begin, `read` and `write` as they were called before there were roles.
  private static let words: [String: AccessRole] = [
    "read": .reader, "reader": .reader, "write": .operator, "operator": .operator, "admin": .admin, "node": .node,
  ]

  /// Reads lines `ROLE NAME TOKEN`, with the one namespace that a reader or operator is for as a fourth word; NAME is the
  /// node's for the role `node`; the token may be given as `sha256:` and
  /// 64 hexadecimal digits instead. Empty lines and those that begin with `#` are passed over.
  ///
  /// - Throws: a sentence that names the line, and never what stands in it.
  package init(_ text: String) throws(TokenFileError) {
    var entries: [(digest: SecretDigest, caller: Caller)] = []
    for (line, words) in AccessFile.lines(of: text) {
      guard (3...4).contains(words.count) else {
        throw TokenFileError(line, "must be ROLE NAME TOKEN, or ROLE NAME TOKEN NAMESPACE")
      }
      guard let role = Self.words[String(words[0])] else {
        throw TokenFileError(line, "must begin with reader, operator, admin or node")
      }
      let name = String(words[1])
      if role == .node {
        guard NodeSpecReader.isName(name) else {
          throw TokenFileError(line, "has a name that no node can have")
        }
      } else if !TokenSpecReader.isName(name) {
        throw TokenFileError(line, "has a name that is not \(TokenSpecReader.nameRule)")
      }
      entries.append(
        (
          try Self.digest(words[2], line: line),
          Caller(
            name: name, id: "file:\(name)", role: role.rawValue, node: role == .node ? name : nil,
            namespace: try AccessFile.namespace(words.dropFirst(3).first, role, line: line))
        ))
    }
    guard !entries.isEmpty else { throw TokenFileError(nil, "holds no token") }
    self.entries = entries
  }

  private static func digest(_ word: Substring, line: Int) throws(TokenFileError) -> SecretDigest {
    if word.hasPrefix("sha256:") {
      guard let digest = SecretDigest(hexadecimal: word.dropFirst(7)) else {
        throw TokenFileError(line, "must have 64 hexadecimal digits after sha256:")
      }
      return digest
    }
    guard word.utf8.count >= leastCharacters, word.utf8.allSatisfy(isTokenByte),
      let digest = SecretDigest(of: String(word))
    else {
      throw TokenFileError(line, "has a token that is not at least \(leastCharacters) letters, digits and -._~+/=")
    }
    return digest
  }

  /// RFC 6750, section 2.1.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: "-._~+/=".utf8.contains(byte)
    }
  }

  /// With the callers of the file before where their lines are still there, so that what they opened stays open; and the
  /// callers whose lines are gone.
  func taking(over older: AccessTokens?) -> (tokens: AccessTokens, gone: [Caller]) {
    var tokens = self
    var gone = older?.entries ?? []
    for index in tokens.entries.indices {
      let (digest, caller) = tokens.entries[index]
      guard
        let place = gone.firstIndex(where: {
          $0.digest.matches(digest) && ($0.caller.name, $0.caller.role) == (caller.name, caller.role)
            && $0.caller.namespace == caller.namespace
        })
      else { continue }
      tokens.entries[index].caller = gone.remove(at: place).caller
    }
    return (tokens, gone.map(\.caller))
  }

  /// Whose token this is. Compares with every entry, each in the same time whatever it finds.
  package func caller(of token: String) -> Caller? {
    guard let given = SecretDigest(of: token) else { return nil }
    var found: Caller?
    for (digest, caller) in entries where digest.matches(given) { found = caller }
    return found
  }
}

/// Files of lines that say who may come in.
enum AccessFile {
  /// The namespace that a line's last word names; nil where there is none.
  static func namespace(
    _ word: Substring?, _ role: AccessRole, line: Int
  ) throws(TokenFileError) -> String? {
    guard let word else { return nil }
    guard TokenSpecReader.boundRoles.contains(role.rawValue) else {
      throw TokenFileError(line, "has a word too many: only readers and operators are for one namespace")
    }
    guard Namespace.isName(String(word)) else {
      throw TokenFileError(line, "has a namespace that is not \(Namespace.nameRule)")
    }
    return String(word)
  }

  /// The words of each line, with its number from 1; empty lines and those that begin with `#` are passed over.
  static func lines(of text: String) -> [(line: Int, words: [Substring])] {
    text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().compactMap { index, line in
      let words = line.split(whereSeparator: \.isWhitespace)
      return words.isEmpty || words[0].hasPrefix("#") ? nil : (index + 1, words)
    }
  }
}

/// Why a token file is refused; names the line, never the token.
package struct TokenFileError: Error, Sendable, CustomStringConvertible {
  package var line: Int?
  package var rule: String

  init(_ line: Int?, _ rule: String) {
    self.line = line
    self.rule = rule
  }

  package var description: String { line.map { "line \($0) \(rule)" } ?? rule }
}
