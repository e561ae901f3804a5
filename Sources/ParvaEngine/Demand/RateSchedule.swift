/// A rate by time: that of the first entry whose times it is; where it is nobody's, that of the entry of times to begin at whose
/// time came last; else the constant one.
///
/// A pure function of the clocks. Times are whole seconds since 1970.
public struct RateSchedule<Clock: WallClock>: Sendable {
  struct Span: Sendable {
    let times: WeeklyTimes
    /// Index of ``clocks``, as below.
    let clock: Int
    let rate: Double
  }

  struct Beginning: Sendable {
    let times: CronMasks
    let clock: Int
    let rate: Double
  }

  /// What is asked for within some time to come.
  public struct Outlook: Hashable, Sendable {
    /// The highest rate, in requests per second.
    public var highest: Double
    /// When ``highest`` may be another next: something comes into view, or is over. Nil where that is never.
    public var next: Int?
  }

  /// Edges of entries that ``nextChange(after:within:)`` looks at: those of two weeks in which four change every hour.
  public static var mostEdges: Int { 1_500 }

  /// Requests per second at all other times.
  public let constant: Double
  /// Of each time zone that is named.
  private(set) var clocks: [Clock] = []
  private(set) var spans: [Span] = []
  private(set) var beginnings: [Beginning] = []

  /// - Parameter clock: that of a time zone, by its name.
  public init(_ workload: Workload, clock: (String) -> Clock) {
    constant = workload.rate
    var zones: [String] = []
    for entry in workload.schedule {
      let index = zones.lastIndex(of: entry.zone) ?? zones.count
      if index == zones.count {
        zones.append(entry.zone)
        clocks.append(clock(entry.zone))
      }
      switch entry.times {
      case .weekly(let times): spans.append(Span(times: times, clock: index, rate: entry.rate))
      case .from(let times): beginnings.append(Beginning(times: times.masks, clock: index, rate: entry.rate))
      }
    }
  }

  /// Requests per second. O(entries).
  public func rate(at time: Int) -> Double { RateWalk(self, at: time).rate }

  /// The rate at a time, and a later one such that it stays the same until then; it may be that it does then, too. Within a week
  /// where there are times of the week; nil where it never changes. O(entries).
  public func span(at time: Int) -> (rate: Double, until: Int?) {
    let walk = RateWalk(self, at: time)
    return (walk.rate, walk.next)
  }

  /// What is asked for from a time on for so many seconds, both ends included. O(entries x (1 + edges within)).
  public func outlook(from time: Int, for seconds: Int) -> Outlook {
    var walk = RateWalk(self, at: time)
    let (ends, last) = (walk.next, time + seconds)
    var highest = walk.rate
    while let edge = walk.next, edge <= last {
      walk.advance()
      highest = max(highest, walk.rate)
    }
    return Outlook(highest: highest, next: [ends, walk.next.map { $0 - seconds }].compactMap(\.self).min())
  }

  /// When the rate is another next, and which; nil where it stays for `horizon` seconds, or for ``mostEdges``. O(entries x edges within).
  public func nextChange(after time: Int, within horizon: Int = 15 * 86_400) -> (time: Int, rate: Double)? {
    var walk = RateWalk(self, at: time)
    let now = walk.rate
    while let edge = walk.next, edge - time <= horizon, walk.edges < Self.mostEdges {
      walk.advance()
      if walk.rate != now { return (edge, walk.rate) }
    }
    return nil
  }
}

/// A walk over the edges of a schedule, one after the other: at each, only what begins or ends there is worked out anew.
struct RateWalk<Clock: WallClock> {
  private struct Span {
    var isNow: Bool
    var edge: Int
  }

  private struct Beginning {
    /// When it last began, and what the clock showed then, or leapt over.
    var since: Int
    var local: Int
    var edge: Int
  }

  private let schedule: RateSchedule<Clock>
  /// The last known one of each clock.
  private var periods: [ClockPeriod]
  private var spans: [Span] = []
  private var beginnings: [Beginning] = []
  /// Of the time that the walk has come to, in requests per second.
  private(set) var rate: Double
  /// The edge that comes next; nil where none does.
  private(set) var next: Int?
  /// How many edges of entries were passed.
  private(set) var edges = 0

  /// O(entries).
  init(_ schedule: RateSchedule<Clock>, at time: Int) {
    self.schedule = schedule
    periods = schedule.clocks.map { $0.period(at: time) }
    rate = schedule.constant
    spans.reserveCapacity(schedule.spans.count)
    for index in schedule.spans.indices { spans.append(span(index, at: time)) }
    beginnings.reserveCapacity(schedule.beginnings.count)
    for index in schedule.beginnings.indices { beginnings.append(beginning(index, at: time)) }
    settle()
  }

  /// To ``next``. O(entries), of which those are worked out that begin or end there.
  mutating func advance() {
    guard let time = next else { return }
    for index in periods.indices where periods[index].until <= time {
      periods[index] = schedule.clocks[index].period(at: time)
    }
    for index in spans.indices where spans[index].edge == time {
      spans[index] = span(index, at: time)
      edges += 1
    }
    for index in beginnings.indices where beginnings[index].edge == time {
      beginnings[index] = beginning(index, at: time)
      edges += 1
    }
    settle()
  }

  private func span(_ index: Int, at time: Int) -> Span {
    let entry = schedule.spans[index]
    let period = periods[entry.clock]
    return Span(
      isNow: entry.times.contains(time, in: period), edge: entry.times.nextEdge(after: time, in: period) ?? .max)
  }

  private func beginning(_ index: Int, at time: Int) -> Beginning {
    let entry = schedule.beginnings[index]
    let period = periods[entry.clock]
    // Of those that the clock leaps over the last one counts.
    let shown = period.latestShown(at: time)
    let local = entry.times.last(upTo: shown)
    return Beginning(
      since: schedule.clocks[entry.clock].firstTime(showing: local, near: period), local: local,
      edge: schedule.clocks[entry.clock].firstTime(showing: entry.times.next(after: shown), near: period))
  }

  private mutating func settle() {
    let edge = min(spans.lazy.map(\.edge).min() ?? .max, beginnings.lazy.map(\.edge).min() ?? .max)
    next = edge == .max ? nil : edge
    if let index = spans.firstIndex(where: \.isNow) {
      rate = schedule.spans[index].rate
    } else {
      rate = newest.map { schedule.beginnings[$0].rate } ?? schedule.constant
    }
  }

  /// The beginning that came last: of two at once the one that its clock shows later, else the first.
  private var newest: Int? {
    guard !beginnings.isEmpty else { return nil }
    var newest = 0
    for index in beginnings.indices.dropFirst() {
      let (own, best) = (beginnings[index], beginnings[newest])
      let isLater =
        own.since > best.since
        || own.since == best.since && own.local > best.local
          && schedule.beginnings[index].clock == schedule.beginnings[newest].clock
      if isLater { newest = index }
    }
    return newest
  }
}
