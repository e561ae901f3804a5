import Foundation

/// Writes a document once described as JSON or as YAML, in the order of the calls, straight into bytes.
///
/// Plans have hundreds of thousands of segments; building a tree first would cost ten times their text.
package struct DocumentWriter {
  package enum Style {
    case json, yaml
  }

  private struct Level {
    var isArray: Bool
    /// Everything on one line.
    var inline: Bool
    var isEmpty = true
    var indent: Int
  }

  package private(set) var bytes: [UInt8] = []
  private let style: Style
  private var levels: [Level] = []
  /// YAML: whether the next key stands on the line of its dash.
  private var afterDash = false

  package init(_ style: Style, capacity: Int = 1024) {
    self.style = style
    bytes.reserveCapacity(capacity)
  }

  // MARK: - Structure

  /// An object as the document itself, as an array's element, or under `key`.
  package mutating func object(_ key: StaticString? = nil, inline: Bool = false, _ body: (inout DocumentWriter) -> Void)
  {
    container(key, isArray: false, inline: inline, body)
  }

  package mutating func array(_ key: StaticString? = nil, inline: Bool = false, _ body: (inout DocumentWriter) -> Void)
  {
    container(key, isArray: true, inline: inline, body)
  }

  /// Ends the document with a line feed.
  package mutating func finish() {
    if bytes.last != 0x0a { bytes.append(0x0a) }
  }

  private mutating func container(
    _ key: StaticString?, isArray: Bool, inline: Bool, _ body: (inout DocumentWriter) -> Void
  ) {
    let isElement = key == nil && levels.last?.isArray == true
    if let key { begin(key) } else if isElement { beginElement() }
    let outer = levels.last
    // YAML has no dash and no key before the document itself.
    let inline = inline || outer?.inline == true
    let indent = outer.map { $0.indent + 2 } ?? 0
    let block = style == .yaml && !inline
    if !block {
      afterDash = false
      if key != nil && style == .yaml { bytes.append(0x20) }
      bytes.append(isArray ? 0x5b : 0x7b)
    }
    if block && isElement && isArray { afterDash = false }
    levels.append(Level(isArray: isArray, inline: inline, indent: style == .json ? (outer?.indent ?? 0) + 2 : indent))
    body(&self)
    let closed = levels.removeLast()
    if block {
      if closed.isEmpty {
        if key != nil { bytes.append(0x20) }
        bytes.append(contentsOf: isArray ? [0x5b, 0x5d] : [0x7b, 0x7d])
        afterDash = false
      }
    } else {
      if !closed.isEmpty {
        if inline { if !isArray { bytes.append(0x20) } } else { newLine(closed.indent - 2) }
      }
      bytes.append(isArray ? 0x5d : 0x7d)
    }
  }

  /// What stands before a member: comma, line feed, indentation.
  private mutating func separate() {
    guard let level = levels.last else { return }
    levels[levels.count - 1].isEmpty = false
    if style == .json || level.inline {
      if !level.isEmpty { bytes.append(0x2c) }
      if level.inline {
        if !(level.isEmpty && level.isArray) { bytes.append(0x20) }
      } else {
        newLine(level.indent)
      }
    } else if afterDash {
      afterDash = false
    } else if !(level.isEmpty && levels.count == 1) {
      newLine(level.indent)
    }
  }

  private mutating func begin(_ key: StaticString) {
    separate()
    if style == .json { bytes.append(0x22) }
    key.withUTF8Buffer { bytes.append(contentsOf: $0) }
    if style == .json { bytes.append(contentsOf: [0x22, 0x3a, 0x20]) } else { bytes.append(0x3a) }
  }

  private mutating func beginElement() {
    separate()
    if style == .yaml && levels.last?.inline == false {
      bytes.append(contentsOf: [0x2d, 0x20])
      afterDash = true
    }
  }

  private mutating func newLine(_ indent: Int) {
    bytes.append(0x0a)
    for _ in 0..<indent { bytes.append(0x20) }
  }
}

// MARK: - Values

