/// The minutes that a cron expression names (crontab of POSIX.1-2017): minute, hour, day of the month, month, day of the week, by
/// the clock on some wall.
///
/// A field is `*`, a number, a range `1-5`, or those with a step, `*/2`, with commas between several; months and days of the week
/// have their English names, too, and 7 is Sunday like 0. Where both kinds of day are named, either will do.
public struct CronTimes: Hashable, Sendable {
  public enum Fault: Error, Hashable, Sendable {
    /// Not five fields with a space between each two.
    case fields
    /// This field cannot be read.
    case field(name: String, text: String)
    /// There is no such day.
    case never
    /// More often in a day than ``mostPerDay``.
    case tooOften
  }

  public static let fieldNames = ["minute", "hour", "day of the month", "month", "day of the week"]
  /// Every five minutes.
  public static let mostPerDay = 288
  private static let ranges = [0...59, 0...23, 1...31, 1...12, 0...7]
  private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
  private static let weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
  /// Between two days of which each is a 29 February there are eight years at most.
  private static let horizonDays = 8 * 366

  /// As it was written.
  public let text: String
  /// A bit for each number.
  private let minutes: UInt64
  private let hours: UInt64
  private let monthDays: UInt64
  private let monthMask: UInt64
  private let weekDays: UInt64
  private let isEitherDay: Bool

  public init(_ text: String) throws(Fault) {
    let fields = text.split(separator: " ", omittingEmptySubsequences: false)
    guard fields.count == 5, !fields.contains("") else { throw .fields }
    var masks: [UInt64] = []
    for index in 0..<5 {
      guard let mask = Self.mask(fields[index], index) else {
        throw .field(name: Self.fieldNames[index], text: String(fields[index]))
      }
      masks.append(mask)
    }
    self.text = text
    (minutes, hours, monthDays, monthMask) = (masks[0], masks[1], masks[2], masks[3])
    // Sunday has two numbers.
    weekDays = masks[4] & 0x7f | masks[4] >> 7
    isEitherDay = !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*")
    guard minutes.nonzeroBitCount * hours.nonzeroBitCount <= Self.mostPerDay else { throw .tooOften }
    guard next(after: 0) != nil else { throw .never }
  }

