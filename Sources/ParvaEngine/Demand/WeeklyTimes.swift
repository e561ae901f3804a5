/// Times of the day on some days of the week, by the clock on the wall.
///
/// What that clock shows decides: a time that it leaps over does not come on that day, one that it shows twice comes twice.
public struct WeeklyTimes: Hashable, Sendable {
  public static let dayMinutes = 1_440
  static let weekSeconds = 7 * 86_400

  /// 0 for Monday to 6.
  public var days: Set<Int>
  /// Minute of the day at which it begins, 0 to 1,439.
  public var from: Int
  /// Minute at which it ends, 1 to 1,440; at or before `from`: of the next day.
  public var to: Int

  public init(days: Set<Int>, from: Int, to: Int) {
    (self.days, self.from, self.to) = (days, from, to)
  }

  /// Minutes for which it lasts, 1 to 1,440.
  private var length: Int { (to - from + Self.dayMinutes - 1) % Self.dayMinutes + 1 }

  /// Second of the week since Monday 0:00 that a clock shows. The first of January 1970 was a Thursday.
  private static func second(of time: Int, _ period: ClockPeriod) -> Int {
    let local = time + period.offset + 3 * 86_400
    return (local % weekSeconds + weekSeconds) % weekSeconds
  }

  /// Whether a time is within. O(days).
  public func contains(_ time: Int, on clock: some WallClock) -> Bool { contains(time, in: clock.period(at: time)) }

  func contains(_ time: Int, in period: ClockPeriod) -> Bool {
    let second = Self.second(of: time, period)
    return days.contains { day in
      let since = second - (day * Self.dayMinutes + from) * 60
      return (since + Self.weekSeconds) % Self.weekSeconds < length * 60
    }
  }

  /// A time after another such that nothing begins or ends between the two; it may be that nothing does then, either. Within
  /// a week, and at the next shift of the clock. Nil without a day. O(days).
  public func nextEdge(after time: Int, on clock: some WallClock) -> Int? {
    nextEdge(after: time, in: clock.period(at: time))
  }

  func nextEdge(after time: Int, in period: ClockPeriod) -> Int? {
    guard !days.isEmpty else { return nil }
    let second = Self.second(of: time, period)
    var wait = Self.weekSeconds
    for day in days {
      let start = (day * Self.dayMinutes + from) * 60
      wait = min(wait, Self.wait(until: start, from: second), Self.wait(until: start + length * 60, from: second))
    }
    return min(time + wait, period.until)
  }

  /// Seconds until a second of the week comes next, above 0.
  private static func wait(until edge: Int, from second: Int) -> Int {
    let rest = (edge - second) % weekSeconds
    return rest > 0 ? rest : rest + weekSeconds
  }

  /// Minutes of `22:00` or `24:00`; nil for anything else.
  public static func minute(_ text: String) -> Int? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2,
      parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let hours = Int(parts[0]), let minutes = Int(parts[1]), minutes < 60, hours * 60 + minutes <= dayMinutes
    else { return nil }
    return hours * 60 + minutes
  }

  /// `22:00`.
  public static func text(_ minute: Int) -> String {
    let (hours, minutes) = (minute / 60, minute % 60)
    return (hours < 10 ? "0" : "") + "\(hours)" + (minutes < 10 ? ":0" : ":") + "\(minutes)"
  }
}
