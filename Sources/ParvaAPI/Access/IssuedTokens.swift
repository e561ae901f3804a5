package import Foundation
import ParvaControl
import ParvaFormats
package import ParvaHTTP
import Synchronization

/// Judges tokens that an issuer has signed (RFC 7519, RFC 8725), and remembers those that were found good.
package final class IssuedTokens: Sendable {
  /// Why a token does not count; the code is stable.
  package enum Refusal: String, Error, Hashable, Sendable, CaseIterable {
    case malformed = "token_malformed"
    case algorithm = "token_algorithm_refused"
    case unknownKey = "token_key_unknown"
    case signature = "token_signature_invalid"
    case issuer = "token_issuer_invalid"
    case audience = "token_audience_invalid"
    case expired = "token_expired"
    case notYet = "token_not_yet_valid"
    case claims = "token_claims_invalid"
    /// The one that is 403: the token counts, and is good for nothing.
    case noRole = "token_role_missing"

    /// What is wrong and what to do; says nothing of what would be right.
    package var sentence: String {
      switch self {
      case .malformed: "The token is not a signed JSON Web Token of at most \(SignedToken.bytes >> 10) KiB."
      case .algorithm:
        "The token is not signed in a way that this server takes, or not in one that fits its key: RS, PS or ES with 256, 384 "
          + "or 512 bits, or EdDSA."
      case .unknownKey:
        "The token is signed with a key that the issuer does not publish, or has not been asked for yet; ask it for a new "
          + "token, or try again."
      case .signature: "The token's signature is not its key's."
      case .issuer: "The token is of another issuer than this server's."
      case .audience: "The token is made for others than this server."
      case .expired: "The token has run out; ask the issuer for a new one."
      case .notYet: "The token does not count yet; the issuer's clock, or this server's, may be wrong."
      case .claims: "The token has no exp or no sub, or a claim of a wrong form."
      case .noRole:
        "The token counts, and none of its claims gives a role here; an operator grants one with --oidc-role."
      }
    }
  }

  private struct Entry {
    var digest: SecretDigest
    var caller: Caller
    var key: VerificationKey
  }

  private struct State {
    /// By the beginnings of digests.
    var entries: [UInt64: [Entry]] = [:]
    var count = 0

    mutating func remove(where isGone: (Entry) -> Bool) {
      for (bucket, list) in entries {
        let kept = list.filter { !isGone($0) }
        count -= list.count - kept.count
        entries[bucket] = kept.isEmpty ? nil : kept
      }
    }
  }

  /// Good tokens that are remembered; a further one takes the place of any.
  package static let most = 16_384
  /// The latest end that a token may have: that of the year 9999.
  private static let latest = 253_402_300_799.0

  let settings: IssuerSettings
  package let keys: IssuerKeys
  private let now: @Sendable () -> Date
  private let state = Mutex(State())

  package init(_ settings: IssuerSettings, keys: IssuerKeys, now: @escaping @Sendable () -> Date = { Date() }) {
    self.settings = settings
    self.keys = keys
    self.now = now
    keys.tell { [weak self] ring in self?.keep(ring) }
  }

  /// How many are remembered.
  package var count: Int { state.withLock(\.count) }

  /// Whose token this is: for a token that was found good before the digest of it, else a signature.
  package func caller(of token: String) throws(Refusal) -> Caller {
    guard token.utf8.count <= SignedToken.bytes, let digest = SecretDigest(of: token) else { throw .malformed }
    let time = now()
    let known = state.withLock { state in
      state.entries[digest.bucket]?.first { $0.digest.matches(digest) }?.caller
    }
    if let known, !known.hasEnded, let end = known.expiresAt, time < end, keys.areFresh { return known }
    let (caller, key) = try judge(token, at: time)
    return remember(Entry(digest: digest, caller: caller, key: key), at: time)
  }

  /// The first check that fails is told. Nothing that the token says counts before its signature does.
  private func judge(_ text: String, at time: Date) throws(Refusal) -> (Caller, VerificationKey) {
    let token: SignedToken
    do throws(SignedToken.Fault) {
      token = try SignedToken(text)
    } catch {
      throw .malformed
    }
    guard let algorithm = SignatureAlgorithm(rawValue: token.algorithm) else { throw .algorithm }
    let candidates: [VerificationKey]
    switch keys.keys(id: token.keyID, algorithm) {
    case .keys(let keys): candidates = keys
    case .unknown: throw .unknownKey
    case .unfit: throw .algorithm
    }
    guard let key = candidates.first(where: { $0.verifies(token.signed, signature: token.signature, by: algorithm) })
    else {
      throw .signature
    }
    guard let claims = token.claims else { throw .malformed }
    return (try caller(claims, at: time), key)
  }

  private func caller(_ claims: JSONValue, at time: Date) throws(Refusal) -> Caller {
    guard claims["iss"].text == settings.issuer else { throw .issuer }
    let audiences = claims["aud"].text.map { [$0] } ?? claims["aud"].elements.compactMap(\.text)
    guard audiences.contains(where: settings.audiences.contains) else { throw .audience }
    let end = try date(claims["exp"])
    guard let end else { throw .claims }
    guard time < end + settings.skew else { throw .expired }
    for claim in ["nbf", "iat"] {
      if let start = try date(claims[claim]), time + settings.skew < start { throw .notYet }
    }
    guard let subject = claims["sub"].text, Self.isName(subject) else { throw .claims }
    var granted: IssuerRule.Grant?
    for rule in settings.rules {
      if let grant = rule.grant(claims), granted.map({ grant.level > $0.level }) ?? true { granted = grant }
    }
    guard let granted else { throw .noRole }
    let name = IssuerRule.texts(claims, at: settings.nameClaim).first
    return Caller(
      name: name.flatMap { Self.isName($0) ? $0 : nil } ?? subject, id: "oidc:\(subject)@\(settings.issuer)",
      role: granted.role.rawValue, node: granted.node, namespace: granted.namespace,
      expiresAt: end + settings.skew)
  }

  /// Nil where there is none.
  private func date(_ claim: JSONValue) throws(Refusal) -> Date? {
    if claim == .null { return nil }
    guard let number = claim.number, (0...Self.latest).contains(number) else { throw .claims }
    return Date(timeIntervalSince1970: number)
  }

  /// What may stand in a log and in the audit: OpenID Connect Core 1.0, section 2, has a subject of at most 255 characters of
  /// ASCII.
  private static func isName(_ text: String) -> Bool {
    (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
  }

  /// The caller that stands for this token: who has come first, so that its end reaches all that it opened.
  private func remember(_ entry: Entry, at time: Date) -> Caller {
    state.withLock { state in
      let isGood = { (caller: Caller) in !caller.hasEnded && (caller.expiresAt ?? .distantPast) > time }
      if let first = state.entries[entry.digest.bucket]?.first(where: { $0.digest.matches(entry.digest) }),
        isGood(first.caller)
      {
        return first.caller
      }
      if state.count >= Self.most { state.remove { !isGood($0.caller) } }
      if state.count >= Self.most, let (bucket, list) = state.entries.first {
        state.entries[bucket] = nil
        state.count -= list.count
      }
      state.entries[entry.digest.bucket, default: []].removeAll {
        let isOlder = $0.digest.matches(entry.digest)
        if isOlder { state.count -= 1 }
        return isOlder
      }
      state.entries[entry.digest.bucket, default: []].append(entry)
      state.count += 1
      return entry.caller
    }
  }

  /// Ends what was opened by tokens of keys that the issuer has withdrawn.
  private func keep(_ ring: KeyRing) {
    let gone = state.withLock { state in
      let gone = state.entries.values.flatMap { $0.filter { !ring.holds($0.key) } }
      if !gone.isEmpty { state.remove { !ring.holds($0.key) } }
      return gone
    }
    for entry in gone { entry.caller.end() }
  }
}
