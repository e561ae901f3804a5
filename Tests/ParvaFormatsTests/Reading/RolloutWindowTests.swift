import Foundation
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import ParvaWire
import Testing

/// Windows against the calendar, minute by minute.
@Suite struct RolloutWindowTests {
  private static let zones = RandomWorkloads.zones

  private static func calendar(_ zone: String) throws -> Calendar {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = try #require(TimeZone(identifier: zone))
    return calendar
  }

  /// What the calendar says, without any of what is tested.
  private static func contains(_ times: WeeklyTimes, _ time: Int, _ calendar: Calendar) -> Bool {
    let parts = calendar.dateComponents(
      [.weekday, .hour, .minute], from: Date(timeIntervalSince1970: TimeInterval(time)))
    let day = ((parts.weekday ?? 1) + 5) % 7
    let minute = (parts.hour ?? 0) * 60 + (parts.minute ?? 0)
    if times.to > times.from { return times.days.contains(day) && (times.from..<times.to).contains(minute) }
    return times.days.contains(day) && minute >= times.from
      || times.days.contains((day + 6) % 7) && minute < times.to
  }

  private struct Draw {
    var random: SeededGenerator

    mutating func times() -> WeeklyTimes {
      let days = (0..<7).filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
      // Often near the hours in which clocks are put forward or back.
      func minute(_ range: ClosedRange<Int>) -> Int {
        Bool.random(using: &random)
          ? Int.random(in: range, using: &random)
          : [0, 60, 90, 120, 150, 180, 200, 1_439].randomElement(using: &random) ?? 1
      }
      return WeeklyTimes(
        days: Set(days.isEmpty ? [6] : days), from: minute(0...1_439), to: max(1, minute(1...1_440)))
    }

    /// Some time of 2026 to 2028; mostly within a day and a half of a shift.
    mutating func time(_ clock: ZoneClock) -> Int {
      let any = Int.random(in: 1_767_225_600..<1_830_000_000, using: &random)
      let shift = clock.period(at: any).until
      guard Int.random(in: 0..<4, using: &random) > 0, shift != .max else { return any / 60 * 60 }
      return (shift - Int.random(in: 0..<129_600, using: &random)) / 60 * 60
    }
  }

