/// Builds one message: fixed-width little-endian numbers, and text by its number in a table that goes first.
///
/// Models, pools and workloads repeat in every segment, so that a table keeps messages short and decoding quick.
struct ByteWriter {
  private var body: [UInt8] = []
  private var texts: [String] = []
  private var numberOf: [String: UInt32] = [:]

  /// The message: texts, then what was written.
  consuming func finish() -> [UInt8] {
    var head = ByteWriter()
    head.count(texts.count)
    for text in texts {
      var text = text
      text.withUTF8 { bytes in
        head.count(bytes.count)
        head.body.append(contentsOf: bytes)
      }
    }
    head.body.append(contentsOf: body)
    return head.body
  }

  private mutating func fixed(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { body.append(contentsOf: $0) }
  }

  mutating func byte(_ value: UInt8) { body.append(value) }
  mutating func flag(_ value: Bool) { body.append(value ? 1 : 0) }
  mutating func integer(_ value: Int) { fixed(Int64(value)) }
  mutating func number(_ value: Double) { fixed(value.bitPattern) }
  mutating func count(_ value: Int) { fixed(UInt32(clamping: value)) }

  mutating func text(_ value: String) {
    if let number = numberOf[value] { return fixed(number) }
    let number = UInt32(texts.count)
    numberOf[value] = number
    texts.append(value)
    fixed(number)
  }

  mutating func optional<Value>(_ value: Value?, _ write: (inout ByteWriter, Value) -> Void) {
    flag(value != nil)
    if let value { write(&self, value) }
  }

  mutating func list<Value>(_ values: [Value], _ write: (inout ByteWriter, Value) -> Void) {
    count(values.count)
    for value in values { write(&self, value) }
  }

  /// In order of key, so that equal values are equal bytes.
  mutating func table<Value>(_ values: [String: Value], _ write: (inout ByteWriter, Value) -> Void) {
    list(values.sorted { $0.key < $1.key }) { writer, pair in
      writer.text(pair.key)
      write(&writer, pair.value)
    }
  }
}
