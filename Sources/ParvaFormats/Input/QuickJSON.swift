import Foundation

/// Steps through JSON text in one pass and gives up on everything unusual, which a general reader then judges: so it
/// knows no errors.
struct QuickJSON {
  /// Nothing was accepted.
  struct Unusual: Error {}

  private let bytes: UnsafeRawBufferPointer
  private var at = 0
  /// Whether a comma stands before the next key that ``take(key:)`` looks for.
  private var expectsComma = false

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// What `read` makes of the whole text; nil where it gives up or something follows. O(bytes).
  static func read<Value>(_ data: Data, _ read: (inout QuickJSON) throws(Unusual) -> Value) -> Value? {
    data.withUnsafeBytes { bytes in
      var json = QuickJSON(bytes)
      do throws(Unusual) {
        let value = try read(&json)
        json.skipSpace()
        return json.at == bytes.count ? value : nil
      } catch {
        return nil
      }
    }
  }

  // MARK: - Syntax, RFC 8259

  mutating func object(
    _ member: (inout QuickJSON, String) throws(Unusual) -> Void
  ) throws(Unusual) {
    try expect(UInt8(ascii: "{"))
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
      at += 1
      return
    }
    while true {
      let key = try string()
      try expect(UInt8(ascii: ":"))
      try member(&self, key)
      skipSpace()
      guard at < bytes.count else { throw Unusual() }
      at += 1
      if bytes[at - 1] == UInt8(ascii: "}") { return }
      guard bytes[at - 1] == UInt8(ascii: ",") else { throw Unusual() }
    }
  }

  /// Whether an array begins here.
  var isArray: Bool {
    mutating get {
      skipSpace()
      return at < bytes.count && bytes[at] == UInt8(ascii: "[")
    }
  }

  mutating func array(_ element: (inout QuickJSON) throws(Unusual) -> Void) throws(Unusual) {
    try expect(UInt8(ascii: "["))
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
      at += 1
      return
    }
    while true {
      try element(&self)
      skipSpace()
      guard at < bytes.count else { throw Unusual() }
      at += 1
      if bytes[at - 1] == UInt8(ascii: "]") { return }
      guard bytes[at - 1] == UInt8(ascii: ",") else { throw Unusual() }
    }
  }

  /// Steps through a list that stands bare, or alone in an object under one key; whether it stood bare.
  mutating func list(
    under name: String, _ element: (inout QuickJSON) throws(Unusual) -> Void
  ) throws(Unusual) -> Bool {
    if isArray {
      try array(element)
      return true
    }
    var isFilled: Bool?
    try object { json, key throws(Unusual) in
      guard key == name else { throw Unusual() }
      try Self.fill(&isFilled, with: true)
      try json.array(element)
    }
    guard isFilled == true else { throw Unusual() }
    return false
  }

  /// Steps into an object, before its first member.
  mutating func begin() throws(Unusual) {
    try expect(UInt8(ascii: "{"))
    expectsComma = false
  }

  /// Steps out of an object, behind its last member.
  mutating func end() throws(Unusual) {
    try expect(UInt8(ascii: "}"))
    expectsComma = true
  }

  /// Steps over this key, which is to be the next, and the comma before it.
  mutating func key(_ key: StaticString) throws(Unusual) {
    guard take(key: key) else { throw Unusual() }
  }

  /// The same for a key from a table.
  mutating func key(named name: String) throws(Unusual) {
    var name = name
    guard name.withUTF8({ take(key: $0) }) else { throw Unusual() }
  }

  /// Whether this key is the next; steps over it and the comma before it if so.
  mutating func take(key: StaticString) -> Bool {
    take(key: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
  }

  private mutating func take(key: UnsafeBufferPointer<UInt8>) -> Bool {
    let start = at
    skipSpace()
    if expectsComma {
      guard at < bytes.count, bytes[at] == UInt8(ascii: ",") else {
        at = start
        return false
      }
      at += 1
      skipSpace()
    }
    let length = key.count
    guard let name = key.baseAddress, at + length + 2 < bytes.count, bytes[at] == UInt8(ascii: "\""),
      memcmp(bytes.baseAddress! + at + 1, name, length) == 0, bytes[at + 1 + length] == UInt8(ascii: "\"")
    else {
      at = start
      return false
    }
    at += length + 2
    skipSpace()
    guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else {
      at = start
      return false
    }
    at += 1
    expectsComma = true
    return true
  }

  /// Steps over one value, whatever it is; keys that stand twice in it are let be.
  mutating func skip(levels: Int = 16) throws(Unusual) {
    guard levels > 0 else { throw Unusual() }
    skipSpace()
    guard at < bytes.count else { throw Unusual() }
    switch bytes[at] {
    case UInt8(ascii: "{"):
      try object { json, _ throws(Unusual) in try json.skip(levels: levels - 1) }
    case UInt8(ascii: "["):
      try array { json throws(Unusual) in try json.skip(levels: levels - 1) }
    case UInt8(ascii: "\""): try skipString()
    case UInt8(ascii: "t"): try skip(word: "true")
    case UInt8(ascii: "f"): try skip(word: "false")
    case UInt8(ascii: "n"): try skip(word: "null")
    default: _ = try number()
    }
  }

  mutating func skip(word: StaticString) throws(Unusual) {
    skipSpace()
    let end = at + word.utf8CodeUnitCount
    guard end <= bytes.count, memcmp(bytes.baseAddress! + at, word.utf8Start, end - at) == 0 else { throw Unusual() }
    at = end
  }

  /// Sets a place that is still empty: a key that stands twice is unusual.
  static func fill<Value>(_ place: inout Value?, with value: Value) throws(Unusual) {
    guard place == nil else { throw Unusual() }
    place = value
  }

  /// Whether null stands here; steps over it if so.
  mutating func null() -> Bool {
    skipSpace()
    guard at + 4 <= bytes.count, bytes[at..<at + 4].elementsEqual("null".utf8) else { return false }
    at += 4
    return true
  }

  private mutating func skipSpace() {
    while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 { at += 1 }
  }

  private mutating func expect(_ byte: UInt8) throws(Unusual) {
    skipSpace()
    guard at < bytes.count, bytes[at] == byte else { throw Unusual() }
    at += 1
  }

  mutating func string() throws(Unusual) -> String {
    let plain = try skipString()
    return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[plain]), as: UTF8.self)
  }

  /// Answers where its bytes stand.
  @discardableResult
  private mutating func skipString() throws(Unusual) -> Range<Int> {
    try expect(UInt8(ascii: "\""))
    let start = at
    while at < bytes.count, (0x20..<0x7f).contains(bytes[at]), bytes[at] != UInt8(ascii: "\"") {
      guard bytes[at] != UInt8(ascii: "\\") else { throw Unusual() }
      at += 1
    }
    guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw Unusual() }
    at += 1
    return start..<(at - 1)
  }

  /// Text that may hold escapes and all of Unicode.
  mutating func text() throws(Unusual) -> String {
    let before = at
    if let plain = try? string() { return plain }
    at = before
    try expect(UInt8(ascii: "\""))
    let start = at - 1
    while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
      guard bytes[at] >= 0x20 else { throw Unusual() }
      at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard at < bytes.count else { throw Unusual() }
    at += 1
    let literal = Data(UnsafeRawBufferPointer(rebasing: bytes[start..<at]))
    guard let text = try? JSONDecoder().decode(String.self, from: literal) else { throw Unusual() }
    return text
  }

  private mutating func digits() -> Int {
    let start = at
    while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
    return at - start
  }

  /// An integer part without leading zeros.
  private mutating func wholePart() throws(Unusual) {
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
    let start = at
    let count = digits()
    guard count == 1 || (count > 1 && bytes[start] != 0x30) else { throw Unusual() }
  }

  mutating func integer() throws(Unusual) -> Int {
    skipSpace()
    let start = at
    try wholePart()
    let next = at < bytes.count ? bytes[at] : 0x20
    guard ![UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(next),
      let value = Int(String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self))
    else { throw Unusual() }
    return value
  }

  mutating func number() throws(Unusual) -> Double {
    skipSpace()
    let start = at
    try wholePart()
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      guard digits() > 0 else { throw Unusual() }
    }
    if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      at += 1
      if at < bytes.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[at]) { at += 1 }
      guard digits() > 0 else { throw Unusual() }
    }
    guard let value = Double(String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)),
      value.isFinite
    else { throw Unusual() }
    return value
  }
}
