package import ParvaEngine

/// Reads a recorded stream of requests: CSV with a column TIMESTAMP, one request a row, in any order. Other columns are
/// passed over, as public traces have them.
package enum ArrivalRecordingReader {
  private static let column = "timestamp"

  /// - Throws: every refusal found, each with its place; `empty` where fewer than two different times are there.
  /// - Complexity: O(n log n).
  package static func read(_ source: InputSource) throws(InputErrors) -> ArrivalRecording {
    var reader = try CSVReader(source)
    guard let header = try reader.next() else {
      throw InputErrors(InputError(.empty, "is empty", file: source.name))
    }
    guard let index = header.fields.firstIndex(where: { $0.lowercased() == column }) else {
      throw InputErrors(
        InputError(
          .wrongHeader, "a trace needs a column TIMESTAMP; others are passed over", file: source.name,
          line: header.line))
    }
    var times: [Double] = []
    var refusals = Refusals()
    while let row = try reader.next() {
      guard row.fields.indices.contains(index) else {
        refusals.add(
          InputError(
            .wrongFieldCount, "\(row.fields.count) fields where the header has \(header.fields.count)",
            file: source.name, line: row.line))
        continue
      }
      let text = row.fields[index]
      guard let time = seconds(text) else {
        refusals.add(
          InputError(
            .wrongType,
            "TIMESTAMP must be seconds or YYYY-MM-DD hh:mm:ss[.fraction], not "
              + "\"\(InputError.shortened(text))\"", file: source.name, line: row.line, value: text))
        continue
      }
      times.append(time)
    }
    try refusals.check()
    times.sort()
    guard let recording = ArrivalRecording(name: name(source), arrivals: times) else {
      throw InputErrors(InputError(.empty, "holds fewer than two different times", file: source.name))
    }
    return recording
  }

  /// The file's name without folder and extension.
  private static func name(_ source: InputSource) -> String {
    let file = source.name?.split(separator: "/").last.map(String.init) ?? "trace"
    return file.hasSuffix(".csv") ? String(file.dropLast(4)) : file
  }

  /// Seconds since some day, from a number or a date with a time (ISO 8601, with a blank or a T between, and no zone or
  /// Z). O(length).
  private static func seconds(_ text: String) -> Double? {
    if let number = Double(text) { return number.isFinite ? number : nil }
    let text = text.hasSuffix("Z") ? text.dropLast() : text[...]
    let halves = text.split(maxSplits: 1) { $0 == " " || $0 == "T" }
    guard halves.count == 2 else { return nil }
    let date = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    let time = halves[1].split(separator: ":", omittingEmptySubsequences: false)
    guard date.count == 3, time.count == 3, let year = date[0], let month = date[1], let day = date[2],
      (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day), let hour = Int(time[0]),
      let minute = Int(time[1]), let second = Double(time[2]), (0...24).contains(hour), (0...59).contains(minute),
      second >= 0, second < 61
    else { return nil }
    // Days from 1 March of year 0: a year that begins in March has its odd day at its end.
    let shifted = month < 3 ? year - 1 : year
    let months = (month + 9) % 12
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + (months * 153 + 2) / 5 + day
    return Double(days) * 86_400 + Double(hour * 3600 + minute * 60) + second
  }
}
