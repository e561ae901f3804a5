package import Foundation
package import ParvaEngine

/// One request to change the demand: done whole or not at all.
package struct DemandChange: Sendable {
  package enum Operation: Sendable {
    /// Registers workloads under ids that are free.
    case create([Workload])
    /// Registers a workload or replaces the one with its id.
    case put(Workload)
    /// Makes these the only workloads.
    case replaceAll([Workload])
    case delete(String)
    case putProfile(ModelProfile)
    case deleteProfile(ProfileKey)
  }

  package var operation: Operation
  package var precondition: Precondition
  package var claim: IdempotencyClaim?

  package init(_ operation: Operation, if precondition: Precondition = .none, claim: IdempotencyClaim? = nil) {
    self.operation = operation
    self.precondition = precondition
    self.claim = claim
  }
}

/// What a client wants to be true of the resource at the moment of its change (RFC 9110, section 13.1).
package enum Precondition: Hashable, Sendable {
  case none
  /// `If-Match: *`
  case exists
  /// `If-None-Match: *`
  case absent
  /// `If-Match` with tags: the resource is at one of these revisions.
  case revision([Int])

  /// Whether it holds for a resource at `current`, nil where there is none.
  func holds(at current: Int?) -> Bool {
    switch self {
    case .none: true
    case .exists: current != nil
    case .absent: current == nil
    case .revision(let wanted): current.map(wanted.contains) ?? false
    }
  }
}

/// A client's word that requests under one key are one request.
package struct IdempotencyClaim: Hashable, Sendable {
  package var key: String
  /// Hash of method, path and body: the same key with another request is a client's mistake.
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

/// What a change has done; it is on disk when a caller sees this.
package struct ChangeReceipt: Sendable {
  package enum Effect: Hashable, Sendable {
    case created, replaced, deleted
    /// Everything was so already; the revision did not grow.
    case unchanged
  }

  package var effect: Effect
  /// Demand revision after the change.
  package var revision: Int
  package var time: Date
  /// Whether an earlier request with the same idempotency key had done it.
  package var isReplay: Bool

  package init(_ effect: Effect, revision: Int, time: Date, isReplay: Bool = false) {
    self.effect = effect
    self.revision = revision
    self.time = time
    self.isReplay = isReplay
  }
}

/// Why a change was refused.
package enum ChangeRefusal: Error, Hashable, Sendable {
  /// A workload of this id is there; `index` is its place in the request.
  case exists(id: String, index: Int)
  case notFound
  /// The precondition does not hold; `current` is the resource's revision.
  case preconditionFailed(current: Int?)
  /// The idempotency key was used for another request.
  case keyReused
  /// More registrations than the controller takes.
  case tooMany(limit: Int)
  /// More profiles than the controller keeps.
  case tooManyProfiles(limit: Int)
  /// The store cannot take the change; nothing was done.
  case storeFailed(StoreError)
}
