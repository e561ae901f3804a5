import Foundation
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import Testing

/// Rates by time, against the calendar, minute by minute.
@Suite struct WorkloadScheduleTests {
  private struct Draw {
    var random: SeededGenerator

    /// Entries that overlap often, each of a zone of its own; mostly around a time at which clocks are put forward or back.
    mutating func schedule() -> [ScheduledRate] {
      (0..<Int.random(in: 1...4, using: &random)).map { _ in
        let minutes = [0, 60, 90, 120, 150, 180, 200, 720, 1_439]
        let from =
          Bool.random(using: &random)
          ? minutes.randomElement(using: &random) ?? 0 : .random(in: 0...1_439, using: &random)
        return ScheduledRate(
          times: WeeklyTimes(
            days: Set((0..<7).filter { _ in Bool.random(using: &random) } + [Int.random(in: 0..<7, using: &random)]),
            from: from, to: Int.random(in: 1...1_440, using: &random)),
          zone: RandomWorkloads.zones.randomElement(using: &random) ?? "UTC",
          rate: Double(Int.random(in: 1...4, using: &random) * 100))
      }
    }

    mutating func start(_ schedule: [ScheduledRate]) -> Int {
      let any = Int.random(in: 1_767_225_600..<1_830_000_000, using: &random)
      let until = ZoneClock.known(schedule[0].zone).period(at: any).until
      let shift = until == .max ? any : until
      return (shift - Int.random(in: 0..<86_400, using: &random)) / 60 * 60
    }
  }

  /// What a calendar says, without any of what is tested.
  private static func rate(_ workload: Workload, _ time: Int, _ calendars: [String: Calendar]) -> Double {
    let entry = workload.schedule.first { entry in
      guard let calendar = calendars[entry.zone], case .weekly(let times) = entry.times else { return false }
      let parts = calendar.dateComponents(
        [.weekday, .hour, .minute], from: Date(timeIntervalSince1970: TimeInterval(time)))
      let (day, minute) = (((parts.weekday ?? 1) + 5) % 7, (parts.hour ?? 0) * 60 + (parts.minute ?? 0))
      let yesterday = (day + 6) % 7
      if times.to > times.from { return times.days.contains(day) && (times.from..<times.to).contains(minute) }
      return times.days.contains(day) && minute >= times.from || times.days.contains(yesterday) && minute < times.to
    }
    return entry?.rate ?? workload.rate
  }

