/// Where YAML text names something to mean it again: a few hundred bytes of that can stand for more nodes than memory holds, so it
/// is refused before anything is parsed.
enum YAMLAliases {
  /// The line, from 1, of the first anchor or alias (YAML 1.1, sections 3.2.2.2 and 7.1); nil where there is none. May take other
  /// text for one where scalars go over several lines; never misses one. O(bytes).
  static func line(in text: String) -> Int? {
    var scan = Scan()
    for byte in text.utf8 {
      switch scan.take(byte) {
      case .nothing: break
      case .alias: return scan.line
      case .unclear: return strictLine(in: text)
      }
    }
    return nil
  }

  private enum Finding { case nothing, alias, unclear }

  private struct Scan {
    var line = 1
    /// Whether what comes next may be the beginning of a node.
    private var mayBegin = true
    private var isTag = false
    private var inComment = false
    private var quote: UInt8?
    private var isEscaped = false
    /// The three bytes before.
    private var before: UInt32 = 0x0a

    mutating func take(_ byte: UInt8) -> Finding {
      let last = UInt8(truncatingIfNeeded: before)
      before = before << 8 | UInt32(byte)
      if byte == 0x0a { line += 1 }
      if YAMLAliases.isBreak(before) {
        // A quotation that goes over lines may be none.
        if quote != nil { return .unclear }
        (mayBegin, inComment, isTag) = (true, false, false)
        return .nothing
      }
      if let quote { return quoted(byte, quote) }
      if inComment { return .nothing }
      if byte == 0x20 || byte == 0x09 {
        mayBegin = mayBegin || isTag || last == UInt8(ascii: ":")
        isTag = false
        return .nothing
      }
      if byte == UInt8(ascii: "#"), [0x20, 0x09, 0x0a, 0x0d].contains(last) {
        inComment = true
        return .nothing
      }
      if mayBegin { return first(byte) }
      // What is closed is whole.
      mayBegin = "[{,]}".utf8.contains(byte)
      return .nothing
    }

    private mutating func quoted(_ byte: UInt8, _ quote: UInt8) -> Finding {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        isEscaped = true
      } else if byte == quote {
        (self.quote, mayBegin) = (nil, true)
      }
      return .nothing
    }

    private mutating func first(_ byte: UInt8) -> Finding {
      switch byte {
      case UInt8(ascii: "&"), UInt8(ascii: "*"): return .alias
      case UInt8(ascii: "|"), UInt8(ascii: ">"): return .unclear
      case UInt8(ascii: "\""), UInt8(ascii: "'"): (quote, mayBegin) = (byte, false)
      case UInt8(ascii: "!"): (isTag, mayBegin) = (true, false)
      case UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "{"),
        UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"):
        break
      // The mark that begins a file, and the first bytes of breaks.
      case 0xef, 0xbb, 0xbf, 0xc2, 0xe2, 0x80: break
      default: mayBegin = false
      }
      return .nothing
    }
  }

  /// Every sign where a node may begin counts, within quotes and texts of several lines, too.
  private static func strictLine(in text: String) -> Int? {
    var (line, mayBegin, before) = (1, true, UInt32(0x0a))
    for byte in text.utf8 {
      before = before << 8 | UInt32(byte)
      if byte == 0x0a { line += 1 }
      if mayBegin, byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*") { return line }
      mayBegin = isBreak(before) || " \t[{,!:".utf8.contains(byte)
    }
    return nil
  }

  /// Whether the last bytes end a line in YAML 1.1: LF, CR, NEL, LS or PS.
  private static func isBreak(_ last: UInt32) -> Bool {
    last & 0xff == 0x0a || last & 0xff == 0x0d || last & 0xffff == 0xc285 || last & 0xff_ffff == 0xe280a8
      || last & 0xff_ffff == 0xe280a9
  }
}
