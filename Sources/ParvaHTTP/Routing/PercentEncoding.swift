/// Decoding of the few escapes that a normalised path keeps.
///
/// The server decodes a path once, except `%2F` and `%25`: decoded, they could not be told from a separator or from an
/// escape. They are decoded here, inside one segment, so nothing is ever decoded twice.
enum PercentEncoding {
  static func decodeParameter(_ segment: ArraySlice<UInt8>) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(segment.count)
    var index = segment.startIndex
    while index < segment.endIndex {
      if segment[index] == UInt8(ascii: "%"), index + 2 < segment.endIndex,
        let high = hexDigit(segment[index + 1]), let low = hexDigit(segment[index + 2])
      {
        bytes.append(high << 4 | low)
        index += 3
      } else {
        bytes.append(segment[index])
        index += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The pairs of a raw query; `+` stands for a space as in HTML forms. A name without `=` has an empty value.
  static func decodeQuery(_ raw: some Sequence<UInt8>) -> [(name: String, value: String)] {
    var pairs: [(name: String, value: String)] = []
    var name: [UInt8]?
    var current: [UInt8] = []
    func finish() {
      if let name {
        pairs.append((decode(name), decode(current)))
      } else if !current.isEmpty {
        pairs.append((decode(current), ""))
      }
      name = nil
      current = []
    }
    for byte in raw {
      if byte == UInt8(ascii: "&") {
        finish()
      } else if byte == UInt8(ascii: "="), name == nil {
        name = current
        current = []
      } else {
        current.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
      }
    }
    finish()
    return pairs
  }

  /// The path as it goes over the wire: what is escaped in it stays so.
  static func encode(path: String) -> String { encode(path, keeping: "/%:@!$&'()*+,;=") }

  /// Pairs as a raw query.
  static func encode(query: [(name: String, value: String)]) -> String {
    query.map { encode($0.name, keeping: "") + "=" + encode($0.value, keeping: "") }.joined(separator: "&")
  }

  /// Everything but unreserved characters (RFC 3986, section 2.3), and those that are kept.
  private static func encode(_ text: String, keeping: String) -> String {
    let kept = Array(keeping.utf8)
    return text.utf8.map { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: String(UnicodeScalar(byte))
      case _ where kept.contains(byte): String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }.joined()
  }

  private static func decode(_ bytes: [UInt8]) -> String { decodeParameter(bytes[...]) }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