extension DocumentWriter {
  package mutating func field(_ key: StaticString, _ value: String) {
    beginScalar(key)
    append(value)
  }

  package mutating func field(_ key: StaticString, _ value: String?) {
    if let value { field(key, value) } else { null(key) }
  }

  package mutating func field(_ key: StaticString, _ value: Int) {
    beginScalar(key)
    bytes.append(contentsOf: String(value).utf8)
  }

  package mutating func field(_ key: StaticString, _ value: Int?) {
    if let value { field(key, value) } else { null(key) }
  }

  package mutating func field(_ key: StaticString, _ value: Bool) {
    beginScalar(key)
    bytes.append(contentsOf: (value ? "true" : "false").utf8)
  }

  /// The shortest text that reads back as the same number; numbers that JSON has not become null.
  package mutating func field(_ key: StaticString, _ value: Double) {
    guard value.isFinite else { return null(key) }
    beginScalar(key)
    bytes.append(contentsOf: value.description.utf8)
  }

  package mutating func field(_ key: StaticString, _ value: Double?) {
    if let value { field(key, value) } else { null(key) }
  }

  package mutating func null(_ key: StaticString) {
    beginScalar(key)
    bytes.append(contentsOf: "null".utf8)
  }

  /// Elements of an array as a writer of this style has written them at this place of another document, with what stands before
  /// each of them.
  mutating func elements(written: Data) {
    levels[levels.count - 1].isEmpty = false
    bytes.append(contentsOf: written)
  }

  package mutating func element(_ value: String) {
    beginElement()
    afterDash = false
    append(value)
  }

  package mutating func element(_ value: Int) {
    beginElement()
    afterDash = false
    bytes.append(contentsOf: String(value).utf8)
  }

  /// The shortest text that reads back as the same number; numbers that JSON has not become null.
  package mutating func element(_ value: Double) {
    beginElement()
    afterDash = false
    bytes.append(contentsOf: (value.isFinite ? value.description : "null").utf8)
  }

  /// One member of a map whose keys are data.
  package mutating func entry(_ key: String, _ value: String) {
    separate()
    append(key)
    bytes.append(contentsOf: [0x3a, 0x20])
    append(value)
  }

  /// The same with a number, or null.
  package mutating func entry(_ key: String, _ value: Double?) {
    separate()
    append(key)
    bytes.append(contentsOf: ": ".utf8)
    bytes.append(contentsOf: (value.flatMap { $0.isFinite ? $0.description : nil } ?? "null").utf8)
  }

  private mutating func beginScalar(_ key: StaticString) {
    begin(key)
    if style == .yaml { bytes.append(0x20) }
  }

  private mutating func append(_ text: String) {
    if style == .yaml && Self.isPlainYAML(text) {
      bytes.append(contentsOf: text.utf8)
    } else {
      appendQuoted(text)
    }
  }

  /// Text that YAML reads as text without quotes: it begins with a letter, holds nothing that means something, and is
  /// none of the words of YAML 1.1.
  private static func isPlainYAML(_ text: String) -> Bool {
    let bytes = text.utf8
    guard let first = bytes.first, isLetter(first), bytes.count <= 253 else { return false }
    guard bytes.allSatisfy({ isLetter($0) || (0x2d...0x39).contains($0) || $0 == 0x5f }) else { return false }
    if text.contains("/") { return true }
    return !["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"].contains(text.lowercased())
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }

  /// A JSON string (RFC 8259, section 7), which is a YAML double-quoted scalar as well.
  private mutating func appendQuoted(_ text: String) {
    bytes.append(0x22)
    for byte in text.utf8 {
      switch byte {
      case 0x22, 0x5c: bytes.append(contentsOf: [0x5c, byte])
      case 0x0a: bytes.append(contentsOf: [0x5c, 0x6e])
      case 0x00..<0x20, 0x7f:
        bytes.append(contentsOf: "\\u00".utf8)
        for nibble in [byte >> 4, byte & 15] { bytes.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble) }
      default: bytes.append(byte)
      }
    }
    bytes.append(0x22)
  }
}
