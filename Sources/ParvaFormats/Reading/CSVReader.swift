/// One record of a CSV file.
struct CSVRow {
  /// Line on which the record begins, from 1.
  let line: Int
  let fields: [String]
}

/// Reads CSV as RFC 4180 writes it, and forgives what spreadsheets do: LF or CRLF, a byte order mark (taken off by
/// ``InputSource``), spaces around unquoted fields, empty lines.
///
/// Fields and records are bounded, so a file that is not CSV is refused early.
struct CSVReader {
  static let maxFields = 64

  let name: String?
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1

  /// - Throws: `too_large`.
  init(_ source: InputSource, limit: Int = InputLimits.fileBytes) throws(InputErrors) {
    try source.checkSize(limit)
    bytes = [UInt8](source.data)
    name = source.name
  }

  /// The next record that is not empty, nil after the last. O(length of the record).
  ///
  /// - Throws: `invalid_syntax`, `not_utf8`, `out_of_range` for a field over its bound.
  mutating func next() throws(InputErrors) -> CSVRow? {
    while position < bytes.count {
      skipBlanks()
      guard position < bytes.count else { break }
      if bytes[position] == 0x0a {
        (position, line) = (position + 1, line + 1)
        continue
      }
      let row = try record()
      if row.fields.count > 1 || row.fields.first?.isEmpty == false { return row }
    }
    return nil
  }

  /// Leaves the rest unread.
  mutating func skipToEnd() { position = bytes.count }

  private mutating func record() throws(InputErrors) -> CSVRow {
    let start = line
    var fields: [String] = []
    while true {
      guard fields.count < Self.maxFields else {
        throw refusal(.wrongFieldCount, "more than \(Self.maxFields) fields")
      }
      fields.append(try field())
      guard position < bytes.count else { break }
      let separator = bytes[position]
      position += 1
      if separator == 0x2c { continue }
      line += 1
      break
    }
    return CSVRow(line: start, fields: fields)
  }

  /// One field; afterwards the position is at a comma, a line feed or the end.
  private mutating func field() throws(InputErrors) -> String {
    skipBlanks()
    if position < bytes.count, bytes[position] == 0x22 { return try quotedField() }
    let start = position
    while position < bytes.count, bytes[position] != 0x2c, bytes[position] != 0x0a {
      guard bytes[position] != 0x22 else {
        throw refusal(.invalidSyntax, "a quote stands inside a field that does not begin with one")
      }
      position += 1
      if position - start > InputLimits.csvFieldBytes { throw tooLong }
    }
    var end = position
    while end > start, Self.isBlank(bytes[end - 1]) { end -= 1 }
    return try text(bytes[start..<end])
  }

  private mutating func quotedField() throws(InputErrors) -> String {
    let opened = line
    var value: [UInt8] = []
    position += 1
    while true {
      guard position < bytes.count else {
        throw InputErrors(InputError(.invalidSyntax, "a quoted field never ends", file: name, line: opened))
      }
      let byte = bytes[position]
      position += 1
      if byte == 0x22 {
        guard position < bytes.count, bytes[position] == 0x22 else { break }
        position += 1
      } else if byte == 0x0a {
        line += 1
      }
      value.append(byte)
      if value.count > InputLimits.csvFieldBytes { throw tooLong }
    }
    skipBlanks()
    if position < bytes.count, bytes[position] != 0x2c, bytes[position] != 0x0a {
      throw refusal(.invalidSyntax, "text follows the closing quote of a field")
    }
    return try text(value[...])
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }

  private mutating func skipBlanks() {
    while position < bytes.count, Self.isBlank(bytes[position]) { position += 1 }
  }

  private func text<Bytes: Collection>(_ field: Bytes) throws(InputErrors) -> String where Bytes.Element == UInt8 {
    guard let text = String(validating: field, as: UTF8.self) else {
      throw refusal(.notUTF8, "is not UTF-8 text")
    }
    return text
  }

  private var tooLong: InputErrors { refusal(.outOfRange, "a field of more than \(InputLimits.csvFieldBytes) bytes") }

  private func refusal(_ code: InputError.Code, _ message: String) -> InputErrors {
    InputErrors(InputError(code, message, file: name, line: line))
  }
}
