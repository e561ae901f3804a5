/// A public key of an issuer as it is written down (RFC 7517, RFC 7518 section 6, RFC 8037), taken apart and not judged.
package struct JSONWebKey: Hashable, Sendable {
  /// Longest `kid` that is kept.
  package static let mostBytesOfID = 256

  /// `kid`.
  package var id: String?
  /// `alg`: the only algorithm that it is for; nil: any that fits.
  package var algorithm: String?
  /// `kty`.
  package var type: String
  /// `crv`, where the kind of key has curves.
  package var curve: String?
  /// Unsigned numbers, highest byte first: `n` and `e`, or `x` and `y`, or `x`.
  package var numbers: [[UInt8]]
}

/// The keys that an issuer publishes.
package struct JSONWebKeySet: Hashable, Sendable {
  /// Largest document that is read.
  package static let bytes = 256 << 10
  /// Most keys of one.
  package static let most = 100

  /// Those that may verify a signature, in order. What is of a kind that is not known, for encryption or unreadable is left
  /// out, as RFC 7517, section 5, has it.
  package var keys: [JSONWebKey]

  /// - Throws: what is no document of keys at all, and more than ``most`` of them.
  package init(_ source: InputSource) throws(InputErrors) {
    guard source.data.count <= Self.bytes else {
      throw InputErrors(InputError(.tooLarge, "has more than \(Self.bytes >> 10) KiB", file: source.name))
    }
    let document = try source.value(limit: Self.bytes)
    guard case .list(let elements) = document["keys"] else {
      throw InputErrors(InputError(.wrongType, "must have an array of keys", file: source.name, pointer: "/keys"))
    }
    guard elements.count <= Self.most else {
      throw InputErrors(
        InputError(.outOfRange, "has more than \(Self.most) keys", file: source.name, pointer: "/keys"))
    }
    keys = elements.compactMap(Self.key)
  }

  private static func key(_ value: JSONValue) -> JSONWebKey? {
    guard let type = value["kty"].text, let names = ["RSA": ["n", "e"], "EC": ["x", "y"], "OKP": ["x"]][type],
      value["use"] == .null || value["use"] == "sig",
      value["key_ops"] == .null || value["key_ops"].elements.contains("verify")
    else { return nil }
    let numbers = names.compactMap { value[$0].text.flatMap { Base64URL.decode($0.utf8) } }
    let id = value["kid"].text
    guard numbers.count == names.count, numbers.allSatisfy({ !$0.isEmpty }),
      id.map({ $0.utf8.count <= JSONWebKey.mostBytesOfID }) ?? true
    else { return nil }
    return JSONWebKey(
      id: id, algorithm: value["alg"].text, type: type, curve: type == "RSA" ? nil : value["crv"].text, numbers: numbers
    )
  }
}
