package import Foundation
package import ParvaEngine
import ParvaWire

/// Rates by time.
extension WorkloadReader {
  static func schedule(
    _ specs: [WorkloadSpec.ScheduledRate], _ refusals: inout Refusals, _ place: Place
  ) -> [ScheduledRate] {
    guard specs.count <= InputLimits.schedule else {
      refusals.add(
        place(
          .outOfRange, "a schedule has at most \(InputLimits.schedule) entries, not \(specs.count)", ["schedule"],
          String(specs.count)))
      return []
    }
    return specs.enumerated().compactMap { index, spec in
      let path = ["schedule", String(index)]
      if let message = RangeCheck.message("rate", spec.rate, InputLimits.rate, unit: "requests/s") {
        refusals.add(place(.outOfRange, message, path + ["rate"], RangeCheck.plain(spec.rate)))
      }
      if spec.cron != nil { return CronReader.read(spec, &refusals) { place($0, $1, path + $2, $3) } }
      let times = WeeklyTimesReader.read(
        WeeklyTimesReader.Spec(days: spec.days, from: spec.from, to: spec.to, timeZone: spec.timeZone), &refusals
      ) { place($0, $1, path + $2, $3) }
      return times.map { ScheduledRate(times: $0.times, zone: $0.clock.name, rate: spec.rate) }
    }
  }

  static func schedule(of workload: Workload) -> [WorkloadSpec.ScheduledRate]? {
    guard !workload.schedule.isEmpty else { return nil }
    return workload.schedule.map { entry in
      switch entry.times {
      case .weekly(let times):
        WorkloadSpec.ScheduledRate(
          days: times.dayNames, from: WeeklyTimes.text(times.from), to: WeeklyTimes.text(times.to),
          timeZone: entry.zone,
          rate: entry.rate)
      case .from(let times): WorkloadSpec.ScheduledRate(cron: times.text, timeZone: entry.zone, rate: entry.rate)
      }
    }
  }
}

extension Workload {
  /// Its rate by time.
  package var curve: RateSchedule<ZoneClock> { RateSchedule(self, clock: ZoneClock.known) }

  /// The same with the one rate that it has at a moment; O(1) without a schedule.
  package func settled(at date: Date) -> Workload {
    guard !schedule.isEmpty else { return self }
    return settled(curve.rate(at: date.wholeSeconds))
  }

  /// The same with one rate and no schedule.
  package func settled(_ rate: Double) -> Workload {
    var workload = self
    workload.rate = rate
    workload.schedule = []
    return workload
  }
}

extension Date {
  /// A time by RFC 3339, with or without fractions of a second, from 1970 to the end of the year 9999.
  package init?(rfc3339 text: String) {
    let dates = [false, true].lazy.compactMap {
      try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: $0))
    }
    guard let date = dates.first, (0...253_402_300_799).contains(date.timeIntervalSince1970) else { return nil }
    self = date
  }

  /// Whole seconds since 1970.
  package var wholeSeconds: Int { Int(timeIntervalSince1970.rounded(.down)) }
}
