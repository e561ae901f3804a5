import ParvaFormats
import ParvaHTTP

/// Bearer tokens (RFC 6750) with the scope and the name of their holders; of the tokens only digests are kept.
package struct AccessTokens: Sendable {
  package struct Holder: Sendable, Hashable {
    package var name: String
    package var scope: AccessScope
  }

  /// Fewest characters of a token: 24 random ones of base64 are 144 bits.
  package static let leastCharacters = 24

  private let entries: [(digest: SecretDigest, holder: Holder)]

  package var isEmpty: Bool { entries.isEmpty }
  package var count: Int { entries.count }

  /// Reads lines `SCOPE NAME TOKEN`, where NAME is the node's for scope `node`; the token may be given as `sha256:` and 64
  /// hexadecimal digits instead. Empty lines and those that begin with `#` are passed over.
  ///
  /// - Throws: a sentence that names the line, and never what stands in it.
  package init(_ text: String) throws(TokenFileError) {
    var entries: [(digest: SecretDigest, holder: Holder)] = []
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.isEmpty || words[0].hasPrefix("#") { continue }
      guard words.count == 3 else { throw TokenFileError(index + 1, "must be SCOPE NAME TOKEN") }
      guard let scope = AccessScope(rawValue: String(words[0])) else {
        throw TokenFileError(index + 1, "must begin with read, write or node")
      }
      if scope == .node {
        guard NodeSpecReader.isName(String(words[1])) else {
          throw TokenFileError(index + 1, "has a name that no node can have")
        }
      } else if words[1].count > 64
        || !words[1].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) })
      {
        throw TokenFileError(index + 1, "has a name that is not 1 to 64 letters, digits, '-', '_' and '.'")
      }
      entries.append((try Self.digest(words[2], line: index + 1), Holder(name: String(words[1]), scope: scope)))
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

  /// Whose token this is. Compares with every entry, each in the same time whatever it finds.
  package func holder(of token: String) -> Holder? {
    guard let given = SecretDigest(of: token) else { return nil }
    var found: Holder?
    for (digest, holder) in entries where digest.matches(given) { found = holder }
    return found
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
