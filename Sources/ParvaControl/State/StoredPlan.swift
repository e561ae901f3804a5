package import Foundation
package import ParvaFormats

/// What is known of a plan without its document.
package struct PlanRecord: Hashable, Sendable {
  /// From 1, one more for every plan that differs from the one before it.
  package var revision: Int
  /// The newest demand revision that this plan was found to serve.
  package var demandRevision: Int
  package var createdAt: Date
  package var planner: String
  package var status: String
  package var gpuCount: Int
  /// GPUs that no plan for the same can do without, as far as that was proven.
  package var lowerBound: Double?
  package var unplacedCount: Int
  /// Why it was made; nil for plans of versions that did not keep it.
  package var cause: PlanCause?
  /// What the nodes offered when it was last found to serve; nil for plans of versions that did not keep it.
  package var fleet: UInt64?

  package init(
    revision: Int, demandRevision: Int, createdAt: Date, planner: String, status: String, gpuCount: Int,
    lowerBound: Double? = nil, unplacedCount: Int, cause: PlanCause? = nil, fleet: UInt64? = nil
  ) {
    self.revision = revision
    self.demandRevision = demandRevision
    self.createdAt = createdAt
    self.planner = planner
    self.status = status
    self.gpuCount = gpuCount
    self.lowerBound = lowerBound
    self.unplacedCount = unplacedCount
    self.cause = cause
    self.fleet = fleet
  }

  /// What the plan is named by in its documents.
  package var identity: PlanIdentity { PlanIdentity(revision: revision, demandRevision: demandRevision) }
}

/// A plan as it was published.
package struct StoredPlan: Hashable, Sendable {
  package var record: PlanRecord
  /// The JSON document, byte for byte.
  package var document: Data
  /// What each node is told of it, as JSON; empty for a plan that is bound to no nodes.
  package var assignments: Data

  package init(record: PlanRecord, document: Data, assignments: Data = Data()) {
    self.record = record
    self.document = document
    self.assignments = assignments
  }
}
