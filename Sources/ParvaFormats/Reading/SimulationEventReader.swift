package import ParvaEngine
import ParvaWire

/// Reads what happens during a simulation from YAML or JSON.
package enum SimulationEventReader {
  /// - Parameter duration: seconds that the simulation measures; no event may be later.
  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource, duration: Double) throws(InputErrors) -> [SimulationEvent] {
    if source.format == .csv {
      throw InputErrors(InputError(.invalidSyntax, "events are read from YAML or JSON", file: source.name))
    }
    let document = try InputDocument(source, limit: InputLimits.fileBytes)
    let items = try document.decode(SimulationEventsDocument.self).events
    var refusals = Refusals()
    var events: [SimulationEvent] = []
    for (index, item) in items.enumerated() {
      switch item {
      case .failure(let error, let path): refusals.add(document.refusal(of: error, at: path))
      case .value(let spec):
        let path = ["events", String(index)]
        event(spec, duration) { code, message, key, value in
          refusals.add(document.error(code, message, at: path + [key].compactMap(\.self), value: value))
        }.map { events.append($0) }
      }
    }
    try refusals.check()
    return events
  }

  /// The engine's value of one event; `refuse` is told what is wrong with which key.
  private static func event(
    _ spec: SimulationEventSpec, _ duration: Double,
    _ refuse: (InputError.Code, String, String?, String?) -> Void
  ) -> SimulationEvent? {
    var isGood = true
    func check(_ key: String, _ value: Double?, _ range: ClosedRange<Double>, unit: String = "") {
      guard let value, let message = RangeCheck.message(key, value, range, unit: unit) else { return }
      refuse(.outOfRange, message, key, RangeCheck.plain(value))
      isGood = false
    }
    func contradict(_ key: String, _ isThere: Bool, _ owner: String) {
      guard isThere else { return }
      refuse(.contradiction, "\(key) belongs to an event with \(owner)", key, nil)
      isGood = false
    }
    check("at", spec.at, 0...duration, unit: "s")
    check("rate", spec.rate, InputLimits.rateFactor)
    check("over", spec.over, 0...InputLimits.simulatedSeconds.upperBound, unit: "s")
    check("duration", spec.duration, InputLimits.simulatedSeconds, unit: "s")
    if let factor = spec.rate {
      contradict("fail", spec.fail != nil, "no rate")
      contradict("duration", spec.duration != nil, "fail")
      guard isGood else { return nil }
      return .rate(time: spec.at, factor: factor, over: spec.over ?? 0, workload: spec.workload)
    }
    guard let fail = spec.fail else {
      refuse(.missingKey, "an event has either rate or fail", nil, nil)
      return nil
    }
    contradict("over", spec.over != nil, "rate")
    contradict("workload", spec.workload != nil, "rate")
    let target: SimulationEvent.Target
    switch (fail.gpu, fail.segment) {
    case (let gpu?, nil): target = .gpu(gpu)
    case (nil, let segment?): target = .segment(segment)
    default:
      refuse(.contradiction, "fail names either a gpu or a segment", "fail", nil)
      return nil
    }
    return isGood ? .failure(time: spec.at, target: target, duration: spec.duration) : nil
  }
}
