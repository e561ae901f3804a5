import Foundation
import ParvaHTTP
import ParvaTestSupport
import Testing

@Suite struct TargetGuardTests {
  private static func verdict(_ text: String, encrypted: Bool = true, allowed: String...) throws -> Bool {
    let address = try #require(NetworkAddress(text), "\(text)")
    let ranges = try allowed.map { try #require(NetworkRange($0), "\($0)") }
    return TargetGuard(allowed: ranges).refusal(of: address, isEncrypted: encrypted) == nil
  }

  /// Every row of IANA's registries of special-purpose addresses (as of 2025), of multicast, and of what stands for IPv4 in
  /// IPv6: the first and the last address of each.
  private static let special = [
    ("0.0.0.0", "0.255.255.255"), ("10.0.0.0", "10.255.255.255"), ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"), ("169.254.0.0", "169.254.255.255"), ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"), ("192.0.0.0", "192.0.0.7"), ("192.0.0.8", "192.0.0.8"), ("192.0.0.9", "192.0.0.10"),
    ("192.0.0.170", "192.0.0.171"), ("192.0.2.0", "192.0.2.255"), ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"), ("192.88.99.0", "192.88.99.255"), ("192.168.0.0", "192.168.255.255"),
    ("192.175.48.0", "192.175.48.255"), ("198.18.0.0", "198.19.255.255"), ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"), ("224.0.0.0", "239.255.255.255"), ("240.0.0.0", "255.255.255.254"),
    ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"), ("::7f00:1", "::ffff:ffff"),
    ("::ffff:0:0", "::ffff:ffff:ffff"), ("::ffff:127.0.0.1", "::ffff:8.8.8.8"), ("::ffff:0:7f00:1", "::ffff:0:808:808"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"), ("100::", "100::ffff:ffff:ffff:ffff"),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"), ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"), ("2001:1::1", "2001:1::3"),
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"), ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"), ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"), ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002:7f00:1::", "2002:808:808::1"), ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"), ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    // Not given out.
    ("200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("6000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    // Through a NAT64 to what is not public behind it.
    ("64:ff9b::7f00:1", "64:ff9b::10.255.255.255"), ("64:ff9b::169.254.169.254", "64:ff9b::192.168.1.1"),
  ]

  @Test("no address of a special range may be reached, from its first to its last")
  func specialRanges() throws {
    for (first, last) in Self.special {
      for text in [first, last] { #expect(try !Self.verdict(text), "\(text)") }
    }
  }

  @Test("the neighbours of the special ranges, and what is public, may be reached")
  func publicAddresses() throws {
    for text in [
      "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
      "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0",
      "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0",
      "223.255.255.255", "8.8.8.8", "2000::", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::",
      "2606:4700::1111",
      "2620:4f:7fff::1", "3ffe:ffff::", "64:ff9b::8.8.8.8",
    ] {
      #expect(try Self.verdict(text), "\(text)")
      #expect(try !Self.verdict(text, encrypted: false), "\(text) without https")
    }
  }

  @Test("an allowed network may be reached, with http too, and no other")
  func allowedNetworks() throws {
    #expect(try Self.verdict("127.0.0.1", encrypted: false, allowed: "127.0.0.0/8"))
    #expect(try Self.verdict("10.1.2.3", allowed: "192.168.0.0/16", "10.1.0.0/16"))
    #expect(try !Self.verdict("10.2.2.3", allowed: "192.168.0.0/16", "10.1.0.0/16"))
    #expect(try Self.verdict("::1", encrypted: false, allowed: "::1"))
    #expect(try !Self.verdict("127.0.0.1", allowed: "::1"))
    // What is mapped is another way to the same host, and is not meant by the network itself.
    #expect(try !Self.verdict("::ffff:127.0.0.1", allowed: "127.0.0.0/8"))
    #expect(try Self.verdict("64:ff9b::10.0.0.1", allowed: "10.0.0.0/8"))
    #expect(try Self.verdict("8.8.8.8", encrypted: false, allowed: "0.0.0.0/0"))
  }

  @Test("a range has exactly the addresses that begin like it")
  func ranges() throws {
    var random = SeededGenerator(seed: TestSeed.of())
    for _ in 0..<2_000 {
      let count = Bool.random(using: &random) ? 4 : 16
      let length = Int.random(in: 0...count * 8, using: &random)
      var first = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      for bit in length..<count * 8 { first[bit / 8] &= ~(0x80 >> UInt8(bit % 8)) }
      let address = try #require(NetworkAddress(bytes: first))
      let range = try #require(NetworkRange("\(address)/\(length)"))
      #expect(range.first.bytes == first && range.length == length)
      var other = first
      let bit = Int.random(in: 0..<count * 8, using: &random)
      other[bit / 8] ^= 0x80 >> UInt8(bit % 8)
      let neighbour = try #require(NetworkAddress(bytes: other))
      #expect(range.contains(range.first))
      #expect(range.contains(neighbour) == (bit >= length), "\(range) \(neighbour)")
    }
    for text in [
      "", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129", "a", "10/8", "::1/+3",
    ] {
      #expect(NetworkRange(text) == nil, "\(text)")
    }
  }

  @Test("a host is this machine's by its name or number, and by nothing that only looks like it")
  func loopback() throws {
    for host in ["localhost", "127.0.0.1", "127.255.0.9", "::1", "[::1]", "0:0:0:0:0:0:0:1"] {
      #expect(NetworkAddress.isLoopback(host: host), "\(host)")
    }
    for host in [
      "", "localhost.example", "127.0.0.1.example", "127.1", "0.0.0.0", "[::]", "::ffff:127.0.0.1", "*", "[", "]",
    ] {
      #expect(!NetworkAddress.isLoopback(host: host), "\(host)")
    }
    var random = SeededGenerator(seed: TestSeed.of())
    for _ in 0..<500 {
      let bytes = (0..<4).map { _ in UInt8.random(in: 120...130, using: &random) }
      let address = try #require(NetworkAddress(bytes: bytes))
      #expect(NetworkAddress.isLoopback(host: "\(address)") == (bytes[0] == 127), "\(address)")
    }
  }

  @Test("a URL is read as libcurl dials it")
  func urls() throws {
    for (text, host) in [
      ("https://example.org/hook?a=b", "example.org"), ("http://0x7f.1:80/", "127.0.0.1"),
      ("http://2130706433/", "127.0.0.1"),
      ("http://0177.0.0.1/", "127.0.0.1"), ("HTTPS://[::1]:8443/x", "[::1]"),
    ] {
      #expect(try TargetURL(text).host == host)
      #expect(try TargetURL(text).isEncrypted == text.lowercased().hasPrefix("https"))
    }
    #expect(try TargetURL("http://0x7f.1/").address == NetworkAddress("127.0.0.1"))
    #expect(try TargetURL("https://[::1]/").address == NetworkAddress("::1"))
    #expect(try TargetURL("https://a.example/").address == nil)
    for (text, fault) in [
      ("", TargetURL.Fault.malformed), ("example.org", .malformed), ("https://", .malformed),
      ("https://a b/", .malformed),
      ("ftp://a.example/", .scheme), ("file:///etc/passwd", .scheme), ("https://u:p@a.example/", .credentials),
      ("https://u@a.example/", .credentials), ("https://a.example/#x", .fragment),
      ("https://a.example/" + String(repeating: "a", count: 2048), .tooLong), ("https://ä.example/", .malformed),
    ] {
      #expect(throws: fault, "\(text)") { try TargetURL(text) }
    }
  }
}
