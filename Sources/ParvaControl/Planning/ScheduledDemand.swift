package import Foundation
import ParvaEngine
import ParvaFormats

/// The demand with the rates that plans are made for where they go by schedules: the highest that is asked for from now on for
/// the lead, so that a plan for more has been rolled out when more is asked for, and one for less comes no sooner than that.
///
/// Pure: the time comes in.
package struct ScheduledDemand: Sendable {
  /// With settled rates alone.
  package let demand: Demand
  /// What is planned for each workload that has a schedule, in requests per second.
  let rates: [String: Double]
  /// When ``rates`` may be others; nil where no workload has a schedule.
  let next: Date?

  /// O(workloads with schedules x edges within the lead), and a copy of the table where there are any.
  ///
  /// - Parameter lead: seconds, at least 0; what is below one is passed over.
  package init(_ demand: Demand, at date: Date, lead: Double) {
    guard !demand.registrations.scheduled.isEmpty else {
      (self.demand, rates, next) = (demand, [:], nil)
      return
    }
    let (time, seconds) = (date.wholeSeconds, Int(lead))
    var (settled, rates, next) = (demand, [String: Double](), Int?.none)
    var changes: [String: Registration?] = [:]
    for id in demand.registrations.scheduled {
      guard let row = demand.registrations[id] else { continue }
      let curve = row.workload.curve
      let rate = curve.highest(from: time, for: seconds)
      rates[id] = rate
      if let step = curve.nextStep(after: time, ahead: seconds) { next = min(next ?? step, step) }
      changes[id] = Registration(
        row.workload.settled(rate), revision: row.revision, createdAt: row.createdAt, updatedAt: row.updatedAt)
    }
    settled.registrations.apply(changes)
    self.demand = settled
    self.rates = rates
    self.next = next.map { Date(timeIntervalSince1970: TimeInterval($0)) }
  }
}
