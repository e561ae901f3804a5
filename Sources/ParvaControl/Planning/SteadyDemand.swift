package import Foundation
import ParvaEngine

/// A workload that is planned for at a higher rate than it has.
package struct RateHold: Hashable, Sendable {
  package var workload: String
  /// Requests per second that it asks for.
  package var rate: Double
  /// Requests per second that plans are made for.
  package var planned: Double
  /// When plans follow, unless the rate rises before; nil where the rate is within the dead band.
  package var until: Date?
}

/// The rates that plans are made for where rates go up and down: plans follow an increase at once, and a decrease once the
/// hold is over. Pure: the time comes in.
struct SteadyDemand: Sendable {
  private struct Entry: Sendable {
    var model: String
    var rate: Double
    var steady: SteadyRate
  }

  let policy: SteadyRate.Policy
  private var entries: [String: Entry] = [:]
  /// Rates that were planned for before the start, until each workload is first seen.
  private var before: [String: Double]

  /// - Parameter plan: the newest plan that a controller before this one made; what it gives is held, too.
  init(_ policy: SteadyRate.Policy, after plan: Plan? = nil) {
    self.policy = policy
    before = [:]
    guard isOn else { return }
    if let plan { before = plan.sums(\.load) }
  }

  /// Whether any rate is ever held.
  var isOn: Bool { policy != .none }

  /// Takes the demand as it is; answers what to plan for. Times do not fall. O(workloads) where rates are held at all.
  mutating func observe(_ demand: Demand, at time: Double) -> Demand {
    guard isOn else { return demand }
    var seen: [String: Entry] = [:]
    seen.reserveCapacity(demand.registrations.count)
    for row in demand.registrations.rows {
      let workload = row.workload
      var entry: Entry
      if let known = entries[row.id], known.model == workload.model {
        entry = known
      } else {
        var planned = entries[row.id] == nil ? before[row.id] ?? 0 : 0
        // Loads that were added up are the rate but for their last digits.
        if planned < workload.rate * (1 + 1e-9) { planned = workload.rate }
        entry = Entry(
          model: workload.model, rate: workload.rate, steady: SteadyRate(planned: planned, since: time))
      }
      entry.rate = workload.rate
      entry.steady.observe(workload.rate, at: time, policy)
      seen[row.id] = entry
    }
    entries = seen
    before = [:]
    return held(demand)
  }

  /// Holds nothing that was seen so far: room is short, and what nobody asks for must not stand in the way.
  mutating func letGo(at time: Double) {
    for id in entries.keys {
      guard let rate = entries[id]?.rate else { continue }
      entries[id]?.steady = SteadyRate(rate, at: time, policy)
    }
  }

  /// When a planned rate falls next by itself.
  var next: Double? { entries.values.lazy.compactMap { $0.steady.fallsAt(policy) }.min() }

  /// What is held, by workload.
  func holds(at time: Double, date: Date) -> [RateHold] {
    entries.filter { $0.value.steady.planned > $0.value.rate }.sorted { $0.key < $1.key }.map { id, entry in
      RateHold(
        workload: id, rate: entry.rate, planned: entry.steady.planned,
        until: entry.steady.fallsAt(policy).map { date + max(0, $0 - time) })
    }
  }

  private func held(_ demand: Demand) -> Demand {
    guard entries.values.contains(where: { $0.steady.planned > $0.rate }) else { return demand }
    var held = demand
    held.registrations = RegistrationTable(
      demand.registrations.rows.map { row in
        guard let planned = entries[row.id]?.steady.planned, planned > row.workload.rate else { return row }
        var workload = row.workload
        workload.rate = planned
        return Registration(workload, revision: row.revision, createdAt: row.createdAt, updatedAt: row.updatedAt)
      })
    return held
  }
}
