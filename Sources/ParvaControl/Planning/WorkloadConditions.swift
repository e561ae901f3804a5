import Foundation
import ParvaEngine
import ParvaFormats
package import ParvaWire
import Synchronization

extension WorkloadStatus {
  /// What a plan gives, in requests per second.
  static func gives(_ revision: Int, _ capacity: Double) -> String {
    "revision \(revision) gives it \(capacity.shortText) requests/s"
  }

  /// What is so of the workload, by level.
  var conditions: [Condition] {
    let planned =
      capacityPlanned == nil
      ? Condition("Planned", .unknown, code ?? "no_plan_yet", message ?? "no plan covers its last change yet")
      : capacityPlanned == 0
        ? Condition("Planned", .isFalse, code ?? "not_planned", message ?? "the current plan gives it nothing")
        : Condition(
          "Planned", .isTrue, "planned",
          Self.gives(planRevision ?? 0, capacityPlanned ?? 0))
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
  private struct Mark: Hashable, Sendable {
    var status: ConditionDocument.Status
    var reason: String
    var since: Date
  }

  /// In the order of the conditions.
  private struct Marks: Hashable, Sendable {
    var planned: Mark
    var running: Mark
    var up: Mark
    /// Nil where nobody looks at traffic.
    var traffic: Mark?

    var rows: [Mark?] { [planned, running, up, traffic] }
  }

  /// What a look has found out, of which no more is kept than the log of events does.
  private struct Findings {
    private(set) var newest: [(news: WorkloadNews, labels: [String: String], own: WorkloadNews?)] = []
    private(set) var gone = 0

    mutating func add(_ news: WorkloadNews, _ labels: [String: String], own: WorkloadNews?) {
      newest.append((news, labels, own))
      guard newest.count >= 2 * EventLog.capacity else { return }
      gone += EventLog.capacity
      newest.removeFirst(EventLog.capacity)
    }
  }

  private struct State {
    var marks: [String: Marks] = [:]
    /// What was told between two looks and is not noted yet, so that it is told with one time.
    var told: [String: Marks] = [:]
    /// Nil before the first look.
    var seen: Seen?
    /// Workloads that no plan covered when they were last looked at: what is told of them follows attempts, too.
    var uncovered: Set<String> = []
    /// Revision and rate of each workload as it was served in full last, and those of the same revision that are not any more
    /// at no higher rate.
    var served: [String: (revision: Int, rate: Double)] = [:]
    var lost: Set<String> = []
    /// When the rate of some workload goes by its schedule next, in whole seconds since 1970; nil where that is not known.
    var nextStep: Int?
    /// The same of each that has one.
    var steps: [String: Int] = [:]

    mutating func note(_ id: String, isServed: Bool, revision: Int, rate: Double) {
      if isServed {
        served[id] = (revision, rate)
        lost.remove(id)
      } else if let before = served[id], before.revision == revision, before.rate >= rate {
        lost.insert(id)
      } else {
        lost.remove(id)
      }
    }

    /// Of workloads that have any, as they were last looked at, for the news that one is gone.
    var labels: [String: [String: String]] = [:]

    /// What is so now, each since its status is.
    func marks(of conditions: [Condition], _ id: String, at date: Date) -> Marks {
      func mark(_ index: Int) -> Mark {
        let condition = conditions[index]
        let known = [marks[id]?.rows[index], told[id]?.rows[index]].lazy.compactMap(\.self)
        let since = known.first { $0.status == condition.status }?.since ?? date
        return Mark(status: condition.status, reason: condition.reason, since: since)
      }
      return Marks(
        planned: mark(0), running: mark(1), up: mark(2), traffic: conditions.count > 3 ? mark(3) : nil)
    }
  }

  /// What the last look went by.
  private struct Seen {
    var plan: PublishedPlan?
    var hasNodes: Bool
    var readings: Int
  }

  private let registry: DemandRegistry
  private let nodes: NodeRegistry
  private let board: PlanBoard
  private let events: EventLog
  private let now: @Sendable () -> Date
  private let observed: Observed
  /// What was noted so far.
  package let history = WorkloadHistory()
  private let state = Mutex(State())

  init(
    registry: DemandRegistry, nodes: NodeRegistry, board: PlanBoard, events: EventLog,
    now: @escaping @Sendable () -> Date, observed: Observed = .nobody
  ) {
    (self.registry, self.nodes, self.board, self.events, self.now) = (registry, nodes, board, events, now)
    self.observed = observed
  }

  /// What is seen of requests, where somebody looks.
  struct Observed: Sendable {
    /// Of the condition that tells of them.
    static let type = "AsPlanned"
    /// Nil where nobody looks.
    var condition: @Sendable (Workload) -> Condition?
    /// Grows with what is seen.
    var readings: @Sendable () -> Int

    static let nobody = Observed(condition: { _ in nil }, readings: { 0 })
  }

  /// Workloads by condition and its status, as they were last looked at. O(workloads).
  package var counted: [(type: String, statuses: [ConditionDocument.Status: Int])] {
    let types = ["Planned", "Running", "CapacityUp", Observed.type]
    var counts = [[ConditionDocument.Status: Int]](repeating: [:], count: types.count)
    state.withLock { state in
      for marks in state.marks.values {
        for (index, mark) in marks.rows.enumerated() {
          if let mark { counts[index][mark.status, default: 0] += 1 }
        }
      }
    }
    return zip(types, counts).map { ($0, $1) }
  }

  /// Workloads that were served in full as they are declared, and are not any more: what has become of the fleet is the
  /// cause, not what was asked of it. As far as this process has seen.
  package var lostCapacity: Int { state.withLock(\.lost.count) }

  private func conditions(of status: WorkloadStatus, _ registration: Registration?) -> [Condition] {
    status.conditions
      + [registration.flatMap { observed.condition(status.rate.map($0.workload.settled) ?? $0.workload) }]
      .compactMap(\.self)
  }

  /// The conditions of a workload whose status is this now. O(1).
  package func documents(of status: WorkloadStatus, _ id: String) -> [ConditionDocument] {
    let (conditions, date) = (conditions(of: status, registry.read { $0.registrations[id] }), now())
    return state.withLock { state in
      let marks = state.marks(of: conditions, id, at: date)
      if state.marks[id] != marks { state.told[id] = marks }
      return zip(conditions, marks.rows).map { Self.document($0, since: $1?.since ?? date) }
    }
  }

  private static func document(_ condition: Condition, since: Date) -> ConditionDocument {
    ConditionDocument(
      type: condition.type, status: condition.status, reason: condition.reason, message: condition.message,
      since: Timestamp.text(since))
  }

  /// Notes what is so now; answers those conditions of which status or reason is another than before, nil where there are none.
  private func note(
    _ conditions: [Condition], of registration: Registration, at date: Date, rate: Double, isCovered: Bool
  ) -> [WorkloadNews.Changed]? {
    let (id, labels) = (registration.id, registration.workload.labels)
    return state.withLock { state in
      state.note(id, isServed: conditions[2].status == .isTrue, revision: registration.revision, rate: rate)
      state.labels[id] = labels.isEmpty ? nil : labels
      if isCovered { state.uncovered.remove(id) } else { state.uncovered.insert(id) }
      let before = state.marks[id]
      let marks = state.marks(of: conditions, id, at: date)
      state.told[id] = nil
      if before == marks { return nil }
      state.marks[id] = marks
      return conditions.indices.filter { before?.rows[$0] != marks.rows[$0] }
        .map { WorkloadNews.Changed(condition: conditions[$0], since: marks.rows[$0]?.since ?? date) }
    }
  }

  var hasLooked: Bool { state.withLock { $0.seen != nil } }

  /// Goes on from what another one of this process has noted, which looks once more at what has changed of the same workloads and plan.
  /// None of its looks may go on meanwhile. O(changed).
  func inherit(_ other: WorkloadConditions) {
    other.look()
    let noted = other.state.withLock { $0 }
    state.withLock { $0 = noted }
    history.inherit(other.history)
  }

  /// Looks at the workloads of which something may have changed: those that changed themselves, that another plan gives
  /// something else, that no plan covers yet, or of nodes that have said something new. All are at the first look, where nodes
  /// are registered for the first time, and where requests were counted. O(those), and O(workloads) to compare two plans.
  func look() {
    let view = board.view
    var due = nodes.takeTouchedWorkloads().union(registry.takeChanged())
    let demand = registry.snapshot
    events.keep { demand.hasNamespace($0) }
    history.keep { demand.hasNamespace($0) }
    due.formUnion(stepping(demand.registrations, changed: due))
    let now = Seen(plan: view.plan, hasNodes: nodes.count > 0, readings: observed.readings())
    let date = self.now()
    let before = state.withLock { state in
      defer { state.seen = now }
      // What was told of others since may be of workloads that are gone.
      due.formUnion(state.told.keys)
      due.formUnion(state.uncovered)
      return state.seen
    }
    // What is so at the start is no news.
    let isFirst = before == nil
    var all = isFirst || before?.hasNodes != now.hasNodes || before?.readings != now.readings
    switch (before?.plan, now.plan) {
    case (let old?, let new?): if old !== new { due.formUnion(new.differing(from: old)) }
    case (nil, nil): break
    default: all = true
    }
    if all { due.formUnion(demand.registrations.rows.lazy.map(\.id)) }
    var findings = Findings()
    for id in due.sorted() {
      let (changed, labels): ([WorkloadNews.Changed]?, [String: String])
      let namespace = Namespace.of(id)
      let isFollowed = !isFirst && events.isFollowed(namespace)
      var own = isFollowed ? WorkloadNews(id: Namespace.bare(id), changed: []) : nil
      if let registration = demand.registrations[id] {
        let status = WorkloadStatus(of: registration, on: view, running: nodes.running(id), at: date)
        let conditions = conditions(of: status, registration)
        history.note(
          conditions, status, of: registration, own: status.planRevision == nil ? nil : view.revision(for: namespace),
          at: date)
        changed = note(
          conditions, of: registration, at: date,
          rate: status.rate ?? registration.workload.rate, isCovered: status.planRevision != nil)
        labels = registration.workload.labels
        if isFollowed, let changed {
          let told = self.conditions(of: status.told(in: namespace, view), registration)
          own?.changed = changed.map { change in
            let condition = told.first { $0.type == change.condition.type }
            return WorkloadNews.Changed(condition: condition ?? change.condition, since: change.since)
          }
        }
      } else {
        history.end(id, at: date)
        (changed, labels) = forget(id)
      }
      if let changed, !isFirst { findings.add(WorkloadNews(id: id, changed: changed), labels, own: own) }
    }
    events.add(
      "workload", all: findings.newest.lazy.map(\.news.text), after: findings.gone,
      labels: { findings.newest[$0].labels },
      own: { index in
        let id = findings.newest[index].news.id
        return findings.newest[index].own.map { [Namespace.of(id): $0.text] } ?? [:]
      })
  }

  /// Workloads whose rate may be another since the last look, by their schedules. O(changed), and O(those with a schedule) where one
  /// steps.
  private func stepping(_ table: RegistrationTable, changed: Set<String>) -> Set<String> {
    let time = now().wholeSeconds
    return state.withLock { state in
      let isFirst = state.seen == nil
      let isDue = state.nextStep.map { $0 <= time } ?? false
      let due = isDue ? Set(state.steps.lazy.filter { $0.value <= time }.map(\.key)) : []
      for id in due.union(isFirst ? table.scheduled : changed) {
        let step = table[id]?.rate(at: time).until
        // Most workloads have none.
        if step != nil || !state.steps.isEmpty { state.steps[id] = step }
        if let step { state.nextStep = min(state.nextStep ?? step, step) }
      }
      if isDue { state.nextStep = state.steps.values.min() }
      return due
    }
  }

  /// Nil where nothing was known of it; the labels that it had.
  private func forget(_ id: String) -> ([WorkloadNews.Changed]?, [String: String]) {
    state.withLock { state in
      state.told[id] = nil
      state.uncovered.remove(id)
      state.served[id] = nil
      state.lost.remove(id)
      let labels = state.labels.removeValue(forKey: id) ?? [:]
      return (state.marks.removeValue(forKey: id) == nil ? nil : [], labels)
    }
  }
}
