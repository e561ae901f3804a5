import Foundation

/// Walks JSON text (RFC 8259) without building anything, to say where it is broken and where a value stands.
///
/// Foundation's decoder says neither on Linux, accepts a trailing comma, and takes one of two equal keys silently.
struct JSONScanner {
  struct Fault: Error {
    var offset: Int
    var code: InputError.Code
    var message: String
  }

  /// Levels of nesting that are read; the deepest document of ours has six.
  static let maxDepth = 64

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  /// Keys of the objects that are open, as ranges of `bytes`, innermost last, of each object the first 128.
  private var keys: [Range<Int>] = []

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// What `work` finds in a text, which it does not copy.
  static func scan<Value>(_ data: Data, _ work: (inout JSONScanner) -> Value) -> Value {
    data.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      return work(&scanner)
    }
  }

  /// The first fault of the text, nil where there is none. O(bytes).
  mutating func fault() -> Fault? {
    position = 0
    do throws(Fault) {
      skipBlanks()
      try value(depth: 0)
      skipBlanks()
      if position < bytes.count { throw broken("something follows the end of the document") }
      return nil
    } catch {
      return error
    }
  }

  /// Line of an offset, from 1. O(offset).
  func line(at offset: Int) -> Int { 1 + bytes.prefix(max(0, offset)).count { $0 == 0x0a } }

  // MARK: - Values

  private mutating func value(depth: Int) throws(Fault) {
    guard depth < Self.maxDepth else { throw broken("more than \(Self.maxDepth) levels of nesting") }
    guard let first = peek else { throw broken("the document ends in the middle") }
    switch first {
    case 0x7b: try object(depth)
    case 0x5b: try array(depth)
    case 0x22: _ = try string()
    case 0x74: try word("true")
    case 0x66: try word("false")
    case 0x6e: try word("null")
    case 0x2d, 0x30...0x39: try number()
    default: throw broken("a value is expected")
    }
  }

  private mutating func object(_ depth: Int) throws(Fault) {
    position += 1
    let outer = keys.count
    defer { keys.removeSubrange(outer...) }
    skipBlanks()
    if take(0x7d) { return }
    while true {
      guard peek == 0x22 else { throw broken(peek == nil ? "the document ends in the middle" : "a key is expected") }
      let start = position
      let key = try string()
      if keys.count - outer < 128 {
        for other in keys[outer...] where isOne(other, key) {
          throw Fault(
            offset: start, code: .duplicate,
            message: "key \"\(InputError.shortened(text(key)))\" stands twice in one object")
        }
        keys.append(key)
      }
      skipBlanks()
      guard take(0x3a) else { throw broken("a colon is expected") }
      skipBlanks()
      try value(depth: depth + 1)
      skipBlanks()
      if take(0x7d) { return }
      guard take(0x2c) else { throw broken("a comma or the object's end is expected") }
      skipBlanks()
    }
  }

  private mutating func array(_ depth: Int) throws(Fault) {
    position += 1
    skipBlanks()
    if take(0x5d) { return }
    while true {
      try value(depth: depth + 1)
      skipBlanks()
      if take(0x5d) { return }
      guard take(0x2c) else { throw broken("a comma or the array's end is expected") }
      skipBlanks()
    }
  }

  /// The range between the quotes.
  private mutating func string() throws(Fault) -> Range<Int> {
    position += 1
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == 0x22 {
        position += 1
        return start..<position - 1
      }
      guard byte >= 0x20 else { throw broken("a control character stands in a string") }
      position += byte == 0x5c ? 2 : 1
    }
    position = bytes.count
    throw broken("a string never ends")
  }

  private mutating func number() throws(Fault) {
    let start = position
    _ = take(0x2d)
    if !take(0x30) { try digits(start) }
    if take(0x2e) { try digits(start) }
    if let byte = peek, byte | 0x20 == 0x65 {
      position += 1
      if peek == 0x2b || peek == 0x2d { position += 1 }
      try digits(start)
    }
    if let byte = peek, byte == 0x2e || (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) {
      throw Fault(offset: start, code: .invalidSyntax, message: "a number is malformed")
    }
  }

  private mutating func digits(_ start: Int) throws(Fault) {
    let first = position
    while let byte = peek, (0x30...0x39).contains(byte) { position += 1 }
    if position == first { throw Fault(offset: start, code: .invalidSyntax, message: "a number is malformed") }
  }

  private mutating func word(_ word: StaticString) throws(Fault) {
    let matches = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
    guard matches else { throw broken("a value is expected") }
    position += word.utf8CodeUnitCount
  }

  // MARK: - Bytes

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipBlanks() {
    while position < bytes.count {
      let byte = bytes[position]
      guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return }
      position += 1
    }
  }

  private func broken(_ message: String) -> Fault {
    Fault(offset: min(position, bytes.count), code: .invalidSyntax, message: message)
  }

  private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// Whether two keys are the same, however they are written.
  private func isOne(_ a: Range<Int>, _ b: Range<Int>) -> Bool {
    if a.count == b.count, bytes[a].elementsEqual(bytes[b]) { return true }
    guard bytes[a].contains(0x5c) || bytes[b].contains(0x5c), let a = plain(a) else { return false }
    return a == plain(b)
  }

  /// A string without its escapes; nil where they stand for no text.
  private func plain(_ range: Range<Int>) -> String? {
    guard bytes[range].contains(0x5c) else { return text(range) }
    let literal = Data(UnsafeRawBufferPointer(rebasing: bytes[range.lowerBound - 1..<range.upperBound + 1]))
    return try? JSONDecoder().decode(String.self, from: literal)
  }
}

