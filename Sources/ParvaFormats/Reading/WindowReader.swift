import Foundation
package import ParvaWire

/// Reads windows in which plans may, or may not, be brought to nodes.
package enum WindowReader {
  static let bytes = 8 << 10
  /// What `except` may name.
  static let lostCapacity = "lost-capacity"
  package static let dayNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource, name: String) throws(InputErrors) -> RolloutWindow {
    let document = try InputDocument(source, limit: bytes)
    let spec = try document.decode(WindowSpec.self)
    var refusals = Refusals()
    if !Names.isIdentifier(name) {
      refusals.add(
        document.error(.invalidName, "a window's name is \(Names.identifierRule)", at: [], value: name))
    }
    let kind = RolloutWindow.Kind(rawValue: spec.kind)
    if kind == nil {
      refusals.add(document.error(.outOfRange, "kind is allow or freeze", at: ["kind"], value: spec.kind))
    }
    for (index, exception) in (spec.except ?? []).enumerated() where exception != lostCapacity {
      refusals.add(
        document.error(
          .outOfRange, "except can name \(lostCapacity)", at: ["except", String(index)], value: exception))
    }
    if let reason = spec.reason, reason.utf8.count > PlanPinReader.mostReason || !PlanPinReader.isOneLine(reason) {
      refusals.add(
        document.error(
          .outOfRange, "reason must be one line of at most \(PlanPinReader.mostReason) bytes", at: ["reason"],
          value: reason))
    }
    let times =
      spec.start != nil || spec.end != nil ? once(spec, document, &refusals) : weekly(spec, document, &refusals)
    try refusals.check()
    guard let kind, let times else {
      throw InputErrors(document.error(.missingKey, "a window has times", at: []))
    }
    return RolloutWindow(
      name: name, kind: kind, times: times, sparesLostCapacity: spec.except.map { !$0.isEmpty } ?? true,
      reason: spec.reason ?? "")
  }

  private static func once(
    _ spec: WindowSpec, _ document: InputDocument, _ refusals: inout Refusals
  ) -> RolloutWindow.Times? {
    for (key, isThere) in [
      ("timeZone", spec.timeZone != nil), ("days", spec.days != nil), ("from", spec.from != nil),
      ("to", spec.to != nil),
    ] where isThere {
      refusals.add(
        document.error(
          .contradiction, "a window has start and end, or times of the week (days, from, to, timeZone)", at: [key]))
    }
    var bounds: [Int] = []
    for (key, text) in [("start", spec.start), ("end", spec.end)] {
      guard let text else {
        refusals.add(document.error(.missingKey, "start and end go together", at: [key]))
        continue
      }
      let date = [false, true].lazy.compactMap {
        try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: $0))
      }.first
      // From 1970 to the end of the year 9999.
      guard let seconds = date?.timeIntervalSince1970, (0...253_402_300_799).contains(seconds) else {
        refusals.add(
          document.error(
            .outOfRange, "\(key) must be a time by RFC 3339, for example 2027-01-31T12:00:00Z", at: [key], value: text))
        continue
      }
      bounds.append(Int(seconds))
    }
    guard bounds.count == 2 else { return nil }
    guard bounds[0] < bounds[1] else {
      refusals.add(document.error(.contradiction, "end must come after start", at: ["end"], value: spec.end))
      return nil
    }
    return .once(bounds[0]..<bounds[1])
  }

  private static func weekly(
    _ spec: WindowSpec, _ document: InputDocument, _ refusals: inout Refusals
  ) -> RolloutWindow.Times? {
    guard let zone = spec.timeZone else {
      refusals.add(
        document.error(.missingKey, "times of the week need a timeZone, for example Europe/Berlin", at: ["timeZone"]))
      return nil
    }
    let clock = ZoneClock(zone)
    if clock == nil {
      refusals.add(
        document.error(
          .outOfRange, "timeZone must be UTC or a name of the IANA database, for example Europe/Berlin",
          at: ["timeZone"], value: zone))
    }
    var days: Set<Int> = spec.days == nil ? Set(0..<7) : []
    for (index, text) in (spec.days ?? []).enumerated() {
      let path = ["days", String(index)]
      guard let day = dayNames.firstIndex(of: text) else {
        refusals.add(
          document.error(.outOfRange, "a day is \(dayNames.joined(separator: ", "))", at: path, value: text))
        continue
      }
      if !days.insert(day).inserted {
        refusals.add(document.error(.duplicate, "\(text) stands there twice", at: path, value: text))
      }
    }
    if spec.days?.isEmpty == true { refusals.add(document.error(.empty, "at least one day is needed", at: ["days"])) }
    let from = minute(spec.from, "from", 0...1_439, document, &refusals)
    let to = minute(spec.to, "to", 1...1_440, document, &refusals)
    guard let clock, let from, let to else { return nil }
    return .weekly(WeeklyTimes(days: days, from: from, to: to), clock)
  }

  private static func minute(
    _ text: String?, _ key: String, _ range: ClosedRange<Int>, _ document: InputDocument, _ refusals: inout Refusals
  ) -> Int? {
    guard let text else {
      refusals.add(document.error(.missingKey, "times of the week need from and to", at: [key]))
      return nil
    }
    guard let minute = WeeklyTimes.minute(text), range.contains(minute) else {
      refusals.add(
        document.error(
          .outOfRange,
          "\(key) must be a time from \(WeeklyTimes.text(range.lowerBound)) to \(WeeklyTimes.text(range.upperBound))",
          at: [key], value: text))
      return nil
    }
    return minute
  }

  /// As it is declared, all that was left out included.
  package static func spec(of window: RolloutWindow) -> WindowSpec {
    var spec = WindowSpec(
      kind: window.kind.rawValue, except: window.sparesLostCapacity ? [lostCapacity] : [],
      reason: window.reason.isEmpty ? nil : window.reason)
    switch window.times {
    case .weekly(let times, let clock):
      spec.timeZone = clock.name
      spec.days = times.days.sorted().map { dayNames[$0] }
      (spec.from, spec.to) = (WeeklyTimes.text(times.from), WeeklyTimes.text(times.to))
    case .once(let span):
      let style = Date.ISO8601FormatStyle()
      spec.start = style.format(Date(timeIntervalSince1970: TimeInterval(span.lowerBound)))
      spec.end = style.format(Date(timeIntervalSince1970: TimeInterval(span.upperBound)))
    }
    return spec
  }
}
