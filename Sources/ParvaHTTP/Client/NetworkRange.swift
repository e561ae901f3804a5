import Glibc

/// An IPv4 or IPv6 address: 4 or 16 bytes in network order.
package struct NetworkAddress: Hashable, Sendable, CustomStringConvertible {
  package let bytes: [UInt8]

  /// Nil for another number of bytes.
  package init?(bytes: [UInt8]) {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    self.bytes = bytes
  }

  /// Dotted quads, or what RFC 4291, section 2.2, has for IPv6; nil for anything else.
  package init?(_ text: String) {
    for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
      var bytes = [UInt8](repeating: 0, count: count)
      if inet_pton(family, text, &bytes) == 1 {
        self.bytes = bytes
        return
      }
    }
    return nil
  }

  package var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil else {
      return ""
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

extension NetworkAddress {
  /// Whether a host, with or without the brackets of IPv6, is this machine whoever asks: `localhost`, 127.0.0.0/8 or `::1`. The name
  /// decides, not where it points to.
  package static func isLoopback(host: some StringProtocol) -> Bool {
    if host == "localhost" { return true }
    let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
    guard let bytes = NetworkAddress(bare)?.bytes else { return false }
    return bytes.count == 4 ? bytes[0] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
  }
}

/// All addresses that begin alike, as `10.0.0.0/8` or `fd00::/8`; an address alone is a range of one.
package struct NetworkRange: Hashable, Sendable, CustomStringConvertible {
  package let first: NetworkAddress
  /// Bits that all have in common.
  package let length: Int

  /// Nil for what is no range, and for an address that is not the first of its range.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = NetworkAddress(String(parts[0])) else { return nil }
    let most = first.bytes.count * 8
    let digits = parts.count == 2 ? parts[1] : Substring(String(most))
    guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let length = Int(digits), length <= most
    else { return nil }
    (self.first, self.length) = (first, length)
    guard (length..<most).allSatisfy({ first.bytes[$0 / 8] & (0x80 >> UInt8($0 % 8)) == 0 }) else { return nil }
  }

  /// An IPv4 address is in no range of IPv6, whatever of it is embedded there.
  package func contains(_ address: NetworkAddress) -> Bool {
    guard address.bytes.count == first.bytes.count else { return false }
    let (whole, rest) = (length / 8, UInt8(length % 8))
    guard address.bytes.prefix(whole) == first.bytes.prefix(whole) else { return false }
    return rest == 0 || (address.bytes[whole] ^ first.bytes[whole]) >> (8 - rest) == 0
  }

  package var description: String { "\(first)/\(length)" }
}
