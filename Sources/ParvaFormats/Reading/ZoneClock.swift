import Foundation
package import ParvaEngine
import Synchronization

/// The clock of a time zone by its rules.
package struct ZoneClock: WallClock, Hashable {
  /// Its name, as `Europe/Berlin`.
  package let name: String
  private let periods: ZonePeriods

  /// - Parameter name: of the IANA database; abbreviations, which mean several things, are none.
  package init?(_ name: String) {
    guard name == "UTC" || name.contains("/"), name.utf8.count <= 64 else { return nil }
    let known = Self.clocks.withLock { clocks in
      if let clock = clocks[name] { return clock as ZoneClock? }
      guard let zone = TimeZone(identifier: name) else { return nil }
      let clock = ZoneClock(name, zone)
      // A zone may be found under several spellings.
      if clocks.count < Self.most { clocks[name] = clock }
      return clock
    }
    guard let known else { return nil }
    self = known
  }

  /// The clock of a zone that was read before; UTC for what is none.
  package static func known(_ name: String) -> ZoneClock { ZoneClock(name) ?? utc }

  /// Clocks that are kept; there are fewer zones.
  private static let most = 1_024
  private static let clocks = Mutex<[String: ZoneClock]>([:])
  private static let utc = ZoneClock("UTC", .gmt)

  private init(_ name: String, _ zone: TimeZone) { (self.name, periods) = (name, ZonePeriods(zone)) }

  package static func == (a: ZoneClock, b: ZoneClock) -> Bool { a.name == b.name }

  package func hash(into hasher: inout Hasher) { hasher.combine(name) }

  package func period(at time: Int) -> ClockPeriod { periods.period(at: time) }
}

/// When the clock of a zone is put forward or back, looked up once for each span of 16 years.
private final class ZonePeriods: Sendable {
  /// Seconds of 16 years, and of the 400 after which days of the year come on the same days of the week again.
  private static let span = 16 * 31_556_952
  private static let cycle = 400 * 31_556_952
  /// Times from here on, the year 2500, are as those a cycle before: no zone has anything in store from 2100 on but a rule for each year.
  private static let end = 4_102_444_800 + cycle
  /// Seconds before a span in which what was shown is looked at.
  private static let margin = 2 * 86_400

  private let zone: TimeZone
  private let spans = Mutex<[[ClockPeriod]]>(Array(repeating: [], count: end / span + 1))

  init(_ zone: TimeZone) { self.zone = zone }

  /// Before 1970 the clock goes as it did then. O(log periods of a span).
  func period(at time: Int) -> ClockPeriod {
    guard time >= Self.end else { return stored(max(time, 0)) }
    let later = ((time - Self.end) / Self.cycle + 1) * Self.cycle
    var period = stored(time - later)
    period.since += later
    if period.until != .max { period.until += later }
    if period.peak != .min { period.peak += later }
    return period
  }

  private func stored(_ time: Int) -> ClockPeriod {
    let index = time / Self.span
    return spans.withLock { spans in
      if spans[index].isEmpty { spans[index] = periods(of: index) }
      // The newest that has begun; the first one always has.
      var (low, high) = (0, spans[index].count)
      while high - low > 1 {
        let middle = (low + high) / 2
        if spans[index][middle].since <= time { low = middle } else { high = middle }
      }
      return spans[index][low]
    }
  }

  private func periods(of index: Int) -> [ClockPeriod] {
    let (begin, end) = (index * Self.span, (index + 1) * Self.span)
    var (periods, since, peak) = ([ClockPeriod](), max(0, begin - Self.margin), Int.min)
    while since < end {
      let offset = offset(at: since)
      let next = shift(after: since) ?? .max
      if next > begin {
        periods.append(ClockPeriod(since: since == 0 ? .min : since, until: next, offset: offset, peak: peak))
      }
      guard next != .max else { break }
      peak = max(peak, next - 1 + offset)
      since = next
    }
    return periods
  }

  private func offset(at time: Int) -> Int {
    zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(time)))
  }

  private func shift(after time: Int) -> Int? {
    let next = zone.nextDaylightSavingTimeTransition(after: Date(timeIntervalSince1970: TimeInterval(time)))
      .map { Int($0.timeIntervalSince1970.rounded()) }
    return next.flatMap { $0 > time ? $0 : nil }
  }
}
