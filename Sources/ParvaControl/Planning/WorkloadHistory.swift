package import Foundation
import ParvaEngine
import ParvaFormats
package import ParvaWire
import Synchronization

/// What has happened to each workload as far as this process has seen: that it was declared and how, what plans gave it, and
/// what was so of it, each with its time and as it was told then. It keeps at most 16 entries of a workload, and
/// those of 256 workloads of each namespace that are gone.
package final class WorkloadHistory: Sendable {
  package struct Entry: Hashable, Sendable {
    /// What its sentence is made of when somebody asks: of a hundred thousand workloads nobody may.
    fileprivate enum Detail: Hashable, Sendable {
      case text(String)
      /// What a plan gave, in requests per second, and which plan: as it is known everywhere, and to its namespace.
      case given(Double, all: Int, own: Int)
      /// How it was declared, in requests per second and milliseconds, at a revision of its own.
      case declared(rate: Double, model: String, latencyMs: Double, isScheduled: Bool, revision: Int)
    }

    package var time: Date
    /// `Registered`, or that of a condition.
    package var type: String
    package var status: ConditionDocument.Status
    package var reason: String
    fileprivate var detail: Detail

    fileprivate init(
      _ time: Date, _ type: String, _ status: ConditionDocument.Status, _ reason: String, _ detail: Detail
    ) {
      (self.time, self.type, self.status, self.reason, self.detail) = (time, type, status, reason, detail)
    }

    /// - Parameter isOwn: as who is bound to its namespace is told it.
    package func message(own isOwn: Bool) -> String {
      switch detail {
      case .text(let text): text
      case .given(let capacity, let all, let own): WorkloadStatus.gives(isOwn ? own : all, capacity)
      case .declared(let rate, let model, let latencyMs, let isScheduled, _):
        "\(rate.shortText) requests/s of \(model) within \(latencyMs.shortText) ms"
          + (isScheduled ? ", by a schedule" : "")
      }
    }

    /// Of what a plan gave.
    fileprivate var capacity: Double? { if case .given(let capacity, _, _) = detail { capacity } else { nil } }

    /// Whether it is registered as of this revision.
    fileprivate func declares(_ revision: Int) -> Bool {
      guard status == .isTrue else { return false }
      return if case .declared(_, _, _, _, revision) = detail { true } else { false }
    }
  }

  /// Most entries of one workload.
  package static let most = 16
  /// Most workloads of one namespace that are gone and still told of.
  package static let mostGone = 256

  private struct State {
    var entries: [String: [Entry]] = [:]
    /// Workloads that are gone, by namespace, the longest gone first.
    var gone: [String: [String]] = [:]

    mutating func add(_ entry: Entry, of id: String) {
      var own = entries[id] ?? []
      own.append(entry)
      // The newest of each type tells what is so; the oldest of all others goes.
      if own.count > WorkloadHistory.most {
        let index = own.indices.first { index in own[(index + 1)...].contains { $0.type == own[index].type } }
        own.remove(at: index ?? 0)
      }
      entries[id] = own
    }
  }

  private let state = Mutex(State())

  package init() {}

  /// Goes on from what another one has noted. O(1).
  func inherit(_ other: WorkloadHistory) {
    let noted = other.state.withLock { $0 }
    state.withLock { $0 = noted }
  }

  // MARK: - What has happened

  /// Notes what is so of a workload now, as far as it is another than before. O(entries of it).
  ///
  /// - Parameter own: the plan's revision as its namespace knows it; nil where no plan covers it.
  func note(
    _ conditions: [Condition], _ status: WorkloadStatus, of registration: Registration, own: Int?, at date: Date
  ) {
    let id = registration.id
    state.withLock { state in
      let known = state.entries[id] ?? []
      if let entry = Self.declared(registration, after: known) {
        if known.last(where: { $0.type == entry.type })?.status == .isFalse {
          state.gone[Namespace.of(id)]?.removeAll { $0 == id }
        }
        state.add(entry, of: id)
      }
      for condition in conditions {
        let last = known.last { $0.type == condition.type }
        // That nothing is known at first is nothing that has happened.
        if last == nil, condition.status == .unknown { continue }
        var entry = Entry(date, condition.type, condition.status, condition.reason, .text(condition.message))
        if condition.type == "Planned", condition.status == .isTrue, let all = status.planRevision {
          entry.detail = .given(status.capacityPlanned ?? 0, all: all, own: own ?? 0)
        }
        let isNews =
          last.map { $0.status != entry.status || $0.reason != entry.reason || $0.capacity != entry.capacity } ?? true
        if isNews { state.add(entry, of: id) }
      }
    }
  }

  /// Notes that it is registered no more.
  func end(_ id: String, at date: Date) {
    state.withLock { state in
      guard let known = state.entries[id], let last = known.last(where: { $0.type == Self.declaration }),
        last.status == .isTrue
      else { return }
      state.add(Entry(date, Self.declaration, .isFalse, "deleted", .text("it is registered no more")), of: id)
      let namespace = Namespace.of(id)
      state.gone[namespace, default: []].append(id)
      if state.gone[namespace]?.count ?? 0 > Self.mostGone, let first = state.gone[namespace]?.removeFirst() {
        state.entries[first] = nil
      }
    }
  }

  /// Namespaces that are no more had none but workloads that are gone. O(namespaces).
  func keep(only names: (String) -> Bool) {
    state.withLock { state in
      for name in state.gone.keys where !names(name) {
        for id in state.gone.removeValue(forKey: name) ?? [] { state.entries[id] = nil }
      }
    }
  }

  // MARK: - What is told

  /// Oldest first; with the declaration that is not noted yet. O(entries of it).
  ///
  /// - Parameter registration: as it is now; nil where it is gone.
  package func entries(of id: String, _ registration: Registration?) -> [Entry] {
    let known = state.withLock { $0.entries[id] ?? [] }
    return known + [registration.flatMap { Self.declared($0, after: known) }].compactMap(\.self)
  }

  private static let declaration = "Registered"

  /// Nil where it is known as it is.
  private static func declared(_ registration: Registration, after known: [Entry]) -> Entry? {
    let last = known.last { $0.type == declaration }
    if let last, last.declares(registration.revision) { return nil }
    let workload = registration.workload
    let isNew = last?.status != .isTrue && registration.createdAt == registration.updatedAt
    return Entry(
      registration.updatedAt, declaration, .isTrue, isNew ? "created" : "changed",
      .declared(
        rate: workload.rate, model: workload.model, latencyMs: workload.sloLatencyMs,
        isScheduled: !workload.schedule.isEmpty, revision: registration.revision))
  }
}
