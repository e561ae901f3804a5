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
