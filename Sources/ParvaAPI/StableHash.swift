package import Foundation

/// FNV-1a with 64 bits: the same bytes give the same number in every process and version.
///
/// It tells documents and requests apart; it keeps no secret and stops no attacker.
package struct StableHash: Sendable {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  package mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  /// The hash of one document as 16 hexadecimal digits. O(bytes).
  package static func digits(of data: Data) -> String {
    var hash = StableHash()
    data.withUnsafeBytes { hash.add($0) }
    let digits = String(hash.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
