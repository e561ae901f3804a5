import Foundation

/// The parts of a JSON Web Token in its compact form (RFC 7519, RFC 7515 section 7.1), taken apart and not believed:
/// nothing of it counts before its signature does.
package struct SignedToken: Hashable, Sendable {
  /// Longest token that is looked at: with the field's other bytes it fits the head of a request.
  package static let bytes = 12 << 10

  package enum Fault: Error, Hashable, Sendable {
    /// Not three parts of base64url, or its header is no object with an `alg`.
    case malformed
    /// It has members of `crit`: without knowing what they mean, nobody may take it (RFC 7515, section 4.1.11).
    case criticalExtension
  }

  /// `alg`, as the sender says it.
  package var algorithm: String
  /// `kid`.
  package var keyID: String?
  /// What is signed: header and payload as they were sent.
  package var signed: [UInt8]
  package var signature: [UInt8]
  /// The bytes between the dots, decoded, not read yet.
  package var payload: [UInt8]

  /// Whether a text has the form of one, so that it is nobody else's token.
  package static func looksLike(_ text: String) -> Bool { text.utf8.count { $0 == UInt8(ascii: ".") } == 2 }

  /// O(bytes).
  package init(_ text: String) throws(Fault) {
    guard text.utf8.count <= Self.bytes else { throw .malformed }
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
      let signature = Base64URL.decode(parts[2]), !signature.isEmpty
    else { throw .malformed }
    guard let members = Self.object(header), let algorithm = members["alg"].text else { throw .malformed }
    guard members["crit"] == .null else { throw .criticalExtension }
    switch members["kid"] {
    case .null: keyID = nil
    case .string(let text) where text.utf8.count <= JSONWebKey.mostBytesOfID: keyID = text
    default: throw .malformed
    }
    // An encrypted token, or one of another kind (RFC 8725, section 3.11), is not what is asked for.
    switch members["typ"] {
    case .null: break
    case .string(let type) where ["jwt", "at+jwt", "application/at+jwt"].contains(type.lowercased()): break
    default: throw .malformed
    }
    self.algorithm = algorithm
    self.payload = payload
    self.signature = signature
    signed = Array(text.utf8.prefix(parts[0].count + 1 + parts[1].count))
  }

  /// The members of the payload; nil where it is no object. To be asked once the signature counts.
  package var claims: JSONValue? { Self.object(payload) }

  private static func object(_ bytes: [UInt8]) -> JSONValue? {
    guard let value = try? InputSource(Data(bytes), format: .json).value(limit: Self.bytes), case .object = value else {
      return nil
    }
    return value
  }
}

/// RFC 4648, section 5, without padding, in its one canonical form: what stands for the same bytes is the same text, so
/// that no bit of a token can be changed without changing what it says.
package enum Base64URL {
  /// Nil for anything else. O(bytes).
  package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count * 3 / 4)
    var bits: UInt32 = 0
    var held = 0
    for byte in text {
      guard let value = value(byte) else { return nil }
      bits = bits << 6 | value
      held += 6
      if held >= 8 {
        held -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> held))
      }
    }
    return bits & (1 << held - 1) == 0 ? bytes : nil
  }

  private static func value(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "-"): 62
    case UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
