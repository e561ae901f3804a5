import Foundation
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import Testing

/// The clocks of zones against what Foundation says of every moment.
@Suite struct ZoneClockTests {
  @Test("each zone's clock is as far ahead as Foundation says, at any time and around its shifts", arguments: 0..<4)
  func againstFoundation(_ round: Int) throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed)
    let named = TimeZone.knownTimeZoneIdentifiers.filter { $0.contains("/") }
    #expect(named.count > 300)
    let zones = (0..<24).map { _ in named.randomElement(using: &random) ?? "UTC" }
    for name in zones + ["UTC", "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin"] {
      let clock = try #require(ZoneClock(name))
      let zone = try #require(TimeZone(identifier: name))
      for _ in 0..<12 {
        let most = [2_000_000_000, 4_000_000_000, 253_402_300_799].randomElement(using: &random) ?? 1
        let time = Int.random(in: 0..<most, using: &random)
        let period = clock.period(at: time)
        let label = "seed \(seed), \(name) at \(time)"
        #expect(period.since <= time && time < period.until, "\(label)")
        for moment in [time, period.until - 1, period.until, max(0, period.since)] where moment < .max - 1 {
          let offset = zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(moment)))
          #expect(clock.period(at: moment).offset == offset, "\(label): \(moment)")
        }
        // What was shown before it, within a day.
        let shown = (1...24).map { hour in
          let before = period.since == .min ? time : period.since - hour * 3_600 + 3_599
          return before + zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(before)))
        }
        if period.peak != .min, period.since > 86_400 { #expect(period.peak == shown.max(), "\(label)") }
      }
    }
  }

  @Test("before 1970 a clock goes as it did then")
  func before1970() throws {
    for name in ["UTC", "Europe/Berlin", "America/New_York"] {
      let clock = try #require(ZoneClock(name))
      #expect(clock.period(at: -10_000_000_000) == clock.period(at: 0))
    }
  }
}
