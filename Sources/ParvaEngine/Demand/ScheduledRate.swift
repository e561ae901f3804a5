/// A rate that a workload has at some times, in place of its constant one.
public struct ScheduledRate: Hashable, Sendable {
  public enum Times: Hashable, Sendable {
    /// While it is one of these times.
    case weekly(WeeklyTimes)
    /// From each of these on, until another entry's comes.
    case from(CronTimes)
  }

  public var times: Times
  /// Name of the time zone whose clock decides, as the IANA database has it.
  public var zone: String
  /// Requests per second, above 0 and finite.
  public var rate: Double

  public init(_ times: Times, zone: String, rate: Double) {
    self.times = times
    self.zone = zone
    self.rate = rate
  }

  public init(times: WeeklyTimes, zone: String, rate: Double) { self.init(.weekly(times), zone: zone, rate: rate) }
}

extension Workload {
  /// The highest rate that it ever asks for, in requests per second. O(entries).
  public var highestRate: Double { schedule.reduce(rate) { max($0, $1.rate) } }
}
