/// Which addresses a client may connect to where somebody else has named the target: those of the public Internet, and of
/// networks that were allowed.
///
/// It judges the very address that is dialled, after any lookup, so that a name which answers first this and then that gains
/// nothing. Sources: IANA's special-purpose registries of IPv4 (RFC 6890 and those that follow it) and IPv6, the multicast
/// registries, RFC 4291 and RFC 6052.
package struct TargetGuard: Sendable {
  package enum Refusal: Hashable, Sendable, CustomStringConvertible {
    /// The address is in a range that is not public; `name` says which.
    case notPublic(NetworkAddress, name: String)
    /// A public address, and nothing would be encrypted on the way.
    case unencrypted(NetworkAddress)
    /// No address of IPv4 or IPv6.
    case unknownFamily

    package var description: String {
      switch self {
      case .notPublic(let address, let name): "\(address) is not a public address (\(name))"
      case .unencrypted(let address): "\(address) is a public address, which needs https"
      case .unknownFamily: "the target is no address of IPv4 or IPv6"
      }
    }
  }

  /// Networks that may be reached whatever they are, with http too.
  package let allowed: [NetworkRange]

  package init(allowed: [NetworkRange] = []) { self.allowed = allowed }

  /// Nil where a connection may be made. O(ranges).
  package func refusal(of address: NetworkAddress, isEncrypted: Bool) -> Refusal? {
    if allowed.contains(where: { $0.contains(address) }) { return nil }
    if let range = Self.special.first(where: { $0.range.contains(address) }) {
      return .notPublic(address, name: range.name)
    }
    if address.bytes.count == 16 {
      if Self.translated.contains(address) {
        // What a NAT64 connects to is the address in the last four bytes (RFC 6052, section 2.2).
        guard let inner = NetworkAddress(bytes: Array(address.bytes.suffix(4))) else { return .unknownFamily }
        return refusal(of: inner, isEncrypted: isEncrypted)
      }
      // What IANA has not given out for global unicast may become anything.
      guard Self.globalUnicast.contains(address) else { return .notPublic(address, name: "not global unicast") }
    }
    return isEncrypted ? nil : .unencrypted(address)
  }

  private static func range(_ text: String) -> NetworkRange {
    guard let range = NetworkRange(text) else { preconditionFailure("\(text) is no range") }
    return range
  }

  private static let globalUnicast = range("2000::/3")
  /// The well-known prefix of NAT64.
  private static let translated = range("64:ff9b::/96")

  /// Every range that is not for hosts of the public Internet. What the registries call globally reachable and is for
  /// protocols alone (AS112, AMT, anycast of PCP and TURN) is here, too: nobody subscribes from there.
  package static let special: [(range: NetworkRange, name: String)] = [
    ("0.0.0.0/8", "this network"), ("10.0.0.0/8", "private"), ("100.64.0.0/10", "shared, carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"), ("169.254.0.0/16", "link-local"), ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"), ("192.0.2.0/24", "documentation"), ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "AMT"), ("192.88.99.0/24", "6to4 relay"), ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "AS112"), ("198.18.0.0/15", "benchmarking"), ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"), ("224.0.0.0/4", "multicast"), ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"), ("::1/128", "loopback"), ("::/96", "IPv4-compatible"), ("::ffff:0:0/96", "IPv4-mapped"),
    ("::ffff:0:0:0/96", "IPv4-translated"), ("64:ff9b:1::/48", "local NAT64"), ("100::/64", "discard-only"),
    ("100:0:0:1::/64", "dummy"), ("2001::/23", "protocol assignments"), ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"), ("2620:4f:8000::/48", "AS112"), ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "unique-local"), ("fe80::/10", "link-local"), ("fec0::/10", "site-local"), ("ff00::/8", "multicast"),
  ].map { (range($0.0), $0.1) }
}
