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
  /// As it was written.
  public let text: String
  let masks: CronMasks

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
    self.masks = CronMasks(
      minutes: masks[0], hours: masks[1], monthDays: masks[2], months: masks[3],
      // Sunday has two numbers.
      weekDays: masks[4] & 0x7f | masks[4] >> 7, isEitherDay: !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*"))
    guard masks[0].nonzeroBitCount * masks[1].nonzeroBitCount <= Self.mostPerDay else { throw .tooOften }
    guard self.masks.hasDay else { throw .never }
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
}
