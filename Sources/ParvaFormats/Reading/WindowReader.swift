import Foundation
import ParvaEngine
package import ParvaWire

/// Reads windows in which plans may, or may not, be brought to nodes.
package enum WindowReader {
  static let bytes = 8 << 10
  /// What `except` may name.
  static let lostCapacity = "lost-capacity"

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
      guard let date = Date(rfc3339: text) else {
        refusals.add(
          document.error(
            .outOfRange, "\(key) must be a time by RFC 3339, for example 2027-01-31T12:00:00Z", at: [key], value: text))
        continue
      }
      bounds.append(date.wholeSeconds)
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
    let read = WeeklyTimesReader.read(
      WeeklyTimesReader.Spec(days: spec.days, from: spec.from, to: spec.to, timeZone: spec.timeZone), &refusals
    ) { document.error($0, $1, at: $2, value: $3) }
    return read.map { .weekly($0.times, $0.clock) }
  }

  /// As it is declared, all that was left out included.
  package static func spec(of window: RolloutWindow) -> WindowSpec {
    var spec = WindowSpec(
      kind: window.kind.rawValue, except: window.sparesLostCapacity ? [lostCapacity] : [],
      reason: window.reason.isEmpty ? nil : window.reason)
    switch window.times {
    case .weekly(let times, let clock):
      spec.timeZone = clock.name
      spec.days = times.dayNames
      (spec.from, spec.to) = (WeeklyTimes.text(times.from), WeeklyTimes.text(times.to))
    case .once(let span):
      let style = Date.ISO8601FormatStyle()
      spec.start = style.format(Date(timeIntervalSince1970: TimeInterval(span.lowerBound)))
      spec.end = style.format(Date(timeIntervalSince1970: TimeInterval(span.upperBound)))
    }
    return spec
  }
}
