package import Foundation
import ParvaHTTP

/// Whose tokens are taken, and what for (OpenID Connect, RFC 7519).
package struct IssuerSettings: Sendable {
  /// Where the issuer's keys are read.
  package enum Keys: Hashable, Sendable {
    /// From the address that `/.well-known/openid-configuration` of the issuer names.
    case discovered
    case url(String)
    case file(String)
  }

  /// `iss` of its tokens, to the letter.
  package var issuer: String
  /// One of them has to be in a token's `aud`.
  package var audiences: [String]
  package var keys: Keys
  /// The greatest role of those that fit counts.
  package var rules: [IssuerRule]
  /// The claim by which callers are called in logs.
  package var nameClaim: [String]
  /// Seconds by which clocks may differ.
  package var skew: TimeInterval
  /// PEM of the authorities that its address is to be trusted by; nil: the system's.
  package var caFile: String?
  package var pace = KeyRefresh.Pace()
  /// Longest that a request waits for keys that are being read.
  package var wait = Duration.seconds(3)
  /// Longest that a reading of the keys takes, for each of its requests.
  package var timeout = Duration.seconds(5)

  static let mostBytesOfURL = 512
  package static let skews = 0...600

  /// - Parameters:
  ///   - keys: nil for discovery, else an address or the path of a file.
  ///   - rules: lines `ROLE CLAIM=VALUE`.
  /// - Throws: a sentence that names the option.
  package init(
    issuer: String, audiences: [String], keys: String? = nil, rules: [String], nameClaim: String = "sub",
    skew: Int = 60, caFile: String? = nil
  ) throws(IssuerSettingError) {
    try Self.check(issuer, "--oidc-issuer")
    guard !audiences.isEmpty, audiences.count <= 16, audiences.allSatisfy({ (1...512).contains($0.utf8.count) }) else {
      throw IssuerSettingError(
        "--oidc-issuer needs --oidc-audience, 1 to 16 of 1 to 512 characters: for whom its tokens are made.")
    }
    guard !rules.isEmpty, rules.count <= 256 else {
      throw IssuerSettingError("--oidc-issuer needs --oidc-role, 1 to 256 of them: what its tokens are good for.")
    }
    guard let nameClaim = IssuerRule.path(nameClaim) else {
      throw IssuerSettingError("--oidc-name-claim must be the name of a claim.")
    }
    guard Self.skews.contains(skew) else { throw IssuerSettingError("--oidc-skew must be 0 to 600 seconds.") }
    self.issuer = issuer
    self.audiences = audiences
    self.nameClaim = nameClaim
    self.skew = TimeInterval(skew)
    self.caFile = caFile
    if let keys, keys.contains("://") {
      try Self.check(keys, "--oidc-keys")
      self.keys = .url(keys)
    } else {
      self.keys = keys.map { .file($0) } ?? .discovered
    }
    self.rules = try rules.map { text throws(IssuerSettingError) in
      do {
        return try IssuerRule(text)
      } catch {
        throw IssuerSettingError("--oidc-role '\(text)' \(error).")
      }
    }
  }

  /// Keys that anybody between could change are worth nothing: HTTPS, or this machine itself.
  static func isTrustworthy(_ url: String) -> Bool {
    guard url.utf8.count <= mostBytesOfURL, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
      let parts = URLComponents(string: url), let host = parts.host, !host.isEmpty, parts.user == nil,
      parts.password == nil, parts.fragment == nil
    else { return false }
    return parts.scheme == "https"
      || parts.scheme == "http" && NetworkAddress.isLoopback(host: host)
  }

  private static func check(_ url: String, _ option: String) throws(IssuerSettingError) {
    guard isTrustworthy(url) else {
      throw IssuerSettingError(
        "\(option) must be an address of at most \(mostBytesOfURL) characters that begins with https:// (http:// for this "
          + "machine alone), without a user or a fragment.")
    }
  }
}
