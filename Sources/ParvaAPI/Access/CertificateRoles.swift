import ParvaControl
import ParvaFormats
package import ParvaHTTP

/// What holders of client certificates may do, by the names that their authority has put into them.
package struct CertificateRoles: Sendable {
  /// What a line compares.
  private enum Name: String {
    /// The common name of the subject, where it has one alone.
    case commonName = "CN"
    /// A URI among the alternative names, as SPIFFE has it.
    case uri = "URI"
  }

  private struct Row: Sendable {
    var role: AccessRole
    var name: Name
    /// What stands before and after the `*`; without one, `suffix` is nil and `prefix` the whole.
    var prefix: String
    var suffix: String?
    /// The node of a row without a `*`.
    var node: String?
    var namespace: String?

    /// What the `*` stands for, all of it where there is none; nil where the text is another.
    func match(_ text: String) -> String? {
      guard let suffix else { return text == prefix ? text : nil }
      guard text.utf8.count > prefix.utf8.count + suffix.utf8.count, text.hasPrefix(prefix), text.hasSuffix(suffix)
      else { return nil }
      return String(text.dropFirst(prefix.count).dropLast(suffix.count))
    }
  }

  private let rows: [Row]

  /// Reads lines `ROLE CN=NAME` or `ROLE URI=NAME`, where NAME may hold one `*`. With the role `node` the node is what the `*`
  /// stands for, or a third word, or NAME itself. With the roles `reader` and `operator` a third word is the one namespace that
  /// it is for. Empty lines and those that begin with `#` are passed over.
  ///
  /// - Throws: a sentence that names the line.
  package init(_ text: String) throws(TokenFileError) {
    var rows: [Row] = []
    for (line, words) in AccessFile.lines(of: text) {
      guard let role = AccessRole(rawValue: String(words[0])) else {
        throw TokenFileError(line, "must begin with reader, operator, admin or node")
      }
      let parts = (words.count > 1 ? words[1] : "").split(
        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let name = Name(rawValue: String(parts[0])), !parts[1].isEmpty else {
        throw TokenFileError(line, "must be ROLE CN=NAME or ROLE URI=NAME")
      }
      let pieces = parts[1].split(separator: "*", omittingEmptySubsequences: false).map(String.init)
      guard pieces.count <= 2 else { throw TokenFileError(line, "has more than one *") }
      var row = Row(role: role, name: name, prefix: pieces[0], suffix: pieces.count == 2 ? pieces[1] : nil)
      switch (role, row.suffix, words.count) {
      case (.node, nil, 2): row.node = pieces[0]
      case (.node, nil, 3): row.node = String(words[2])
      case (_, _, 2): break
      case (_, _, 3): row.namespace = try AccessFile.namespace(words[2], role, line: line)
      default: throw TokenFileError(line, "has a word too many")
      }
      if let node = row.node, !NodeSpecReader.isName(node) {
        throw TokenFileError(line, "has a name that no node can have")
      }
      rows.append(row)
    }
    guard !rows.isEmpty else { throw TokenFileError(nil, "maps no certificate") }
    self.rows = rows
  }

  /// Who this is by the first line that fits; nil where none does.
  package func caller(subject: String, uris: [String]) -> Caller? {
    let common = Self.commonName(of: subject).map { [$0] } ?? []
    for row in rows {
      for text in row.name == .uri ? uris : common {
        guard let matched = row.match(text) else { continue }
        let node = row.role == .node ? row.node ?? matched : nil
        // A name with more in it than a node's must not pass for one.
        if let node, !NodeSpecReader.isName(node) { continue }
        return Caller(
          name: text, id: "certificate:\(text)", role: row.role.rawValue, node: node, namespace: row.namespace)
      }
    }
    return nil
  }

  /// The common name of a subject as RFC 2253 writes it; nil where there is none, or more than one.
  ///
  /// Separators inside a value are escaped there, so that nobody gets a name of another kind into a certificate's subject.
  static func commonName(of subject: String) -> String? {
    var names: [String] = []
    var current: [UInt8] = []
    var isEscaped = false
    func finish() {
      let text = String(decoding: current, as: UTF8.self)
      if text.hasPrefix("CN=") { names.append(String(text.dropFirst(3))) }
      current = []
    }
    for byte in subject.utf8 {
      if isEscaped {
        // Hexadecimal escapes stay as they are: no line of the file has them.
        if !",+\"\\<>;=# ".utf8.contains(byte) { current.append(UInt8(ascii: "\\")) }
        current.append(byte)
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "+") {
        finish()
      } else {
        current.append(byte)
      }
    }
    finish()
    return names.count == 1 ? names[0] : nil
  }
}
