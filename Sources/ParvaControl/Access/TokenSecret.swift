import Foundation
import ParvaHTTP

/// New tokens and their ids, from the kernel's random numbers.
package enum TokenSecret {
  /// What every token begins with, so that scanners of repositories and logs know one when they see it.
  package static let prefix = "parva_"

  /// A token of 256 random bits, and what is kept of it; nil only when OpenSSL refuses.
  ///
  /// One round of SHA-256 is enough to keep: nobody guesses 256 bits, however fast a guess is, and a slow hash, as
  /// passwords need, would cost every request.
  static func make() -> (secret: String, digest: SecretDigest)? {
    let secret = prefix + base64URL(random(bytes: 32))
    return SecretDigest(of: secret).map { (secret, $0) }
  }

  static func makeID() -> String { "tok-" + random(bytes: 10).map(hexadecimal).joined() }

  private static func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

  private static func random(bytes: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }

  /// RFC 4648, section 5, without padding.
  private static func base64URL(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }
}
