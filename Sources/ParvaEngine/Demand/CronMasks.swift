/// What a cron expression names, and when that comes: times of a clock, in seconds that it has shown since its 1 January 1970.
///
/// A month is looked at as a whole, by masks of its days, and months that are not named are not looked at. What takes longest to come
/// is a 29 February on one day of the week: after 40 years at most, where a century lies between.
struct CronMasks: Hashable, Sendable {
  /// A bit for each number; at least one in each.
  let minutes: UInt64
  let hours: UInt64
  let monthDays: UInt64
  let months: UInt64
  let weekDays: UInt64
  let isEitherDay: Bool

  /// Months that are looked at for one time, at most.
  static let mostMonths = 41
  private static let lengths = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

  /// Whether a named month has a named day; if so, every day of the week comes on it.
  var hasDay: Bool {
    isEitherDay || (1...12).contains { isNamed(month: $0) && monthDays & Self.days(Self.lengths[$0]) != 0 }
  }

  /// The newest named minute that had begun when the clock showed a time. O(1).
  func last(upTo local: Int) -> Int {
    let minute = Self.floor(local, 60)
    let today = Self.floor(minute, 1_440)
    let day = lastDay(upTo: today).day
    if day == today, let found = lastMinute(upTo: minute - today * 1_440) { return (today * 1_440 + found) * 60 }
    let before = day == today ? lastDay(upTo: today - 1).day : day
    return (before * 1_440 + (lastMinute(upTo: 1_439) ?? 0)) * 60
  }

  /// The first named minute that begins after the clock shows a time. O(1).
  func next(after local: Int) -> Int {
    let minute = Self.floor(local, 60) + 1
    let today = Self.floor(minute, 1_440)
    let day = firstDay(from: today).day
    if day == today, let found = firstMinute(from: minute - today * 1_440) { return (today * 1_440 + found) * 60 }
    let after = day == today ? firstDay(from: today + 1).day : day
    return (after * 1_440 + (firstMinute(from: 0) ?? 0)) * 60
  }

  // MARK: - Days since 1 January 1970

  /// The newest named day up to one, and how many months were looked at for it.
  func lastDay(upTo day: Int) -> (day: Int, months: Int) {
    var (year, month, date) = Self.date(day)
    var (within, looks) = (Self.days(date), 0)
    while true {
      if isNamed(month: month) {
        looks += 1
        let first = Self.number(year, month, 1)
        let found = named(month, first, year) & within
        if found != 0 { return (first + 62 - found.leadingZeroBitCount, looks) }
      }
      within = .max
      let earlier = months & (1 << UInt64(month) - 1)
      if earlier == 0 { year -= 1 }
      month = 63 - (earlier == 0 ? months : earlier).leadingZeroBitCount
    }
  }

  /// The first named day from one on, and how many months were looked at for it.
  func firstDay(from day: Int) -> (day: Int, months: Int) {
    var (year, month, date) = Self.date(day)
    var (within, looks) = (UInt64.max << UInt64(date), 0)
    while true {
      if isNamed(month: month) {
        looks += 1
        let first = Self.number(year, month, 1)
        let found = named(month, first, year) & within
        if found != 0 { return (first + found.trailingZeroBitCount - 1, looks) }
      }
      within = .max
      let later = months & (UInt64.max << UInt64(month + 1))
      if later == 0 { year += 1 }
      month = (later == 0 ? months : later).trailingZeroBitCount
    }
  }

  private func isNamed(month: Int) -> Bool { months >> UInt64(month) & 1 == 1 }

  /// The named days of a month whose first day is `first`, a bit for each from 1 on.
  private func named(_ month: Int, _ first: Int, _ year: Int) -> UInt64 {
    let all = Self.days(month == 2 && !Self.isLeap(year) ? 28 : Self.lengths[month])
    // The first of January 1970 was a Thursday.
    let weekDay = UInt64(first + 4 - Self.floor(first + 4, 7) * 7)
    let week = (weekDays >> weekDay | weekDays << (7 - weekDay)) & 0x7f
    let byWeek = week &* 0x10_2040_81 << 1 & all
    let byMonth = monthDays & all
    return isEitherDay ? byMonth | byWeek : byMonth & byWeek
  }

  /// A bit for each day from 1 to the last.
  private static func days(_ last: Int) -> UInt64 { 2 << UInt64(last) - 2 }

  // MARK: - Minutes of a day

  private func lastMinute(upTo minute: Int) -> Int? {
    let hour = minute / 60
    if hours >> UInt64(hour) & 1 == 1 {
      let found = minutes & (2 << UInt64(minute % 60) - 1)
      if found != 0 { return hour * 60 + 63 - found.leadingZeroBitCount }
    }
    let earlier = hours & (1 << UInt64(hour) - 1)
    guard earlier != 0 else { return nil }
    return (63 - earlier.leadingZeroBitCount) * 60 + 63 - minutes.leadingZeroBitCount
  }

  private func firstMinute(from minute: Int) -> Int? {
    let hour = minute / 60
    if hours >> UInt64(hour) & 1 == 1 {
      let found = minutes & (UInt64.max << UInt64(minute % 60))
      if found != 0 { return hour * 60 + found.trailingZeroBitCount }
    }
    let later = hours & (UInt64.max << UInt64(hour + 1))
    return later == 0 ? nil : later.trailingZeroBitCount * 60 + minutes.trailingZeroBitCount
  }

  // MARK: - The Gregorian calendar

  private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  /// Years begin in March here, and eras are of 400 years (H. Hinnant, "chrono-compatible low-level date algorithms").
  private static func date(_ number: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = number + 719_468
    let era = floor(shifted, 146_097)
    let ofEra = shifted - era * 146_097
    let year = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * year + year / 4 - year / 100)
    let index = (5 * ofYear + 2) / 153
    let month = index < 10 ? index + 3 : index - 9
    return (era * 400 + year + (month <= 2 ? 1 : 0), month, ofYear - (153 * index + 2) / 5 + 1)
  }

  private static func number(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = floor(shifted, 400)
    let ofEra = shifted - era * 400
    let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
  }

  private static func floor(_ value: Int, _ divisor: Int) -> Int {
    let quotient = value / divisor
    return value < quotient * divisor ? quotient - 1 : quotient
  }
}
