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

/// A rate by time: that of the first entry whose times it is; where it is nobody's, that of the entry of times to begin at whose
/// time came last; else the constant one.
///
/// A pure function of the clocks. Times are whole seconds since 1970.
public struct RateSchedule<Clock: WallClock>: Sendable {
  private struct Beginning: Sendable {
    let times: CronTimes
    let zone: String
    let clock: Clock
    let rate: Double
  }

  /// Requests per second at all other times.
  public let constant: Double
  private var entries: [(times: WeeklyTimes, clock: Clock, rate: Double)] = []
  private var beginnings: [Beginning] = []
  private let isOfOneZone: Bool

  /// - Parameter clock: that of a time zone, by its name.
  public init(_ workload: Workload, clock: (String) -> Clock) {
    constant = workload.rate
    for entry in workload.schedule {
      switch entry.times {
      case .weekly(let times): entries.append((times, clock(entry.zone), entry.rate))
      case .from(let times):
        beginnings.append(Beginning(times: times, zone: entry.zone, clock: clock(entry.zone), rate: entry.rate))
      }
    }
    isOfOneZone = Set(beginnings.map(\.zone)).count <= 1
  }

  /// Requests per second. O(entries x days).
  public func rate(at time: Int) -> Double {
    entries.first { $0.times.contains(time, on: $0.clock) }?.rate ?? begun(at: time) ?? constant
  }

  /// The rate that began last; nil where none has.
  private func begun(at time: Int) -> Double? {
    var newest: (since: Int, local: Int, entry: Beginning)?
    var shown: Int?
    for entry in beginnings {
      let latest = isOfOneZone ? shown ?? entry.clock.latestShown(at: time) : entry.clock.latestShown(at: time)
      shown = latest
      guard let local = entry.times.last(upTo: latest) else { continue }
      // Clocks of several zones are compared by when they showed it.
      let since = isOfOneZone ? local : entry.clock.firstTime(showing: local, after: local - 3 * 86_400)
      if let newest {
        let isLater =
          since > newest.since || since == newest.since && entry.zone == newest.entry.zone && local > newest.local
        guard isLater else { continue }
      }
      newest = (since, local, entry)
    }
    return newest?.entry.rate
  }

  /// A time after another such that the rate stays the same between the two; it may be that it does then, too. Within a week where
  /// there are times of the week; nil where it never changes. O(entries x days).
  public func nextEdge(after time: Int) -> Int? {
    var next: Int?
    for entry in entries {
      guard let edge = entry.times.nextEdge(after: time, on: entry.clock) else { continue }
      next = min(next ?? edge, edge)
    }
    for entry in beginnings {
      guard let local = entry.times.next(after: entry.clock.latestShown(at: time)) else { continue }
      let edge = entry.clock.firstTime(showing: local, after: time)
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

  /// When the rate is another next, and which; nil where it stays for `horizon` seconds, or as many edges as two weeks of four
  /// entries with an edge every hour have. O(edges within x entries x days).
  public func nextChange(after time: Int, within horizon: Int = 15 * 86_400) -> (time: Int, rate: Double)? {
    let now = rate(at: time)
    var (next, edges) = (time, 0)
    while let edge = nextEdge(after: next), edge - time <= horizon, edges < 1_500 {
      let rate = rate(at: edge)
      if rate != now { return (edge, rate) }
      (next, edges) = (edge, edges + 1)
    }
    return nil
  }
}