// MARK: - Places

extension JSONScanner {
  /// Line of the value at a path of keys and indices, or of the last step of it that is there. The text has no fault. O(bytes).
  mutating func line(of path: [String]) -> Int {
    position = 0
    keys = []
    skipBlanks()
    var found = position
    for step in path {
      guard let place = (try? enter(step)) ?? nil else { break }
      found = place
    }
    return line(at: found)
  }

  /// Moves from a container to its member and returns the member's offset (of its key, in an object).
  private mutating func enter(_ step: String) throws(Fault) -> Int? {
    let isObject = peek == 0x7b
    guard isObject || peek == 0x5b else { return nil }
    position += 1
    var index = 0
    while true {
      skipBlanks()
      guard let next = peek, next != 0x7d, next != 0x5d else { return nil }
      let start = position
      var matches = !isObject && String(index) == step
      if isObject {
        let key = try string()
        matches = bytes[key].elementsEqual(step.utf8) || bytes[key].contains(0x5c) && plain(key) == step
        skipBlanks()
        position += 1
        skipBlanks()
      }
      if matches { return start }
      try value(depth: 0)
      skipBlanks()
      _ = take(0x2c)
      index += 1
    }
  }
}

// MARK: - Lists

extension JSONScanner {
  /// Where a list stands in a text.
  struct List {
    /// The brackets included.
    var range: Range<Int>
    /// Whether it is the whole document, and not a member of it.
    var isBare: Bool
  }

  /// The list that the document is, or that stands under a key of its root; nil where there is none. The text has no fault. O(bytes).
  mutating func list(under name: String) -> List? {
    position = 0
    keys = []
    skipBlanks()
    let isBare = peek != 0x7b
    if !isBare {
      guard (try? enter(name)) != nil else { return nil }
    }
    guard peek == 0x5b else { return nil }
    let start = position
    guard (try? value(depth: 0)) != nil else { return nil }
    return List(range: start..<position, isBare: isBare)
  }

  /// Steps through the elements of such a list, each with where it stands. O(bytes).
  ///
  /// - Parameter visit: answers whether to go on.
  mutating func elements(of list: List, _ visit: (Range<Int>) -> Bool) {
    position = list.range.lowerBound + 1
    keys = []
    skipBlanks()
    while position < list.range.upperBound - 1 {
      let start = position
      guard (try? value(depth: 1)) != nil, visit(start..<position) else { return }
      skipBlanks()
      _ = take(0x2c)
      skipBlanks()
    }
  }
}
