/// Where YAML text names something to mean it again: a few hundred bytes of that can stand for more nodes than memory holds, so it
/// is refused before anything is parsed.
///
/// What quotation marks mean hangs on all that comes before them, and who guesses it can be fooled. So every sign where a node may
/// begin counts, within texts, too, but for two kinds of lines that hold no alias whatever comes before them: comments without a
/// quotation mark, and times by `cron` that stand alone.
enum YAMLAliases {
  /// The line, from 1, of the first anchor or alias (YAML 1.1, sections 3.2.2.2 and 7.1); nil where there is none. May take other
  /// text for one; never misses one. O(bytes).
  static func line(in text: String) -> Int? {
    var number = 0
    for line in text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false) {
      number += 1
      let part = rest(of: line)
      if mayHold(part) { return number }
    }
    return nil
  }

  private typealias Line = Substring.UTF8View

  private static func mayHold(_ line: Line) -> Bool {
    var (mayBegin, last) = (true, UInt32(0))
    for byte in line {
      if mayBegin, byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*") { return true }
      last = last << 8 | UInt32(byte)
      // A mark of the byte order is passed over.
      mayBegin = isBreak(last) || last & 0xff_ffff == 0xef_bbbf || " \t[{,!:".utf8.contains(byte)
    }
    return false
  }

  /// Of a line what may hold one.
  private static func rest(of line: Line) -> Line {
    var last = UInt32(0)
    var (comment, isQuoted) = (Line.Index?.none, false)
    for index in line.indices {
      let byte = line[index]
      if byte == UInt8(ascii: "#"), comment == nil, index == line.startIndex || [0x20, 0x09].contains(last & 0xff) {
        comment = index
      }
      isQuoted = isQuoted || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
      last = last << 8 | UInt32(byte)
      // YAML knows more breaks than line feeds; one at the end of a line is none more.
      if isBreak(last), line.index(after: index) != line.endIndex { return line }
    }
    // In a quotation that begins before it, a line without its end is text as a whole.
    let part = isQuoted ? line : line[..<(comment ?? line.endIndex)]
    return isCron(part) ? line[line.endIndex...] : part
  }

  /// Whether a line is `cron: "*/5 * * * *"`, or the like. Where its first mark ends a quotation from before it, what follows is no
  /// YAML.
  private static func isCron(_ line: Line) -> Bool {
    func trimmed(_ text: Substring) -> Substring {
      var text = text.drop { $0 == " " }
      while text.last == " " || text.last == "\r" { text.removeLast() }
      return text
    }
    var text = trimmed(Substring(line))
    if text.hasPrefix("- ") { text = trimmed(text.dropFirst(2)) }
    guard let key = ["cron: ", "\"cron\": "].first(where: text.hasPrefix) else { return false }
    text = trimmed(text.dropFirst(key.count))
    if text.last == "," { text.removeLast() }
    if let quote = text.first, quote == "\"" || quote == "'" {
      guard text.count > 2, text.last == quote else { return false }
      text = text.dropFirst().dropLast()
    } else if text.first == "*" || text.contains(",*") {
      return false
    }
    guard let first = text.utf8.first, isLetter(first) || first == UInt8(ascii: "*") else { return false }
    return text.utf8.allSatisfy { isLetter($0) || "*,/- ".utf8.contains($0) } && !text.contains(", ")
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }

  /// Whether the last bytes end a line in YAML 1.1: LF, CR, NEL, LS or PS.
  private static func isBreak(_ last: UInt32) -> Bool {
    last & 0xff == 0x0a || last & 0xff == 0x0d || last & 0xffff == 0xc285 || last & 0xff_ffff == 0xe280a8
      || last & 0xff_ffff == 0xe280a9
  }
}
