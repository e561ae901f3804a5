package import Foundation

/// A client's word that requests under one key are one request.
package struct IdempotencyClaim: Hashable, Sendable {
  /// How long a claim is honoured, in seconds.
  package static let lifetime: TimeInterval = 24 * 3600

  package var key: String
  /// Hash of method, path, query and body: the same key with another request is a client's mistake.
  package var fingerprint: UInt64

  package init(key: String, fingerprint: UInt64) {
    self.key = key
    self.fingerprint = fingerprint
  }
}

/// A claim that was honoured, and by which change.
package struct HonouredClaim: Hashable, Sendable {
  package var claim: IdempotencyClaim
  /// Demand revision that the change made.
  package var revision: Int
  package var time: Date

  package init(_ claim: IdempotencyClaim, revision: Int, time: Date) {
    self.claim = claim
    self.revision = revision
    self.time = time
  }
}
