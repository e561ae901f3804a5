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
    /// Replaces workloads, all of them or none. Each was read at the revision beside it, or the change was raced.
    case change([(workload: Workload, readAt: Int)])
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
