/// What may be said of a pin: the body of `POST /v1/plan/pin`.
package struct PlanPinSpec: Decodable, Hashable, Sendable {
  package var reason: String?

  package init(from decoder: any Decoder) throws {
    reason = try decoder.object("reason").decodeIfPresent(String.self, forKey: "reason")
  }
}

/// What `GET /v1/plan/pin` answers.
package struct PlanPinState: Codable, Hashable, Sendable {
  package var pinned: Bool
  /// Nil where plans follow what changes.
  package var pin: PlanPinDocument?

  package init(_ pin: PlanPinDocument?) {
    pinned = pin != nil
    self.pin = pin
  }
}

/// The plan that stays until it is released.
package struct PlanPinDocument: Codable, Hashable, Sendable {
  package var revision: Int
  package var reason: String
  package var since: String

  package init(revision: Int, reason: String, since: String) {
    (self.revision, self.reason, self.since) = (revision, reason, since)
  }
}