  private static func mask(_ field: Substring, _ index: Int) -> UInt64? {
    var mask: UInt64 = 0
    for item in field.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = item.split(separator: "/", omittingEmptySubsequences: false)
      guard (1...2).contains(parts.count), let (first, last) = range(parts[0], index, hasStep: parts.count == 2) else {
        return nil
      }
      guard let step = parts.count == 1 ? 1 : number(parts[1]), (1...60).contains(step) else { return nil }
      for value in stride(from: first, through: last, by: step) { mask |= 1 << UInt64(value) }
    }
    return mask
  }

  private static func range(_ text: Substring, _ index: Int, hasStep: Bool) -> (Int, Int)? {
    let all = ranges[index]
    // A day would be named twice.
    if text == "*" { return (all.lowerBound, index == 4 ? 6 : all.upperBound) }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    guard (1...2).contains(ends.count), let first = value(ends[0], index) else { return nil }
    guard ends.count == 2 else { return (first, hasStep ? all.upperBound : first) }
    guard let last = value(ends[1], index), first <= last else { return nil }
    return (first, last)
  }

  private static func value(_ text: Substring, _ index: Int) -> Int? {
    let names = index == 3 ? months : index == 4 ? weekdays : []
    if let place = names.firstIndex(of: text.lowercased()) { return index == 3 ? place + 1 : place }
    return number(text).flatMap { ranges[index].contains($0) ? $0 : nil }
  }

  private static func number(_ text: Substring) -> Int? {
    guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(text)
  }

  // MARK: - Times of a clock, in seconds that it has shown since its 1 January 1970

  /// The newest named minute that had begun when the clock showed a time; nil where there was none in eight years. O(days
  /// back), of months that are named.
  func last(upTo local: Int) -> Int? {
    let minute = Self.floor(local, 60)
    let day = Self.floor(minute, 1_440)
    var number = day
    while number > day - Self.horizonDays {
      let (month, date) = Self.monthAndDay(number)
      guard hasMonth(month) else {
        // To the end of the month before.
        number -= date
        continue
      }
      if hasDay(number, date), let found = lastMinute(upTo: number == day ? minute - day * 1_440 : 1_439) {
        return (number * 1_440 + found) * 60
      }
      number -= 1
    }
    return nil
  }

  /// The first named minute that begins after the clock shows a time; nil where there is none in eight years. O(days
  /// ahead), of months that are named.
  func next(after local: Int) -> Int? {
    let minute = Self.floor(local, 60) + 1
    let day = Self.floor(minute, 1_440)
    var number = day
    while number < day + Self.horizonDays {
      let (month, date) = Self.monthAndDay(number)
      guard hasMonth(month) else {
        // No month has less than 28 days.
        number += max(1, 29 - date)
        continue
      }
      if hasDay(number, date), let found = firstMinute(from: number == day ? minute - day * 1_440 : 0) {
        return (number * 1_440 + found) * 60
      }
      number += 1
    }
    return nil
  }

  private func lastMinute(upTo minute: Int) -> Int? {
    for hour in stride(from: minute / 60, through: 0, by: -1) where hours >> UInt64(hour) & 1 == 1 {
      let most = hour == minute / 60 ? minute % 60 : 59
      let found = minutes & (1 << UInt64(most + 1) - 1)
      if found != 0 { return hour * 60 + 63 - found.leadingZeroBitCount }
    }
    return nil
  }

  private func firstMinute(from minute: Int) -> Int? {
    for hour in minute / 60..<24 where hours >> UInt64(hour) & 1 == 1 {
      let found = hour == minute / 60 ? (minutes >> UInt64(minute % 60)) << UInt64(minute % 60) : minutes
      if found != 0 { return hour * 60 + found.trailingZeroBitCount }
    }
    return nil
  }

  private func hasMonth(_ month: Int) -> Bool { monthMask >> UInt64(month) & 1 == 1 }

  /// Whether a day since 1 January 1970, a Thursday, is one of them where its month is.
  private func hasDay(_ number: Int, _ day: Int) -> Bool {
    let isMonthDay = monthDays >> UInt64(day) & 1 == 1
    let isWeekDay = weekDays >> UInt64(number + 4 - Self.floor(number + 4, 7) * 7) & 1 == 1
    return isEitherDay ? isMonthDay || isWeekDay : isMonthDay && isWeekDay
  }

  /// Of the Gregorian calendar; years begin in March here, and eras are of 400 years (H. Hinnant, "chrono-compatible low-level
  /// date algorithms").
  private static func monthAndDay(_ number: Int) -> (month: Int, day: Int) {
    let shifted = number + 719_468
    let ofEra = shifted - floor(shifted, 146_097) * 146_097
    let year = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * year + year / 4 - year / 100)
    let month = (5 * ofYear + 2) / 153
    return (month < 10 ? month + 3 : month - 9, ofYear - (153 * month + 2) / 5 + 1)
  }

  private static func floor(_ value: Int, _ divisor: Int) -> Int {
    let quotient = value / divisor
    return value < quotient * divisor ? quotient - 1 : quotient
  }
}

extension WallClock {
  /// The latest time that the clock has shown up to a moment: it stays while the clock goes through an hour for the second time,
  /// and leaps with it. So each time of it comes once.
  func latestShown(at time: Int) -> Int {
    var (latest, from) = (time + offset(at: time), time - 86_400)
    while let shift = nextShift(after: from), shift > from, shift <= time {
      latest = max(latest, shift - 1 + offset(at: shift - 1))
      from = shift
    }
    return latest
  }

  /// When ``latestShown(at:)`` first is a time or beyond, which it is not yet at `moment`.
  func firstTime(showing local: Int, after moment: Int) -> Int {
    var from = moment
    while true {
      let reached = local - offset(at: from)
      guard let shift = nextShift(after: from), shift > from, shift <= reached else { return max(reached, from) }
      if shift + offset(at: shift) >= local { return shift }
      from = shift
    }
  }
}
