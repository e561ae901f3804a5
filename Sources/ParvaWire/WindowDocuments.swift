/// A window as it is declared: the body of `PUT /v1/windows/{name}`.
package struct WindowSpec: Codable, Hashable, Sendable {
  /// `allow` or `freeze`.
  package var kind: String
  package var timeZone: String?
  package var days: [String]?
  package var from: String?
  package var to: String?
  package var start: String?
  package var end: String?
  package var except: [String]?
  package var reason: String?

  package init(
    kind: String, timeZone: String? = nil, days: [String]? = nil, from: String? = nil, to: String? = nil,
    start: String? = nil, end: String? = nil, except: [String]? = nil, reason: String? = nil
  ) {
    self.kind = kind
    self.timeZone = timeZone
    self.days = days
    self.from = from
    self.to = to
    self.start = start
    self.end = end
    self.except = except
    self.reason = reason
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("kind", "timeZone", "days", "from", "to", "start", "end", "except", "reason")
    kind = try object.decode(String.self, forKey: "kind")
    timeZone = try object.decodeIfPresent(String.self, forKey: "timeZone")
    days = try object.decodeIfPresent([String].self, forKey: "days")
    from = try object.decodeIfPresent(String.self, forKey: "from")
    to = try object.decodeIfPresent(String.self, forKey: "to")
    start = try object.decodeIfPresent(String.self, forKey: "start")
    end = try object.decodeIfPresent(String.self, forKey: "end")
    except = try object.decodeIfPresent([String].self, forKey: "except")
    reason = try object.decodeIfPresent(String.self, forKey: "reason")
  }
}

/// A window as `/v1/windows` tells it; what is null is left out.
package struct WindowDocument: Encodable, Sendable {
  package var name: String
  package var spec: WindowSpec
  /// Whether its times are now.
  package var isNow: Bool

  package init(name: String, spec: WindowSpec, isNow: Bool) {
    (self.name, self.spec, self.isNow) = (name, spec, isNow)
  }

  private enum Key: String, CodingKey { case name, now }

  package func encode(to encoder: any Encoder) throws {
    try spec.encode(to: encoder)
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(name, forKey: .name)
    try container.encode(isNow, forKey: .now)
  }
}

/// Whether plans go to nodes by themselves now, by all windows.
package struct RolloutGateDocument: Codable, Hashable, Sendable {
  package var open: Bool
  /// Names of the windows that keep it shut.
  package var shutBy: [String]
  /// When that changes next; nil where it does not for more than a year.
  package var until: String?
  /// Whether capacity that was lost is replaced now.
  package var openForLostCapacity: Bool

  package init(open: Bool, shutBy: [String], until: String?, openForLostCapacity: Bool) {
    (self.open, self.shutBy, self.until, self.openForLostCapacity) = (open, shutBy, until, openForLostCapacity)
  }
}
