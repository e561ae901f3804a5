/// A CSV file with a header: cells are taken by column name, and a bad cell is gathered as a refusal.
struct CSVTable {
  let name: String?
  private var reader: CSVReader
  private let columns: [String: Int]
  private let width: Int

  /// - Parameters:
  ///   - required: columns that must stand in the header, in any order; names compare without regard to case.
  ///   - optional: columns that may.
  /// - Throws: `empty`, `wrong_header`, and what the reader throws.
  init(_ reader: CSVReader, required: [String], optional: [String]) throws(InputErrors) {
    var reader = reader
    name = reader.name
    guard let header = try reader.next() else { throw InputErrors(InputError(.empty, "is empty", file: reader.name)) }
    width = header.fields.count
    let known = required + optional
    var columns: [String: Int] = [:]
    for (index, field) in header.fields.enumerated() {
      guard let column = known.first(where: { $0.lowercased() == field.lowercased() }) else {
        throw Self.wrongHeader(
          "unknown column \"\(InputError.shortened(field))\"", field, header.line, reader.name, required, optional)
      }
      guard columns.updateValue(index, forKey: column) == nil else {
        throw Self.wrongHeader("column \"\(column)\" stands twice", field, header.line, reader.name, required, optional)
      }
    }
    if let missing = required.first(where: { columns[$0] == nil }) {
      throw Self.wrongHeader("column \"\(missing)\" is missing", nil, header.line, reader.name, required, optional)
    }
    self.columns = columns
    self.reader = reader
  }

  private static func wrongHeader(
    _ problem: String, _ value: String?, _ line: Int, _ file: String?, _ required: [String], _ optional: [String]
  ) -> InputErrors {
    let wanted = required.joined(separator: ",") + optional.map { "[,\($0)]" }.joined()
    return InputErrors(
      InputError(.wrongHeader, "\(problem); the header is \(wanted)", file: file, line: line, value: value))
  }

  /// The next record with the header's number of fields; others are gathered in `refusals` and passed over. A record
  /// that cannot be read ends the table.
  mutating func next(_ refusals: inout Refusals) -> CSVRow? {
    do {
      while !refusals.isFull, let row = try reader.next() {
        if row.fields.count == width { return row }
        refusals.add(
          InputError(
            .wrongFieldCount, "\(row.fields.count) fields where the header has \(width)", file: name, line: row.line))
      }
    } catch {
      refusals.add(error)
      reader.skipToEnd()
    }
    return nil
  }

  /// The cell of a column; nil where the column is absent or the cell is empty.
  func text(_ column: String, _ row: CSVRow) -> String? {
    guard let index = columns[column], !row.fields[index].isEmpty else { return nil }
    return row.fields[index]
  }

  /// A required cell, or a refusal.
  func requiredText(_ column: String, _ row: CSVRow, _ refusals: inout Refusals) -> String? {
    if let value = text(column, row) { return value }
    refusals.add(InputError(.missingKey, "\(column) is empty", file: name, line: row.line))
    return nil
  }

  /// A required number, or a refusal. Infinity and NaN are numbers here; ranges are checked by the caller.
  func number(_ column: String, _ row: CSVRow, _ refusals: inout Refusals) -> Double? {
    guard let text = requiredText(column, row, &refusals) else { return nil }
    if let value = Double(text) { return value }
    refusals.add(
      InputError(
        .wrongType, "\(column) must be a number, not \"\(InputError.shortened(text))\"", file: name, line: row.line,
        value: text))
    return nil
  }

  /// A required whole number, or a refusal.
  func integer(_ column: String, _ row: CSVRow, _ refusals: inout Refusals) -> Int? {
    guard let text = requiredText(column, row, &refusals) else { return nil }
    if let value = Int(text) { return value }
    refusals.add(
      InputError(
        .wrongType, "\(column) must be a whole number, not \"\(InputError.shortened(text))\"", file: name,
        line: row.line, value: text))
    return nil
  }
}
