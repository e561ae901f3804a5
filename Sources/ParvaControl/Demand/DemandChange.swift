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
    /// Declares a namespace whose name is free.
    case createNamespace(String, NamespaceTerms)
    /// Declares a namespace or replaces what was declared of it.
    case putNamespace(String, NamespaceTerms)
    /// Takes away a namespace that holds nothing.
    case deleteNamespace(String)
  }

  package var operation: Operation
  package var precondition: Precondition
  package var claim: IdempotencyClaim?
  /// The namespace that is all there is for who asks; nil: everything is. Workloads have their qualified ids in any case.
  package var namespace: String?

  package init(
    _ operation: Operation, if precondition: Precondition = .none, claim: IdempotencyClaim? = nil,
    in namespace: String? = nil
  ) {
    self.operation = operation
    self.precondition = precondition
    self.claim = claim
    self.namespace = namespace
  }
}
