import Foundation

/// The clock on the wall of some place: how far it is ahead of UTC, and when that changes. Times are whole seconds since 1970.
package protocol WallClock: Sendable {
  /// Seconds by which it is ahead of UTC.
  func offset(at time: Int) -> Int
  /// When it is put forward or back next; nil where that is not known to happen.
  func nextShift(after time: Int) -> Int?
}

/// The clock of a time zone by its rules.
package struct ZoneClock: WallClock, Hashable {
  /// Its name, as `Europe/Berlin`.
  package let name: String
  private let zone: TimeZone

  /// - Parameter name: of the IANA database; abbreviations, which mean several things, are none.
  package init?(_ name: String) {
    guard name == "UTC" || name.contains("/"), name.utf8.count <= 64, let zone = TimeZone(identifier: name) else {
      return nil
    }
    self.name = name
    self.zone = zone
  }

  package func offset(at time: Int) -> Int {
    zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(time)))
  }

  package func nextShift(after time: Int) -> Int? {
    zone.nextDaylightSavingTimeTransition(after: Date(timeIntervalSince1970: TimeInterval(time)))
      .map { Int($0.timeIntervalSince1970.rounded()) }
  }
}

/// Times of the day on some days of the week, by the clock on the wall.
///
/// What that clock shows decides: a time that it leaps over does not come on that day, one that it shows twice comes twice.
package struct WeeklyTimes: Hashable, Sendable {
  package static let dayMinutes = 1_440
  static let weekSeconds = 7 * 86_400

  /// 0 for Monday to 6.
  package var days: Set<Int>
  /// Minute of the day at which it begins, 0 to 1,439.
  package var from: Int
  /// Minute at which it ends, 1 to 1,440; at or before `from`: of the next day.
  package var to: Int

  package init(days: Set<Int>, from: Int, to: Int) {
    (self.days, self.from, self.to) = (days, from, to)
  }

  /// Minutes for which it lasts, 1 to 1,440.
  private var length: Int { (to - from + Self.dayMinutes - 1) % Self.dayMinutes + 1 }

  /// Second of the week since Monday 0:00 that the clock shows. The first of January 1970 was a Thursday.
  private static func second(of time: Int, _ clock: some WallClock) -> Int {
    let local = time + clock.offset(at: time) + 3 * 86_400
    return (local % weekSeconds + weekSeconds) % weekSeconds
  }

  /// Whether a time is within. O(days).
  package func contains(_ time: Int, on clock: some WallClock) -> Bool {
    let second = Self.second(of: time, clock)
    return days.contains { day in
      let since = second - (day * Self.dayMinutes + from) * 60
      return (since + Self.weekSeconds) % Self.weekSeconds < length * 60
    }
  }

  /// A time after another such that nothing begins or ends between the two; it may be that nothing does then, either. Within
  /// a week, and at the next shift of the clock. Nil without a day. O(days).
  package func nextEdge(after time: Int, on clock: some WallClock) -> Int? {
    let second = Self.second(of: time, clock)
    let waits = days.flatMap { day in
      let start = (day * Self.dayMinutes + from) * 60
      return [start, start + length * 60].map { edge in
        let wait = (edge - second) % Self.weekSeconds
        return wait > 0 ? wait : wait + Self.weekSeconds
      }
    }
    guard let wait = waits.min() else { return nil }
    guard let shift = clock.nextShift(after: time), shift > time else { return time + wait }
    return min(time + wait, shift)
  }

  /// Minutes of `22:00` or `24:00`; nil for anything else.
  package static func minute(_ text: String) -> Int? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2,
      parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let hours = Int(parts[0]), let minutes = Int(parts[1]), minutes < 60, hours * 60 + minutes <= dayMinutes
    else { return nil }
    return hours * 60 + minutes
  }

  /// `22:00`.
  package static func text(_ minute: Int) -> String {
    let (hours, minutes) = (minute / 60, minute % 60)
    return (hours < 10 ? "0" : "") + "\(hours)" + (minutes < 10 ? ":0" : ":") + "\(minutes)"
  }
}
