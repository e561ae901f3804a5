import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// Times of cron expressions against a walk over every day of two centuries.
@Suite struct CronTimesTests {
  /// A day of the calendar, counted one after the other.
  private struct Day {
    var month: Int
    var date: Int
    var weekDay: Int
  }

  /// From 1 January 1900, a Monday, to the end of 2199.
  private static let days: [Day] = {
    var (days, weekDay) = ([Day](), 1)
    for year in 1_900..<2_200 {
      let isLeap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0
      for (index, length) in [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].enumerated() {
        for date in 1...length {
          days.append(Day(month: index + 1, date: date, weekDay: weekDay))
          weekDay = (weekDay + 1) % 7
        }
      }
    }
    return days
  }()
  /// Days from 1 January 1900 to 1 January 1970.
  private static let before1970 = 25_567

  /// An expression, and what it names as sets.
  private struct Expression {
    var text: String
    var minutes: Set<Int>
    var hours: Set<Int>
    var dates: Set<Int>
    var months: Set<Int>
    var weekDays: Set<Int>
    var isEither: Bool

    init(_ random: inout SeededGenerator) {
      func some(_ range: ClosedRange<Int>, _ most: Int, _ random: inout SeededGenerator) -> (String, Set<Int>) {
        if Int.random(in: 0..<4, using: &random) == 0 { return ("*", Set(range)) }
        let step = Int.random(in: 2...40, using: &random)
        // A field that begins with * does not count as one that names days.
        if Int.random(in: 0..<4, using: &random) == 0 {
          return ("*/\(step)", Set(stride(from: range.lowerBound, through: range.upperBound, by: step)))
        }
        let values = Set(
          (0..<Int.random(in: 1...most, using: &random)).map { _ in Int.random(in: range, using: &random) })
        return (values.map(String.init).joined(separator: ","), values)
      }
      let (minute, minutes) = some(0...59, 3, &random)
      let (hour, hours) = some(0...23, 3, &random)
      var (date, dates) = some(1...31, 2, &random)
      var (month, months) = some(1...12, 2, &random)
      let (weekDay, weekDays) = some(0...6, 2, &random)
      switch Int.random(in: 0..<6, using: &random) {
      // The rarest: a 29 February, on certain days of the week.
      case 0: (date, dates, month, months) = ("*/28", [1, 29], "2", [2])
      case 1: (date, dates, month, months) = ("29", [29], "2", [2])
      case 2: (date, dates, month, months) = ("31", [31], "*/2", [1, 3, 5, 7, 9, 11])
      default: break
      }
      text = "\(minute) \(hour) \(date) \(month) \(weekDay)"
      (self.minutes, self.hours, self.dates, self.months, self.weekDays) = (minutes, hours, dates, months, weekDays)
      isEither = date.first != "*" && weekDay.first != "*"
    }

    func has(_ day: Day) -> Bool {
      guard months.contains(day.month) else { return false }
      let (isDate, isWeekDay) = (dates.contains(day.date), weekDays.contains(day.weekDay))
      return isEither ? isDate || isWeekDay : isDate && isWeekDay
    }

    /// Minutes of a day that are named, ascending.
    var ofDay: [Int] { hours.flatMap { hour in minutes.map { hour * 60 + $0 } }.sorted() }
  }

  @Test(
    "the last time and the next are those that a walk over all days finds, however rarely one comes", arguments: 0..<4)
  func againstAWalk(_ round: Int) throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    for _ in 0..<120 {
      let expression = Expression(&random)
      let isKnown = Self.days.contains(where: expression.has)
      let label = "seed \(seed), \(expression.text)"
      do throws(CronTimes.Fault) {
        let times = try CronTimes(expression.text)
        #expect(isKnown, "\(label)")
        for _ in 0..<4 { try? Self.compare(times, expression, label, &random) }
      } catch {
        #expect(error == .tooOften || error == .never && !isKnown, "\(label): \(error)")
      }
    }
  }

  /// At some moment of the 21st century.
  private static func compare(
    _ times: CronTimes, _ expression: Expression, _ label: String, _ random: inout SeededGenerator
  ) throws {
    let today = Int.random(in: 36_524..<73_048, using: &random)
    let minute = [0, 1_439, Int.random(in: 0..<1_440, using: &random)].randomElement(using: &random) ?? 0
    let ofDay = expression.ofDay
    func time(_ day: Int, _ minute: Int) -> Int { ((day - before1970) * 1_440 + minute) * 60 }
    let last: Int
    if expression.has(days[today]), let found = ofDay.last(where: { $0 <= minute }) {
      last = time(today, found)
    } else {
      last = time(try #require(days[..<today].lastIndex(where: expression.has), "\(label)"), ofDay[ofDay.count - 1])
    }
    let next: Int
    if expression.has(days[today]), let found = ofDay.first(where: { $0 > minute }) {
      next = time(today, found)
    } else {
      next = time(try #require(days[(today + 1)...].firstIndex(where: expression.has), "\(label)"), ofDay[0])
    }
    let now = time(today, minute) + Int.random(in: 0..<60, using: &random)
    #expect(times.masks.last(upTo: now) == last && times.masks.next(after: now) == next, "\(label) at \(now)")
    #expect(times.masks.last(upTo: next) == next && times.masks.next(after: last) == next, "\(label) at \(now)")
    let day = today - before1970
    #expect(times.masks.lastDay(upTo: day).months <= CronMasks.mostMonths, "\(label) at \(now)")
    #expect(times.masks.firstDay(from: day).months <= CronMasks.mostMonths, "\(label) at \(now)")
  }

  @Test("a 29 February on a Sunday is found beyond the year 2100, and nothing takes more months to find")
  func rarest() throws {
    let times = try CronTimes("0 0 29 2 */7")
    let sundays = Self.days.indices.filter {
      Self.days[$0].month == 2 && Self.days[$0].date == 29 && Self.days[$0].weekDay == 0
    }
    .map { $0 - Self.before1970 }
    #expect(zip(sundays, sundays.dropFirst()).map { $1 - $0 }.max() ?? 0 > 39 * 365)
    for (before, after) in zip(sundays, sundays.dropFirst()) {
      let (next, last) = (times.masks.firstDay(from: before + 1), times.masks.lastDay(upTo: after - 1))
      #expect(next.day == after && last.day == before)
      #expect(max(next.months, last.months) <= CronMasks.mostMonths)
    }
    for text in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30-31 2 */7"] {
      #expect(throws: CronTimes.Fault.never) { try CronTimes(text) }
    }
    #expect(throws: Never.self) { try CronTimes("0 0 30 2 mon") }
  }
}
