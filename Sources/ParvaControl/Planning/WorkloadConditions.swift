import Foundation
import ParvaEngine
package import ParvaWire
import Synchronization

extension WorkloadStatus {
  /// What is so of the workload, by level.
  var conditions: [Condition] {
    let planned =
      capacityPlanned == nil
      ? Condition("Planned", .unknown, code ?? "no_plan_yet", message ?? "no plan covers its last change yet")
      : capacityPlanned == 0
        ? Condition("Planned", .isFalse, code ?? "not_planned", message ?? "the current plan gives it nothing")
        : Condition(
          "Planned", .isTrue, "planned",
          "revision \(planRevision ?? 0) gives it \((capacityPlanned ?? 0).shortText) requests/s")
    guard let capacityUp else {
      let text = "no node is registered"
      return [
        planned, Condition("Running", .unknown, "no_nodes", text), Condition("CapacityUp", .unknown, "no_nodes", text),
      ]
    }
    let up = "\(capacityUp.shortText) requests/s are known to run"
    return [
      planned,
      Condition("Running", capacityUp > 0 ? .isTrue : .isFalse, capacityUp > 0 ? "running" : "nothing_runs", up),
      state == .served
        ? Condition("CapacityUp", .isTrue, "served", up)
        : Condition("CapacityUp", .isFalse, code ?? "not_applied", message ?? up),
    ]
  }
}

/// Since when what is so of workloads is so. It keeps a status and a time for each condition; the rest is told by what is.
package final class WorkloadConditions: Sendable {
  private struct Mark: Sendable {
    var status: ConditionDocument.Status
    var since: Date
  }

  /// In the order of the conditions.
  private struct Marks: Sendable {
    var planned: Mark
    var running: Mark
    var up: Mark
  }

  private struct News: Encodable {
    var id: String
    var conditions: [ConditionDocument]
  }

  private struct State {
    var marks: [String: Marks] = [:]
    var seen: Seen?
  }

  /// What all workloads are looked at anew for.
  private struct Seen: Equatable {
    var plan: Int?
    var attempted: Int
    var demand: Int
    var hasNodes: Bool
  }

  private let registry: DemandRegistry
  private let nodes: NodeRegistry
  private let board: PlanBoard
  private let events: EventLog
  private let now: @Sendable () -> Date
  private let state = Mutex(State())

  init(
    registry: DemandRegistry, nodes: NodeRegistry, board: PlanBoard, events: EventLog,
    now: @escaping @Sendable () -> Date
  ) {
    (self.registry, self.nodes, self.board, self.events, self.now) = (registry, nodes, board, events, now)
  }

  /// The conditions of a workload whose status is this now. O(1).
  package func documents(of status: WorkloadStatus, _ id: String) -> [ConditionDocument] {
    let (conditions, date) = (status.conditions, now())
    return state.withLock { state in
      let before = state.marks[id]
      func mark(_ index: Int, _ before: Mark?) -> Mark {
        let status = conditions[index].status
        if let before, before.status == status { return before }
        return Mark(status: status, since: date)
      }
      let marks = Marks(
        planned: mark(0, before?.planned), running: mark(1, before?.running), up: mark(2, before?.up))
      state.marks[id] = marks
      let documents = zip(conditions, [marks.planned, marks.running, marks.up]).map { condition, mark in
        ConditionDocument(
          type: condition.type, status: condition.status, reason: condition.reason, message: condition.message,
          since: Timestamp.text(mark.since))
      }
      let old = before.map { [$0.planned.status, $0.running.status, $0.up.status] }
      let changed = documents.indices.filter { old?[$0] != documents[$0].status }.map { documents[$0] }
      if !changed.isEmpty { events.add("workload", of: News(id: id, conditions: changed)) }
      return documents
    }
  }

  /// Looks at the workloads of which something may have changed: all after another plan or demand, else those of nodes that
  /// have said something new. O(those).
  func look() {
    let (view, touched) = (board.view, nodes.takeTouchedWorkloads())
    let demand = registry.snapshot
    let seen = Seen(
      plan: view.plan?.record.revision, attempted: view.attempted, demand: demand.revision,
      hasNodes: nodes.counted.nodes.values.contains { $0 > 0 })
    let isOther = state.withLock { state in
      defer { state.seen = seen }
      return state.seen != seen
    }
    func weigh(_ registration: Registration) {
      let status = WorkloadStatus(of: registration, on: view, running: nodes.running(registration.id))
      _ = documents(of: status, registration.id)
    }
    guard isOther else {
      for id in touched.sorted() { if let registration = demand.registrations[id] { weigh(registration) } }
      return
    }
    for registration in demand.registrations.rows { weigh(registration) }
    state.withLock { state in
      for id in state.marks.keys.sorted() where demand.registrations[id] == nil {
        state.marks[id] = nil
        events.add("workload", of: News(id: id, conditions: []))
      }
    }
  }
}
