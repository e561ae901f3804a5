/// A rate by time: that of the first entry whose times it is; where it is nobody's, that of the entry of times to begin at whose
/// time came last; else the constant one.
///
/// A pure function of the clocks. Times are whole seconds since 1970.
public struct RateSchedule<Clock: WallClock>: Sendable {
  struct Span: Sendable {
    let times: WeeklyTimes
    let clock: Clock
    let rate: Double
  }

  struct Beginning: Sendable {
    let times: CronTimes
    let zone: String
    let clock: Clock
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
  private(set) var spans: [Span] = []
  private(set) var beginnings: [Beginning] = []

  /// - Parameter clock: that of a time zone, by its name.
  public init(_ workload: Workload, clock: (String) -> Clock) {
    constant = workload.rate
    var known: (zone: String, clock: Clock)?
    for entry in workload.schedule {
      let own = known?.zone == entry.zone ? known : nil
      let clock = own?.clock ?? clock(entry.zone)
      known = (entry.zone, clock)
      switch entry.times {
      case .weekly(let times): spans.append(Span(times: times, clock: clock, rate: entry.rate))
      case .from(let times):
        beginnings.append(Beginning(times: times, zone: entry.zone, clock: clock, rate: entry.rate))
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
  private var spans: [Span]
  private var beginnings: [Beginning]
  /// Of the time that the walk has come to, in requests per second.
  private(set) var rate: Double
  /// The edge that comes next; nil where none does.
  private(set) var next: Int?
  /// How many edges of entries were passed.
  private(set) var edges = 0

  /// O(entries).
  init(_ schedule: RateSchedule<Clock>, at time: Int) {
    self.schedule = schedule
    spans = schedule.spans.map { Self.span($0, at: time) }
    beginnings = schedule.beginnings.map { entry in
      let shown = entry.clock.period(at: time).latestShown(at: time)
      let local = entry.times.last(upTo: shown)
      return Beginning(
        since: entry.clock.firstTime(showing: local), local: local,
        edge: entry.clock.firstTime(showing: entry.times.next(after: shown)))
    }
    rate = schedule.constant
    settle()
  }

  /// To ``next``. O(entries), of which those are worked out that begin or end there.
  mutating func advance() {
    guard let time = next else { return }
    for (index, entry) in schedule.spans.enumerated() where spans[index].edge == time {
      spans[index] = Self.span(entry, at: time)
      edges += 1
    }
    for (index, entry) in schedule.beginnings.enumerated() where beginnings[index].edge == time {
      let shown = entry.clock.period(at: time).latestShown(at: time)
      // Of those that the clock leaps over the last one counts.
      beginnings[index] = Beginning(
        since: time, local: entry.times.last(upTo: shown),
        edge: entry.clock.firstTime(showing: entry.times.next(after: shown)))
      edges += 1
    }
    settle()
  }

  private static func span(_ entry: RateSchedule<Clock>.Span, at time: Int) -> Span {
    Span(
      isNow: entry.times.contains(time, on: entry.clock),
      edge: entry.times.nextEdge(after: time, on: entry.clock) ?? .max)
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
          && schedule.beginnings[index].zone == schedule.beginnings[newest].zone
      if isLater { newest = index }
    }
    return newest
  }
}
