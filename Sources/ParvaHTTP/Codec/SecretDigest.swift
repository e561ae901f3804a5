import CCodec

/// SHA-256 of a secret, which is all that needs to be kept to recognise it.
///
/// Enough for secrets drawn at random; a password that a person chose would need a slow hash.
package struct SecretDigest: Sendable, CustomStringConvertible, CustomReflectable {
  private let bytes: [UInt8]

  /// Nil only when the library refuses.
  package init?(of secret: String) {
    var digest = [UInt8](repeating: 0, count: Int(CCD_SHA256_SIZE))
    let secret = Array(secret.utf8)
    guard ccd_sha256(secret, secret.count, &digest) else { return nil }
    bytes = digest
  }

  /// As it was kept; nil for what is no digest.
  package init?(bytes: [UInt8]) {
    guard bytes.count == Int(CCD_SHA256_SIZE) else { return nil }
    self.bytes = bytes
  }

  /// To be kept: nobody gets from it to a secret drawn at random.
  package var kept: [UInt8] { bytes }

  /// Where to look for an equal one. Who can choose only secrets cannot choose it, so the time of a search tells nothing
  /// of a secret.
  package var bucket: UInt64 { bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

  /// 64 hexadecimal digits, as `sha256sum` prints them.
  package init?(hexadecimal text: some StringProtocol) {
    guard text.utf8.count == 64, text.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
    var bytes: [UInt8] = []
    var rest = Substring(text)
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    self.bytes = bytes
  }

  /// Takes the same time wherever two digests differ.
  package func matches(_ other: SecretDigest) -> Bool { ccd_equal(bytes, other.bytes, bytes.count) }

  package var description: String { "(secret)" }

  package var customMirror: Mirror { Mirror(self, children: []) }
}
