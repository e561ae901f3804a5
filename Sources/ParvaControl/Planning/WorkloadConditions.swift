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

/// Since when what is so of workloads is so. It keeps status, reason and time of each condition; the rest is told by what is.
///
/// Only ``look()`` notes what has changed, one look after the other: who asks meanwhile sees what was noted.
package final class WorkloadConditions: Sendable {
  private struct Mark: Sendable {
    var status: ConditionDocument.Status
    var reason: String
    var since: Date

    func isSame(as condition: Condition) -> Bool { status == condition.status && reason == condition.reason }
  }

  /// In the order of the conditions.
  private struct Marks: Sendable {
    var planned: Mark
    var running: Mark
    var up: Mark

    var rows: [Mark?] { [planned, running, up] }
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
    let date = now()
    let marks = state.withLock { $0.marks[id] }
    return zip(status.conditions, marks?.rows ?? [nil, nil, nil]).map { condition, mark in
      Self.document(condition, since: mark.flatMap { $0.status == condition.status ? $0.since : nil } ?? date)
    }
  }

  private static func document(_ condition: Condition, since: Date) -> ConditionDocument {
    ConditionDocument(
      type: condition.type, status: condition.status, reason: condition.reason, message: condition.message,
      since: Timestamp.text(since))
  }

  /// Notes what is so now, and tells those conditions of which status or reason is another than before.
  private func note(_ conditions: [Condition], of id: String, at date: Date, isSilent: Bool) {
    state.withLock { state in
      let before = state.marks[id]?.rows ?? [nil, nil, nil]
      if zip(before, conditions).allSatisfy({ $0?.isSame(as: $1) == true }) { return }
      let rows = zip(before, conditions).map { mark, condition in
        Mark(
          status: condition.status, reason: condition.reason,
          since: mark.flatMap { $0.status == condition.status ? $0.since : nil } ?? date)
      }
      state.marks[id] = Marks(planned: rows[0], running: rows[1], up: rows[2])
      if isSilent { return }
      let changed = conditions.indices.filter { before[$0]?.isSame(as: conditions[$0]) != true }
        .map { Self.document(conditions[$0], since: rows[$0].since) }
      events.add("workload", of: News(id: id, conditions: changed))
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
    let date = now()
    // What is so at the start is no news.
    let (isOther, isFirst) = state.withLock { state in
      defer { state.seen = seen }
      return (state.seen != seen, state.seen == nil)
    }
    func weigh(_ registration: Registration) {
      let status = WorkloadStatus(of: registration, on: view, running: nodes.running(registration.id))
      note(status.conditions, of: registration.id, at: date, isSilent: isFirst)
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
