package import Foundation

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
  /// The workload as this change left it, where it was about one that stays: others may have changed it since.
  package var registration: Registration?

  /// Whether this very request has changed something.
  package var isChange: Bool { effect != .unchanged && !isReplay }

  package init(
    _ effect: Effect, revision: Int, time: Date, isReplay: Bool = false, registration: Registration? = nil
  ) {
    self.effect = effect
    self.revision = revision
    self.time = time
    self.isReplay = isReplay
    self.registration = registration
  }
}

/// Why a change was refused.
package enum ChangeRefusal: Error, Hashable, Sendable {
  /// A workload of this id is there; `index` is its place in the request.
  case exists(id: String, index: Int)
  case notFound
  /// The precondition does not hold; `current` is the resource's revision.
  case preconditionFailed(current: Int?)
  /// One of the workloads is not as it was when the change was worked out; it is to be worked out anew.
  case raced
  /// The idempotency key was used for another request.
  case keyReused
  /// More registrations than the controller takes.
  case tooMany(limit: Int)
  /// A workload is to be in a namespace that is not there.
  case unknownNamespace(String)
  case namespaceExists(String)
  /// Only what holds nothing can be taken away.
  case namespaceInUse(String, workloads: Int)
  /// That of all bare ids stays.
  case namespaceStays
  case tooManyNamespaces(limit: Int)
  case quotaExceeded(QuotaExcess)
  /// More profiles than the controller keeps, of everybody's or of a namespace's own.
  case tooManyProfiles(limit: Int, in: String?)
  /// More points than a namespace's own profiles may have together.
  case tooManyPoints(limit: Int, in: String)
  /// The store cannot take the change; nothing was done.
  case storeFailed(StoreError)
}
