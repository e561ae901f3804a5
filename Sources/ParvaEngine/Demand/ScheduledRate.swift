/// A rate that a workload has at some times of the week, in place of its constant one.
public struct ScheduledRate: Hashable, Sendable {
  public var times: WeeklyTimes
  /// Name of the time zone whose clock decides, as the IANA database has it.
  public var zone: String
  /// Requests per second, above 0 and finite.
  public var rate: Double

  public init(times: WeeklyTimes, zone: String, rate: Double) {
    self.times = times
    self.zone = zone
    self.rate = rate
  }
}

extension Workload {
  /// The highest rate that it ever asks for, in requests per second. O(entries).
  public var highestRate: Double { schedule.reduce(rate) { max($0, $1.rate) } }
}

/// A rate by time: that of the first entry whose times it is, the constant one where it is nobody's.
///
/// A pure function of the clocks. Times are whole seconds since 1970.
public struct RateSchedule<Clock: WallClock>: Sendable {
  /// Requests per second at all other times.
  public let constant: Double
  private let entries: [(times: WeeklyTimes, clock: Clock, rate: Double)]

  /// - Parameter clock: that of a time zone, by its name.
  public init(_ workload: Workload, clock: (String) -> Clock) {
    constant = workload.rate
    entries = workload.schedule.map { ($0.times, clock($0.zone), $0.rate) }
  }

  /// Requests per second. O(entries x days).
  public func rate(at time: Int) -> Double {
    entries.first { $0.times.contains(time, on: $0.clock) }?.rate ?? constant
  }

  /// A time after another such that the rate stays the same between the two; it may be that it does then, too. Within a week;
  /// nil where it never changes. O(entries x days).
  public func nextEdge(after time: Int) -> Int? {
    var next: Int?
    for entry in entries {
      guard let edge = entry.times.nextEdge(after: time, on: entry.clock) else { continue }
      next = min(next ?? edge, edge)
    }
    return next
  }

  /// The highest rate from a time on for so many seconds, both ends included. O(edges within x entries x days).
  public func highest(from time: Int, for seconds: Int) -> Double {
    var (highest, next) = (rate(at: time), time)
    while let edge = nextEdge(after: next), edge <= time + seconds {
      highest = max(highest, rate(at: edge))
      next = edge
    }
    return highest
  }

  /// When ``highest(from:for:)`` may be another next: something comes into view, or is over. Nil where that is never.
  public func nextStep(after time: Int, ahead seconds: Int) -> Int? {
    let (begins, ends) = (nextEdge(after: time + seconds).map { $0 - seconds }, nextEdge(after: time))
    return [begins, ends].compactMap(\.self).min()
  }

  /// When the rate is another next, and which; nil where it stays for `horizon` seconds. O(edges within x entries x days).
  public func nextChange(after time: Int, within horizon: Int = 15 * 86_400) -> (time: Int, rate: Double)? {
    let now = rate(at: time)
    var next = time
    while let edge = nextEdge(after: next), edge - time <= horizon {
      let rate = rate(at: edge)
      if rate != now { return (edge, rate) }
      next = edge
    }
    return nil
  }
}
