import ParvaFormats
import ParvaHTTP

/// The keys of an issuer that are in force.
struct KeyRing: Sendable {
  struct Entry: Sendable {
    var id: String?
    /// Nil: any that the key can.
    var algorithm: SignatureAlgorithm?
    var key: VerificationKey

    func fits(_ other: SignatureAlgorithm) -> Bool {
      key.algorithms.contains(other) && (algorithm.map { $0 == other } ?? true)
    }
  }

  /// Keys of one id that are tried; more of them say nothing that one could act on.
  private static let mostOfOneID = 4

  private(set) var entries: [Entry] = []

  init() {}

  /// Keys that were there before stay the same objects. What is no key, or for an algorithm that is not taken, is left out.
  init(_ set: JSONWebKeySet, after older: KeyRing) {
    entries = set.keys.compactMap { written in
      var algorithm: SignatureAlgorithm?
      if let name = written.algorithm {
        guard let known = SignatureAlgorithm(rawValue: name) else { return nil }
        algorithm = known
      }
      guard let parameters = Self.parameters(written),
        let key = older.entries.first(where: { $0.key.parameters == parameters })?.key ?? VerificationKey(parameters)
      else { return nil }
      return Entry(id: written.id, algorithm: algorithm, key: key)
    }
  }

  private static func parameters(_ written: JSONWebKey) -> VerificationKey.Parameters? {
    let numbers = written.numbers
    switch (written.type, written.curve, numbers.count) {
    case ("RSA", _, 2): return .rsa(modulus: numbers[0], exponent: numbers[1])
    case ("EC", "P-256", 2): return .ec(.p256, x: numbers[0], y: numbers[1])
    case ("EC", "P-384", 2): return .ec(.p384, x: numbers[0], y: numbers[1])
    case ("EC", "P-521", 2): return .ec(.p521, x: numbers[0], y: numbers[1])
    case ("OKP", "Ed25519", 1): return .ed25519(numbers[0])
    default: return nil
    }
  }

  func holds(_ key: VerificationKey) -> Bool { entries.contains { $0.key === key } }

  enum Answer {
    case keys([VerificationKey])
    /// No key of this id.
    case unknown
    /// There is one, and it is not for this algorithm.
    case unfit
  }

  /// The keys that may have signed. A token without an id is by the only key that fits its algorithm.
  func keys(id: String?, _ algorithm: SignatureAlgorithm) -> Answer {
    let fitting = entries.filter { $0.fits(algorithm) && (id == nil || $0.id == id) }
    guard let id else { return fitting.count == 1 ? .keys(fitting.map(\.key)) : .unknown }
    if fitting.isEmpty { return entries.contains { $0.id == id } ? .unfit : .unknown }
    return .keys(fitting.prefix(Self.mostOfOneID).map(\.key))
  }
}
