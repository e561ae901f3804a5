import CCodec

/// How a token may be signed (RFC 7518, section 3.1; RFC 8037, section 3.1). No HMAC and not `none`: a key that everybody
/// may read signs nothing.
package enum SignatureAlgorithm: String, Hashable, Sendable, CaseIterable {
  case rs256 = "RS256"
  case rs384 = "RS384"
  case rs512 = "RS512"
  case ps256 = "PS256"
  case ps384 = "PS384"
  case ps512 = "PS512"
  case es256 = "ES256"
  case es384 = "ES384"
  case es512 = "ES512"
  case edDSA = "EdDSA"

  fileprivate var kind: ccd_signature_kind {
    switch self {
    case .rs256: CCD_RS256
    case .rs384: CCD_RS384
    case .rs512: CCD_RS512
    case .ps256: CCD_PS256
    case .ps384: CCD_PS384
    case .ps512: CCD_PS512
    case .es256: CCD_ES256
    case .es384: CCD_ES384
    case .es512: CCD_ES512
    case .edDSA: CCD_EDDSA
    }
  }
}

/// The public half of a key that signs.
///
/// `@unchecked Sendable`: the C side is never changed once it is made, and verifies on any number of threads at a time.
package final class VerificationKey: @unchecked Sendable {
  package enum Curve: Hashable, Sendable {
    case p256, p384, p521
  }

  /// What makes a key, as unsigned numbers with their highest byte first.
  package enum Parameters: Hashable, Sendable {
    case rsa(modulus: [UInt8], exponent: [UInt8])
    case ec(Curve, x: [UInt8], y: [UInt8])
    case ed25519([UInt8])
  }

  package let parameters: Parameters
  private let key: OpaquePointer

  /// Nil for what is no key of its kind: an RSA modulus under 2048 or over 8192 bits, a point that is not on its curve.
  package init?(_ parameters: Parameters) {
    let made: OpaquePointer? =
      switch parameters {
      case .rsa(let modulus, let exponent): ccd_key_rsa(modulus, modulus.count, exponent, exponent.count)
      case .ec(let curve, let x, let y): x.count == y.count ? ccd_key_ec(Self.curve(curve), x, y, x.count) : nil
      case .ed25519(let x): ccd_key_ed25519(x, x.count)
      }
    guard let made else { return nil }
    self.parameters = parameters
    key = made
  }

  deinit { ccd_key_free(key) }

  private static func curve(_ curve: Curve) -> ccd_curve {
    switch curve {
    case .p256: CCD_P256
    case .p384: CCD_P384
    case .p521: CCD_P521
    }
  }

  /// The algorithms by which a key of this kind may sign; for a curve it is one (RFC 7518, section 3.4).
  package var algorithms: Set<SignatureAlgorithm> {
    switch parameters {
    case .rsa: [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512]
    case .ec(.p256, _, _): [.es256]
    case .ec(.p384, _, _): [.es384]
    case .ec(.p521, _, _): [.es512]
    case .ed25519: [.edDSA]
    }
  }

  /// Whether the holder of the key has signed this. 30 µs (RSA) to 2 ms (P-521).
  package func verifies(_ data: [UInt8], signature: [UInt8], by algorithm: SignatureAlgorithm) -> Bool {
    algorithms.contains(algorithm)
      && ccd_verify(key, algorithm.kind, data, data.count, signature, signature.count)
  }
}
