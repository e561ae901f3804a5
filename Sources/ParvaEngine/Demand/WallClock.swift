/// How the clock on a wall goes between two times at which it is put forward or back. Times are whole seconds since 1970.
public struct ClockPeriod: Hashable, Sendable {
  /// From when on; `Int.min` where that is always.
  public var since: Int
  /// Until when, which is not in it; `Int.max` where it is not known to end.
  public var until: Int
  /// Seconds by which it is ahead of UTC.
  public var offset: Int
  /// The latest time that it has shown before, in seconds as it shows them; `Int.min` where that is long past.
  public var peak: Int

  public init(since: Int, until: Int, offset: Int, peak: Int) {
    (self.since, self.until, self.offset, self.peak) = (since, until, offset, peak)
  }

  /// The latest time that the clock has shown up to a moment of the period: it stays while the clock goes through an hour for the
  /// second time, and leaps with it. So each time of it comes once.
  func latestShown(at time: Int) -> Int { max(peak, time + offset) }
}

/// The clock on the wall of some place.
public protocol WallClock: Sendable {
  /// The one that a time is in. O(log periods) at most.
  func period(at time: Int) -> ClockPeriod
}

extension WallClock {
  /// When ``ClockPeriod/latestShown(at:)`` first is a time or beyond. O(1) look-ups.
  func firstTime(showing local: Int) -> Int {
    // No clock is a day ahead, and none was put back by one since 1970.
    var period = period(at: local - 86_400)
    while local - period.offset >= period.until { period = self.period(at: period.until) }
    return max(local - period.offset, period.since)
  }

  /// The same, mostly without a look-up where that is in a period which is known.
  func firstTime(showing local: Int, near period: ClockPeriod) -> Int {
    let time = local - period.offset
    return local > period.peak && time >= period.since && time < period.until ? time : firstTime(showing: local)
  }
}
