import Foundation
import ParvaEngine
import ParvaFormats

/// A judged and bound plan as it is stored and as it is published.
struct FinishedPlan: Sendable {
  let stored: StoredPlan
  let published: PublishedPlan

  /// Its revision is that of the newest plan where nothing differs, neither for clients nor for nodes, else the next one
  /// that no node has seen. O(segments): never called on one of Swift's threads.
  ///
  /// - Parameter newest: the newest plan in the store.
  init(_ plan: Plan, for demand: Demand, on fleet: Fleet, after newest: StoredPlan?, at time: Date) {
    let json = PlanWriter.json(plan)
    let assignments =
      fleet.inventory.isEmpty
      ? nil : NodeAssignments(plan, nodes: fleet.nodes.values, workloads: demand.registrations)
    let told = assignments?.data ?? Data()
    if var same = newest, same.document == json, same.assignments == told, same.record.revision >= fleet.newestRevision
    {
      same.record.demandRevision = demand.revision
      stored = same
    } else {
      stored = StoredPlan(
        record: PlanRecord(
          revision: max(newest?.record.revision ?? 0, fleet.newestRevision) + 1, demandRevision: demand.revision,
          createdAt: time, planner: plan.planner, status: plan.status.rawValue, gpuCount: plan.summary.gpuCount,
          unplacedCount: plan.unplaced.count),
        document: json, assignments: told)
    }
    published = PublishedPlan(record: stored.record, plan: plan, json: json, assignments: assignments)
  }
}
