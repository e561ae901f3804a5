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
      let shift = ZoneClock.known(schedule[0].zone).nextShift(after: any) ?? any
      return (shift - Int.random(in: 0..<86_400, using: &random)) / 60 * 60
    }
  }

  /// What a calendar says, without any of what is tested.
  private static func rate(_ workload: Workload, _ time: Int, _ calendars: [String: Calendar]) -> Double {
    let entry = workload.schedule.first { entry in
      guard let calendar = calendars[entry.zone] else { return false }
      let parts = calendar.dateComponents(
        [.weekday, .hour, .minute], from: Date(timeIntervalSince1970: TimeInterval(time)))
      let (day, minute) = (((parts.weekday ?? 1) + 5) % 7, (parts.hour ?? 0) * 60 + (parts.minute ?? 0))
      let (times, yesterday) = (entry.times, (day + 6) % 7)
      if times.to > times.from { return times.days.contains(day) && (times.from..<times.to).contains(minute) }
      return times.days.contains(day) && minute >= times.from || times.days.contains(yesterday) && minute < times.to
    }
    return entry?.rate ?? workload.rate
  }

  @Test("the rate is that of the first entry whose time the calendar shows, and what is ahead is seen for just so long")
  func againstTheCalendar() throws {
    let seed = TestSeed.of()
    var draw = Draw(random: SeededGenerator(seed))
    let calendars = try Dictionary(
      uniqueKeysWithValues: RandomWorkloads.zones.map { zone in
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: zone))
        return (zone, calendar)
      })
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
        if minute % 7 == 0 { #expect(curve.highest(from: time, for: ahead * 60) == highest, "\(label) at \(time)") }
        if minute == step {
          let next = try #require(curve.nextStep(after: time, ahead: ahead * 60))
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

  @Test("a schedule that changes nothing has no next rate, and one of no entries costs nothing")
  func nothingToCome() throws {
    var workload = Workload(id: "w", model: "m", rate: 5, sloLatencyMs: 1)
    #expect(workload.curve.nextStep(after: 0, ahead: 60) == nil && workload.settled(at: .now) == workload)
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
    Refusal(schedule: #"[{"rate":1,"cron":"0 8 * * *"}]"#, told: ["unknown_key /schedule/0/cron"]),
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
