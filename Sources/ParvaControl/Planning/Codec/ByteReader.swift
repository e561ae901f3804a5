/// Reads what ``ByteWriter`` wrote. Every length is held against the bytes that are left before anything is made for it:
/// a message from a broken process costs no more memory than the message.
struct ByteReader {
  /// The message is not one that ``ByteWriter`` writes.
  struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
    var description: String
  }

  private let bytes: [UInt8]
  private var offset = 0
  private var known: [String] = []

  init(_ bytes: [UInt8]) throws(Malformed) {
    self.bytes = bytes
    let count = try count(each: 4)
    known.reserveCapacity(count)
    for _ in 0..<count {
      let length = try self.count(each: 1)
      known.append(String(decoding: bytes[offset..<offset + length], as: UTF8.self))
      offset += length
    }
  }

  /// - Throws: where bytes are left over.
  func end() throws(Malformed) {
    if offset != bytes.count { throw Malformed(description: "\(bytes.count - offset) bytes too many") }
  }

  private mutating func fixed<Value: FixedWidthInteger>(_: Value.Type) throws(Malformed) -> Value {
    let size = MemoryLayout<Value>.size
    guard bytes.count - offset >= size else { throw Malformed(description: "the message ends early") }
    let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
    offset += size
    return Value(littleEndian: value)
  }

  mutating func byte() throws(Malformed) -> UInt8 { try fixed(UInt8.self) }

  mutating func flag() throws(Malformed) -> Bool {
    switch try byte() {
    case 0: false
    case 1: true
    case let other: throw Malformed(description: "\(other) is neither yes nor no")
    }
  }

  mutating func number() throws(Malformed) -> Double { Double(bitPattern: try fixed(UInt64.self)) }

  mutating func integer() throws(Malformed) -> Int { Int(try fixed(Int64.self)) }

  /// A number that counts or names something small: geometry works with it unchecked, so it must not overflow.
  mutating func small() throws(Malformed) -> Int {
    let value = try integer()
    guard (0...Int(Int32.max)).contains(value) else { throw Malformed(description: "\(value) is out of range") }
    return value
  }

  /// How many things of at least `size` bytes follow.
  mutating func count(each size: Int) throws(Malformed) -> Int {
    let count = Int(try fixed(UInt32.self))
    guard count <= (bytes.count - offset) / size else {
      throw Malformed(description: "\(count) things in \(bytes.count - offset) bytes")
    }
    return count
  }

  /// A place in a table of this message; the caller knows how long that is.
  mutating func index() throws(Malformed) -> Int { Int(try fixed(UInt32.self)) }

  mutating func text() throws(Malformed) -> String {
    let number = try index()
    guard number < known.count else { throw Malformed(description: "there is no text \(number)") }
    return known[number]
  }

  mutating func named<Value: RawRepresentable<String>>(_: Value.Type) throws(Malformed) -> Value {
    let name = try text()
    guard let value = Value(rawValue: name) else { throw Malformed(description: "\(name) is no \(Value.self)") }
    return value
  }

  mutating func optional<Value>(
    _ read: (inout ByteReader) throws(Malformed) -> Value
  ) throws(Malformed) -> Value? {
    try flag() ? try read(&self) : nil
  }

  mutating func optionalNumber() throws(Malformed) -> Double? { try flag() ? try number() : nil }
  mutating func optionalInteger() throws(Malformed) -> Int? { try flag() ? try integer() : nil }
  mutating func optionalText() throws(Malformed) -> String? { try flag() ? try text() : nil }

  mutating func numbers() throws(Malformed) -> [String: Double] {
    try table { reader throws(Malformed) in try reader.number() }
  }

  mutating func texts() throws(Malformed) -> [String] {
    try list(each: 4) { reader throws(Malformed) in try reader.text() }
  }

  /// - Parameter size: the least bytes that one takes.
  mutating func list<Value>(
    each size: Int = 1, _ read: (inout ByteReader) throws(Malformed) -> Value
  ) throws(Malformed) -> [Value] {
    let count = try count(each: size)
    var values: [Value] = []
    values.reserveCapacity(count)
    for _ in 0..<count { values.append(try read(&self)) }
    return values
  }

  mutating func table<Value>(
    _ read: (inout ByteReader) throws(Malformed) -> Value
  ) throws(Malformed) -> [String: Value] {
    var values: [String: Value] = [:]
    for _ in 0..<(try count(each: 4)) {
      let key = try text()
      values[key] = try read(&self)
    }
    return values
  }
}
