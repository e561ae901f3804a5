import Foundation
import ParvaEngine
import ParvaFormats

/// A judged and bound plan as it is stored, from which it is published.
struct FinishedPlan: Sendable {
  let stored: StoredPlan
  let plan: Plan
  /// Its document, for the next plan's; nil where it was not written here.
  let written: WrittenPlan?
  private let assignments: NodeAssignments?

  /// As clients see it. O(segments).
  func published() -> PublishedPlan {
    PublishedPlan(record: stored.record, plan: plan, json: stored.document, assignments: assignments)
  }

  /// Its revision is that of the newest plan where nothing differs, neither for clients nor for nodes, else the next one
  /// that no node has seen. O(segments): never called on one of Swift's threads.
  ///
  /// - Parameters:
  ///   - newest: the newest plan in the store.
  ///   - written: the document of a plan before, of which much may be in this one.
  ///   - cause: worked out only for a plan of its own.
  init(
    _ plan: Plan, for demand: Demand, on fleet: Fleet, after newest: StoredPlan?, written: WrittenPlan?, at time: Date,
    cause: (PlanRecord?) -> PlanCause
  ) {
    let document = WrittenPlan(plan, after: written)
    let json = document.json
    let assignments =
      fleet.inventory.isEmpty
      ? nil : NodeAssignments(plan, nodes: fleet.nodes.values, workloads: demand.registrations)
    let told = assignments?.data ?? Data()
    if var same = newest, same.document == json, same.assignments == told, same.record.revision >= fleet.newestRevision
    {
      same.record.demandRevision = demand.revision
      same.record.fleet = fleet.inventory.fingerprint
      stored = same
      // Only one of two equal documents is kept.
      self.written = written
    } else {
      stored = StoredPlan(
        record: PlanRecord(
          revision: max(newest?.record.revision ?? 0, fleet.newestRevision) + 1, demandRevision: demand.revision,
          createdAt: time, planner: plan.planner, status: plan.status.rawValue, gpuCount: plan.summary.gpuCount,
          lowerBound: plan.summary.lowerBound, unplacedCount: plan.unplaced.count, cause: cause(newest?.record),
          fleet: fleet.inventory.fingerprint),
        document: json, assignments: told)
      self.written = document
    }
    (self.plan, self.assignments) = (plan, assignments)
  }

  /// An earlier plan as a new one: nodes are told of it by the workloads' launches of today.
  init(
    bringingBack earlier: StoredPlan, _ plan: Plan, for demand: Demand, on fleet: Fleet, after newest: StoredPlan?,
    at time: Date, by author: PlanCause.Author?
  ) {
    let assignments =
      fleet.inventory.isEmpty
      ? nil : NodeAssignments(plan, nodes: fleet.nodes.values, workloads: demand.registrations)
    var cause = PlanCause([.rollback], after: newest?.record.revision)
    cause.broughtBack = earlier.record.revision
    cause.who = author.map { [$0] }
    var record = earlier.record
    record.revision = max(newest?.record.revision ?? 0, fleet.newestRevision) + 1
    written = nil
    (record.createdAt, record.cause, record.fleet) = (time, cause, fleet.inventory.fingerprint)
    stored = StoredPlan(record: record, document: earlier.document, assignments: assignments?.data ?? Data())
    (self.plan, self.assignments) = (plan, assignments)
  }
}
