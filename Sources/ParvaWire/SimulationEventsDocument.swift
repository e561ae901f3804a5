/// What happens during a simulation, as a person writes it: `{"events": [...]}`.
package struct SimulationEventsDocument: Decodable, Sendable {
  package var events: [Attempt<SimulationEventSpec>]

  package init(from decoder: any Decoder) throws {
    events = try decoder.object("events").decode([Attempt<SimulationEventSpec>].self, forKey: "events")
  }
}

/// One event: `at` with either `rate` or `fail`.
package struct SimulationEventSpec: Decodable, Hashable, Sendable {
  package struct Target: Decodable, Hashable, Sendable {
    package var gpu: Int?
    package var segment: String?

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("gpu", "segment")
      gpu = try object.optionalInteger("gpu")
      segment = try object.decodeIfPresent(String.self, forKey: "segment")
    }
  }

  /// Seconds from the start of what is measured.
  package var at: Double
  /// Multiple of the declared rate, reached `over` seconds after `at`, of `workload` or of all.
  package var rate: Double?
  package var over: Double?
  package var workload: String?
  /// What fails, for the seconds of `duration` or for good.
  package var fail: Target?
  package var duration: Double?

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("at", "rate", "over", "workload", "fail", "duration")
    at = try object.number("at")
    rate = try object.optionalNumber("rate")
    over = try object.optionalNumber("over")
    workload = try object.decodeIfPresent(String.self, forKey: "workload")
    fail = try object.decodeIfPresent(Target.self, forKey: "fail")
    duration = try object.optionalNumber("duration")
  }
}
