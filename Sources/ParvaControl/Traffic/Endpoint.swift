package import Foundation
package import ParvaWire

/// One server process, and whether requests may go to it.
package struct Endpoint: Hashable, Sendable {
  package enum State: String, Hashable, Sendable, CaseIterable {
    /// Not up yet.
    case starting
    /// The only state in which it gets requests.
    case ready
    /// Gets no new requests; what it works on it may finish.
    case draining
    /// It is down, or nobody can tell whether it is up.
    case gone
  }

  /// What tells one server from all others.
  package struct Key: Hashable, Comparable, Sendable {
    package var workload: String
    package var node: String
    package var place: SegmentPlace
    package var ordinal: Int

    package static func < (a: Self, b: Self) -> Bool {
      (a.workload, a.node, a.place, a.ordinal) < (b.workload, b.node, b.place, b.ordinal)
    }
  }

  package var key: Key
  package var segment: String?
  package var zone: String?
  /// UUID of the MIG device; nil where the node has not said it.
  package var uuid: String?
  package var address: String
  /// Nil while the server has none.
  package var port: Int?
  /// From 1; the sum over a workload is below 2^32.
  package var weight: Int
  package var state: State
  /// What its node last said of it; nil where the server was told by somebody else.
  package var reported: String?
  /// Why it is not ready although its node says that it is healthy.
  package var reason: String?
  package var since: Date

  init(
    key: Key, segment: String?, zone: String?, uuid: String?, address: String, port: Int?, weight: Int, state: State,
    reported: String?, reason: String?, since: Date
  ) {
    (self.key, self.segment, self.zone, self.uuid) = (key, segment, zone, uuid)
    (self.address, self.port, self.weight, self.state) = (address, port, weight, state)
    (self.reported, self.reason, self.since) = (reported, reason, since)
  }

  package var workload: String { key.workload }

  /// Whether everything but the time is equal.
  package func isSame(as other: Endpoint) -> Bool {
    var other = other
    other.since = since
    return self == other
  }

  /// Nil for what no controller writes.
  package init?(_ document: EndpointDocument) {
    guard let state = State(rawValue: document.state), let since = Timestamp.date(document.since) else { return nil }
    let place = SegmentPlace(
      gpu: document.gpu, place: InstancePlace(profileID: document.profileId, start: document.start))
    self.init(
      key: Key(workload: document.workload, node: document.node, place: place, ordinal: document.ordinal),
      segment: document.segment, zone: document.zone, uuid: document.uuid, address: document.address,
      port: document.port, weight: document.weight, state: state, reported: document.reported, reason: document.reason,
      since: since)
  }

  package var document: EndpointDocument {
    EndpointDocument(
      workload: key.workload, segment: segment, node: key.node, zone: zone, gpu: key.place.gpu,
      profileId: key.place.place.profileID, start: key.place.place.start, uuid: uuid, ordinal: key.ordinal,
      address: address, port: port, weight: weight, state: state.rawValue, reported: reported, reason: reason,
      since: Timestamp.text(since))
  }
}

/// What a plan gives to the instances of each place.
package struct PlannedLoads: Hashable, Sendable {
  package struct Load: Hashable, Sendable {
    package var workload: String
    /// Requests per second.
    package var rate: Double
  }

  package private(set) var places: [SegmentPlace: Load] = [:]
  /// Every workload that the plan serves.
  package private(set) var workloads: Set<String> = []

  package init() {}

  package init(_ loads: [(place: SegmentPlace, workload: String, rate: Double)]) {
    for (place, workload, rate) in loads {
      places[place] = Load(workload: workload, rate: rate)
      workloads.insert(workload)
    }
  }
}