  /// Foundation's calendar of each zone that workloads are drawn in.
  private static func calendars() throws -> [String: Calendar] {
    try Dictionary(
      uniqueKeysWithValues: RandomWorkloads.zones.map { zone in
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: zone))
        return (zone, calendar)
      })
  }

  @Test("the rate is that of the first entry whose time the calendar shows, and what is ahead is seen for just so long")
  func againstTheCalendar() throws {
    let seed = TestSeed.of()
    var draw = Draw(random: SeededGenerator(seed))
    let calendars = try Self.calendars()
    for round in 0..<12 {
      var workload = Workload(id: "w", model: "m", rate: 150, sloLatencyMs: 1)
      workload.schedule = draw.schedule()
      let (start, curve) = (draw.start(workload.schedule), workload.curve)
      let (shown, ahead) = (1_500, Int.random(in: 0...300, using: &draw.random))
      let rates = (0...shown + ahead).map { Self.rate(workload, start + $0 * 60, calendars) }
      let label = "seed \(seed), round \(round)"
      #expect(workload.highestRate == ([150] + workload.schedule.map(\.rate)).max())
      var step = 0
      for minute in 0..<shown {
        let time = start + minute * 60
        guard curve.rate(at: time) == rates[minute] else {
          Issue.record("\(label): \(curve.rate(at: time)) and not \(rates[minute]) at \(time)")
          return
        }
        let highest = rates[minute...minute + ahead].max() ?? 0
        if minute % 7 == 0 {
          #expect(curve.outlook(from: time, for: ahead * 60).highest == highest, "\(label) at \(time)")
        }
        if minute == step {
          let next = try #require(curve.outlook(from: time, for: ahead * 60).next)
          #expect(next > time && next % 60 == 0, "\(label) at \(time)")
          step = (next - start) / 60
        } else if let before = rates[minute - 1...minute - 1 + ahead].max(), before != highest {
          Issue.record("\(label): what is ahead changes at \(time), which is no step")
          return
        }
        if minute % 97 == 0 {
          let change = (minute + 1..<shown).first { rates[$0] != rates[minute] }
          let told = curve.nextChange(after: time, within: (shown - 1 - minute) * 60)
          #expect(told?.time == change.map { start + $0 * 60 } && told?.rate == change.map { rates[$0] }, "\(label)")
        }
      }
    }
  }

  /// What a cron daemon does by a calendar, minute by minute: it runs what the clock has leapt over at once, in order, and nothing
  /// twice. Nil before the first.
  private static func rates(
    _ workload: Workload, _ start: Int, _ minutes: Int, _ calendars: [String: Calendar]
  ) -> [Double?] {
    var shown: [String: Int] = [:]
    var (rates, current): ([Double?], Double?) = ([], nil)
    for minute in 0..<minutes {
      let date = Date(timeIntervalSince1970: TimeInterval(start + minute * 60))
      var begun: [(order: Int, local: Int, zone: String, rate: Double)] = []
      for (order, entry) in workload.schedule.enumerated() {
        guard case .from(let times) = entry.times, let calendar = calendars[entry.zone] else { continue }
        let local = (start + minute * 60 + calendar.timeZone.secondsFromGMT(for: date)) / 60
        for step in stride(from: shown[entry.zone, default: local - 1] + 1, through: local, by: 1)
        where has(times.text, step) {
          begun.append((order, step, entry.zone, entry.rate))
        }
      }
      for zone in Set(workload.schedule.map(\.zone)) {
        guard let calendar = calendars[zone] else { continue }
        let local = (start + minute * 60 + calendar.timeZone.secondsFromGMT(for: date)) / 60
        shown[zone] = max(shown[zone] ?? local, local)
      }
      // Of those that begin in one minute the first entry counts, and of what a clock leaps over the latest.
      if let first = begun.min(by: { $0.order < $1.order }) {
        let rivals = begun.filter { $0.zone == first.zone }
        let latest = rivals.map(\.local).max() ?? 0
        current = rivals.filter { $0.local == latest }.min { $0.order < $1.order }?.rate ?? current
      }
      rates.append(current)
    }
    return rates
  }

  /// Whether an expression names a minute since 1970 of some clock, by the calendar of the library.
  private static func has(_ text: String, _ local: Int) -> Bool {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    let parts = calendar.dateComponents(
      [.minute, .hour, .day, .month, .weekday], from: Date(timeIntervalSince1970: TimeInterval(local) * 60))
    let values = [parts.minute ?? 0, parts.hour ?? 0, parts.day ?? 0, parts.month ?? 0, (parts.weekday ?? 1) - 1]
    let names = ["jan": 1, "mar": 3, "oct": 10, "nov": 11, "sun": 0, "mon": 1, "fri": 5, "sat": 6]
    let fields = text.lowercased().split(separator: " ").map(String.init)
    func holds(_ index: Int) -> Bool {
      fields[index].split(separator: ",").contains { item in
        let parts = item.split(separator: "/")
        let step = parts.count == 2 ? Int(parts[1]) ?? 1 : 1
        if parts[0] == "*" { return (values[index] - (index == 2 || index == 3 ? 1 : 0)) % step == 0 }
        let ends = parts[0].split(separator: "-").map { Int($0) ?? names[String($0)] ?? -1 }
        let value = index == 4 && values[index] == 0 && ends.contains(7) ? 7 : values[index]
        return (ends[0]...(ends.count == 2 ? ends[1] : ends[0])).contains(value) && (value - ends[0]) % step == 0
      }
    }
    guard holds(0), holds(1), holds(3) else { return false }
    let areBoth = fields[2].first != "*" && fields[4].first != "*"
    return areBoth ? holds(2) || holds(4) : holds(2) && holds(4)
  }

  @Test(
    "a rate by cron is that of the entry whose time has come last, as a cron daemon would have it, over all shifts of clocks"
  )
  func cronAgainstTheCalendar() throws {
    let seed = TestSeed.of(offset: 7)
    var draw = Draw(random: SeededGenerator(seed))
    let calendars = try Self.calendars()
    for round in 0..<16 {
      var workload = Workload(id: "w", model: "m", rate: 150, sloLatencyMs: 1)
      let zone = RandomWorkloads.zones.randomElement(using: &draw.random) ?? "UTC"
      let isOfOne = Bool.random(using: &draw.random)
      for number in 0..<Int.random(in: 1...4, using: &draw.random) {
        guard let times = try? CronTimes(RandomWorkloads.cron(&draw.random)) else { continue }
        let own = isOfOne ? zone : RandomWorkloads.zones.randomElement(using: &draw.random) ?? "UTC"
        workload.schedule.append(ScheduledRate(.from(times), zone: own, rate: Double(number + 2) * 100))
      }
      guard !workload.schedule.isEmpty else { continue }
      let (start, curve) = (draw.start(workload.schedule), workload.curve)
      let expected = Self.rates(workload, start, 2_000, calendars)
      var edge = curve.span(at: start - 1).until ?? .max
      for (minute, rate) in expected.enumerated() {
        let time = start + minute * 60
        let label = "seed \(seed), round \(round), \(workload.schedule) at \(time)"
        if let rate, curve.rate(at: time) != rate {
          Issue.record("\(label): \(curve.rate(at: time)) and not \(rate)")
          return
        }
        if minute > 0, expected[minute - 1] != rate, edge != time {
          Issue.record("\(label): the rate changes, and that is no edge")
          return
        }
        if edge <= time {
          edge = curve.span(at: time).until ?? .max
          #expect(edge > time)
        }
      }
      // Written and read it is the same.
      let read = try WorkloadReader.readOne(InputSource(WorkloadWriter.json(workload), format: .json))
      #expect(read == workload)
    }
  }

  @Test("times of the week go before cron, and cron before the constant rate")
  func bothForms() throws {
    let body = #"""
      {"id":"w","model":"m","rate":7,"slo":{"latencyMs":5},"schedule":[
        {"cron":"0 8 * * mon-fri","timeZone":"Europe/Berlin","rate":900},
        {"cron":"0 18 * * *","timeZone":"Europe/Berlin","rate":100},
        {"days":["wednesday"],"from":"12:00","to":"13:00","timeZone":"Europe/Berlin","rate":50}]}
      """#
    let workload = try WorkloadReader.readOne(InputSource(Data(body.utf8), format: .json))
    func rate(_ text: String) throws -> Double {
      workload.curve.rate(at: try #require(Date(rfc3339: text)).wholeSeconds)
    }
    // A Wednesday, and a Saturday, in winter.
    for (time, wanted) in [
      ("2026-12-02T06:59:59Z", 100.0), ("2026-12-02T07:00:00Z", 900), ("2026-12-02T11:00:00Z", 50),
      ("2026-12-02T12:00:00Z", 900), ("2026-12-02T17:00:00Z", 100), ("2026-12-05T12:00:00Z", 100),
    ] {
      #expect(try rate(time) == wanted, "\(time)")
    }
    let friday = try #require(Date(rfc3339: "2026-12-04T18:00:00Z"))
    let next = try #require(workload.curve.nextChange(after: friday.wholeSeconds))
    #expect(
      Date(timeIntervalSince1970: TimeInterval(next.time)) == Date(rfc3339: "2026-12-07T07:00:00Z") && next.rate == 900)
    #expect(workload.highestRate == 900)
  }

  @Test(
    "what is no cron expression is refused",
    arguments: [
      "", "* * * *", "0 0 * * * *", "0  0 * * *", "60 0 * * *", "0 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 * 13 *",
      "0 0 * * 8", "0 0 30 2 *", "0 0 31 4,6,feb *", "5-1 0 * * *", "*/0 0 * * *", "*/61 0 * * *", "a 0 * * *",
      "0 0 * * monday", "0 0 L * *", "0 0 * * 5#2", "@daily", "* * * * *", "-1 0 * * *", "0 0 1,,2 * *", "0/ 0 * * *",
      "0 0 * * mon-", "\u{663} 0 * * *",
    ])
  func noCron(_ text: String) {
    #expect(throws: CronTimes.Fault.self) { try CronTimes(text) }
  }

  @Test("a schedule that changes nothing has no next rate, and one of no entries costs nothing")
  func nothingToCome() throws {
    var workload = Workload(id: "w", model: "m", rate: 5, sloLatencyMs: 1)
    #expect(workload.curve.outlook(from: 0, for: 60).next == nil && workload.settled(at: .now) == workload)
    workload.schedule = [
      ScheduledRate(times: WeeklyTimes(days: [0], from: 60, to: 120), zone: "Europe/Berlin", rate: 5)
    ]
    #expect(workload.curve.nextChange(after: 1_800_000_000) == nil)
    #expect(workload.settled(at: .now).schedule.isEmpty)
  }

  struct Refusal: Sendable {
    var schedule: String
    var told: [String]
  }

  static let refusals = [
    Refusal(schedule: "[{}]", told: ["missing_key /schedule/0"]),
    Refusal(schedule: #"[{"rate":1}]"#, told: ["missing_key /schedule/0/timeZone"]),
    Refusal(
      schedule: #"[{"rate":0,"timeZone":"CET","days":["someday"]}]"#,
      told: [
        "out_of_range /schedule/0/rate", "out_of_range /schedule/0/timeZone", "out_of_range /schedule/0/days/0",
        "missing_key /schedule/0/from", "missing_key /schedule/0/to",
      ]),
    Refusal(
      schedule: #"[{"rate":1,"timeZone":"UTC","from":"01:00","to":"00:00"}]"#, told: ["out_of_range /schedule/0/to"]),
    Refusal(schedule: #"[{"rate":1,"cron":"0 8 * * *"}]"#, told: ["missing_key /schedule/0/timeZone"]),
    Refusal(schedule: #"[{"rate":1,"crontab":"0 8 * * *"}]"#, told: ["unknown_key /schedule/0/crontab"]),
    Refusal(
      schedule: #"[{"rate":1,"timeZone":"UTC","cron":"0 8 * *","from":"08:00"}]"#,
      told: ["contradiction /schedule/0/from", "out_of_range /schedule/0/cron"]),
    Refusal(schedule: #"[{"rate":1,"timeZone":"UTC","cron":"*/4 * * * *"}]"#, told: ["out_of_range /schedule/0/cron"]),
    Refusal(schedule: #""weekdays""#, told: ["wrong_type /schedule"]),
    Refusal(
      schedule: "["
        + Array(repeating: #"{"rate":1,"timeZone":"UTC","from":"01:00","to":"02:00"}"#, count: 33).joined(
          separator: ",")
        + "]", told: ["out_of_range /schedule"]),
  ]

  @Test("what is wrong of a schedule is named with its place", arguments: refusals)
  func refused(_ given: Refusal) {
    let body = #"{"id":"w","model":"m","rate":1,"slo":{"latencyMs":5},"schedule":\#(given.schedule)}"#
    let error = #expect(throws: InputErrors.self) {
      try WorkloadReader.readOne(InputSource(Data(body.utf8), format: .json))
    }
    #expect(error?.errors.map { "\($0.code.rawValue) \($0.pointer ?? "")" } == given.told)
  }

  @Test("CSV says that it cannot hold a schedule")
  func notInCSV() {
    var workload = Workload(id: "w", model: "m", rate: 5, sloLatencyMs: 1)
    workload.schedule = [ScheduledRate(times: WeeklyTimes(days: [0], from: 60, to: 120), zone: "UTC", rate: 9)]
    let error = #expect(throws: InputErrors.self) { try WorkloadWriter.csv([workload]) }
    #expect(error?.errors.first?.code == .notInFormat)
  }
}
