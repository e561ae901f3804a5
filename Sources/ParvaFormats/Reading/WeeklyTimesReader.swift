import ParvaEngine

/// Reads times of the week, as windows and schedules declare them alike.
package enum WeeklyTimesReader {
  package static var dayNames: [String] { WeeklyTimes.dayNames }

  /// The members as they stand there.
  struct Spec {
    var days: [String]?
    var from: String?
    var to: String?
    var timeZone: String?
  }

  /// - Parameter place: makes the refusal for a path below the times' own place.
  /// - Returns: nil where something was refused.
  static func read(
    _ spec: Spec, _ refusals: inout Refusals, _ place: (InputError.Code, String, [String], String?) -> InputError
  ) -> (times: WeeklyTimes, clock: ZoneClock)? {
    let clock = clock(spec.timeZone, &refusals, place)
    guard spec.timeZone != nil else { return nil }
    var days: Set<Int> = spec.days == nil ? Set(0..<7) : []
    for (index, text) in (spec.days ?? []).enumerated() {
      let path = ["days", String(index)]
      guard let day = dayNames.firstIndex(of: text) else {
        refusals.add(place(.outOfRange, "a day is \(dayNames.joined(separator: ", "))", path, text))
        continue
      }
      if !days.insert(day).inserted { refusals.add(place(.duplicate, "\(text) stands there twice", path, text)) }
    }
    if spec.days?.isEmpty == true { refusals.add(place(.empty, "at least one day is needed", ["days"], nil)) }
    let from = minute(spec.from, "from", 0...1_439, &refusals, place)
    let to = minute(spec.to, "to", 1...1_440, &refusals, place)
    guard let clock, let from, let to, !days.isEmpty else { return nil }
    return (WeeklyTimes(days: days, from: from, to: to), clock)
  }

  /// The clock of a zone that times need.
  static func clock(
    _ zone: String?, _ refusals: inout Refusals, _ place: (InputError.Code, String, [String], String?) -> InputError
  ) -> ZoneClock? {
    guard let zone else {
      refusals.add(place(.missingKey, "times need a timeZone, for example Europe/Berlin", ["timeZone"], nil))
      return nil
    }
    let clock = ZoneClock(zone)
    if clock == nil {
      refusals.add(
        place(
          .outOfRange, "timeZone must be UTC or an area and a place of the IANA database, for example Europe/Berlin",
          ["timeZone"],
          zone))
    }
    return clock
  }

  private static func minute(
    _ text: String?, _ key: String, _ range: ClosedRange<Int>, _ refusals: inout Refusals,
    _ place: (InputError.Code, String, [String], String?) -> InputError
  ) -> Int? {
    guard let text else {
      refusals.add(place(.missingKey, "times of the week need from and to", [key], nil))
      return nil
    }
    guard let minute = WeeklyTimes.minute(text), range.contains(minute) else {
      let (first, last) = (WeeklyTimes.text(range.lowerBound), WeeklyTimes.text(range.upperBound))
      refusals.add(place(.outOfRange, "\(key) must be a time from \(first) to \(last)", [key], text))
      return nil
    }
    return minute
  }
}