  @Test("times of the week are those that the calendar shows, whatever clocks are put forward or back")
  func weekly() throws {
    let seed = TestSeed.of()
    var draw = Draw(random: SeededGenerator(seed))
    for name in Self.zones {
      let (clock, calendar) = (try #require(ZoneClock(name)), try Self.calendar(name))
      for _ in 0..<4 {
        let (times, start) = (draw.times(), draw.time(clock))
        var edge = start
        for time in stride(from: start, to: start + 2 * 86_400, by: 60) {
          let isIn = times.contains(time, on: clock)
          if isIn != Self.contains(times, time, calendar) {
            Issue.record("seed \(seed): \(name) \(times) at \(time) is \(isIn)")
            return
          }
          // Between two edges nothing changes.
          if time >= edge {
            #expect(time == edge, "seed \(seed): edges are whole minutes")
            edge = try #require(times.nextEdge(after: time, on: clock))
          } else if isIn != times.contains(time - 60, on: clock) {
            Issue.record("seed \(seed): \(name) \(times) changes at \(time), which is no edge")
            return
          }
        }
      }
    }
  }

  @Test("the next opening or shutting of any windows is the first minute at which the verdict is another")
  func verdicts() throws {
    let seed = TestSeed.of()
    var draw = Draw(random: SeededGenerator(seed))
    for round in 0..<60 {
      let clock = try #require(ZoneClock(Self.zones.randomElement(using: &draw.random) ?? "UTC"))
      let start = draw.time(clock)
      let windows = try (0..<Int.random(in: 0...3, using: &draw.random)).map { index in
        let zone = try #require(ZoneClock(Self.zones.randomElement(using: &draw.random) ?? "UTC"))
        let begin = start / 60 * 60 + 60 * Int.random(in: -900...900, using: &draw.random)
        let length = 60 * Int.random(in: 1...900, using: &draw.random)
        return RolloutWindow(
          name: "w\(index)", kind: Bool.random(using: &draw.random) ? .allow : .freeze,
          times: Int.random(in: 0..<3, using: &draw.random) == 0
            ? .once(begin..<begin + length) : .weekly(draw.times(), zone),
          sparesLostCapacity: Bool.random(using: &draw.random))
      }
      let now = windows.verdict(at: start)
      let horizon = 36 * 3_600
      let brute = stride(from: start + 60, through: start + horizon, by: 60)
        .first { windows.verdict(at: $0).isOpen != now.isOpen }
      #expect(windows.nextVerdict(after: start, within: horizon) == brute, "seed \(seed), round \(round)")
      let frozen = windows.filter { $0.kind == .freeze && $0.contains(start) }
      let allowing = windows.filter { $0.kind == .allow }
      let isOpen = frozen.isEmpty && (allowing.isEmpty || allowing.contains { $0.contains(start) })
      #expect(now.isOpen == isOpen && now.shutBy.isEmpty == isOpen)
      #expect(now.isOpenForLostCapacity || !isOpen)
      #expect(isOpen || now.shutBy == (frozen.isEmpty ? allowing : frozen).map(\.name))
    }
  }

  @Test("a window is read as it is told")
  func roundTrip() throws {
    let seed = TestSeed.of()
    var draw = Draw(random: SeededGenerator(seed))
    for round in 0..<200 {
      let zone = try #require(ZoneClock(Self.zones[round % Self.zones.count]))
      let begin = Int.random(in: 0..<4_000_000_000, using: &draw.random)
      let window = RolloutWindow(
        name: "w", kind: round % 2 == 0 ? .allow : .freeze,
        times: round % 3 == 0 ? .once(begin..<begin + 1 + round) : .weekly(draw.times(), zone),
        sparesLostCapacity: round % 5 == 0, reason: round % 7 == 0 ? "why \"not\"" : "")
      let data = try JSONEncoder().encode(WindowReader.spec(of: window))
      #expect(try WindowReader.read(InputSource(data, format: .json), name: "w") == window, "seed \(seed)")
    }
    let yaml = "kind: allow\ndays: [monday]\nfrom: '22:00'\nto: '05:00'\ntimeZone: Europe/Berlin\n"
    let window = try WindowReader.read(InputSource(Data(yaml.utf8), format: .yaml), name: "nights")
    #expect(window.sparesLostCapacity && WindowReader.spec(of: window).days == ["monday"])
  }

  struct Refusal: Sendable {
    var body: String
    var told: [String]
  }

  static let refusals = [
    Refusal(body: #"{}"#, told: ["missing_key "]),
    Refusal(body: #"{"kind":"never","from":"01:00","to":"02:00","timeZone":"UTC"}"#, told: ["out_of_range /kind"]),
    Refusal(body: #"{"kind":"allow"}"#, told: ["missing_key /timeZone"]),
    Refusal(
      body: #"{"kind":"allow","timeZone":"CET"}"#,
      told: ["out_of_range /timeZone", "missing_key /from", "missing_key /to"]),
    Refusal(
      body: #"{"kind":"allow","timeZone":"Mars/Base","from":"24:00","to":"00:00"}"#,
      told: ["out_of_range /timeZone", "out_of_range /from", "out_of_range /to"]),
    Refusal(
      body: #"{"kind":"allow","timeZone":"UTC","from":"1:00","to":"25:00","days":["monday","monday","someday"]}"#,
      told: ["duplicate /days/1", "out_of_range /days/2", "out_of_range /from", "out_of_range /to"]),
    Refusal(body: #"{"kind":"allow","timeZone":"UTC","from":"01:00","to":"02:00","days":[]}"#, told: ["empty /days"]),
    Refusal(body: #"{"kind":"freeze","start":"2027-01-01T00:00:00Z"}"#, told: ["missing_key /end"]),
    Refusal(
      body: #"{"kind":"freeze","start":"2027-01-01T00:00:00Z","end":"2027-01-01T00:00:00Z"}"#,
      told: ["contradiction /end"]),
    Refusal(
      body: #"{"kind":"freeze","start":"tomorrow","end":"2027-01-01T00:00:00Z","from":"01:00"}"#,
      told: ["contradiction /from", "out_of_range /start"]),
    Refusal(
      body: #"{"kind":"freeze","start":"2026-01-01T00:00:00Z","end":"2027-01-01T00:00:00Z","except":["all"]}"#,
      told: ["out_of_range /except/0"]),
    Refusal(
      body: #"{"kind":"freeze","start":"2026-01-01T00:00:00Z","end":"2027-01-01T00:00:00Z","reason":"a\nb"}"#,
      told: ["out_of_range /reason"]),
    Refusal(body: #"{"kind":"freeze","cron":"* * * * *"}"#, told: ["unknown_key /cron"]),
  ]

  @Test("what is wrong is named, each with its place", arguments: refusals)
  func refused(_ given: Refusal) {
    let error = #expect(throws: InputErrors.self) {
      try WindowReader.read(InputSource(Data(given.body.utf8), format: .json), name: "w")
    }
    #expect(error?.errors.map { "\($0.code.rawValue) \($0.pointer ?? "")" } == given.told)
  }
}
