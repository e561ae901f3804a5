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

  private struct Row: Sendable {
    let source: Registration
    let settled: Registration
    /// When the rate may be another next; nil where that is never.
    let next: Int?
  }

  /// Of each workload that has a schedule.
  private let rows: [String: Row]
  private let (time, lead): (Int, Int)

  /// O(workloads with schedules), and a copy of the table where there are any; what is not as it was before is worked out in
  /// O(entries x edges within the lead).
  ///
  /// - Parameters:
  ///   - lead: seconds, at least 0; what is below one is passed over.
  ///   - previous: what was worked out last, of which everything is taken that still holds.
  package init(_ demand: Demand, at date: Date, lead: Double, after previous: ScheduledDemand? = nil) {
    let (time, lead) = (date.wholeSeconds, Int(lead))
    (self.time, self.lead) = (time, lead)
    guard !demand.registrations.scheduled.isEmpty else {
      (self.demand, rates, next, rows) = (demand, [:], nil, [:])
      return
    }
    let known = previous.flatMap { $0.lead == lead && $0.time <= time ? $0.rows : nil } ?? [:]
    var (rows, rates, next) = ([String: Row](), [String: Double](), Int?.none)
    rows.reserveCapacity(demand.registrations.scheduled.count)
    rates.reserveCapacity(demand.registrations.scheduled.count)
    for id in demand.registrations.scheduled {
      guard let source = demand.registrations[id] else { continue }
      var row = known[id]
      if row?.source !== source || row?.next.map({ $0 <= time }) == true {
        let outlook = source.workload.curve.outlook(from: time, for: lead)
        let settled = Registration(
          source.workload.settled(outlook.highest), revision: source.revision, createdAt: source.createdAt,
          updatedAt: source.updatedAt)
        row = Row(source: source, settled: settled, next: outlook.next)
      }
      guard let row else { continue }
      rows[id] = row
      rates[id] = row.settled.workload.rate
      if let step = row.next { next = min(next ?? step, step) }
    }
    var settled = demand
    settled.registrations.apply(rows.mapValues { Optional($0.settled) })
    (self.demand, self.rates, self.rows) = (settled, rates, rows)
    self.next = next.map { Date(timeIntervalSince1970: TimeInterval($0)) }
  }
}
