package import Foundation
import ParvaEngine
import ParvaFormats
package import ParvaWire

/// Which servers there are for each workload, and which of them may get requests.
///
/// Pure: it follows from what nodes last said, what is being brought to them, what the plan gives to each place and what
/// is being drained. A server is ready only where its node is heard, says that it is healthy, and nobody is about to take it
/// away.
package struct EndpointTable: Hashable, Sendable {
  /// What the endpoints follow from, beside the nodes.
  package struct Terms: Sendable {
    package var loads = PlannedLoads()
    /// Places whose servers are to get no new requests.
    package var drains: Set<SegmentPlace> = []
    /// By segment.
    package var told: [String: ToldSegment] = [:]
    /// Whether so many nodes are silent that it is the controller that is cut off: then what they said last stands, but for
    /// nodes that were lost before.
    package var isCutOff = false

    package init() {}
  }

  /// Most that the weights of one workload come to, so that their sum stays below 2^32 whatever is rounded up.
  static let mostWeight = 0x8000_0000

  /// By workload, node, GPU, place and number.
  package let endpoints: [Endpoint]
  /// Workloads that have endpoints or are to have some, in order.
  package let workloads: [String]
  /// Digest of everything but the times.
  package let version: String
  private let ranges: [String: Range<Int>]

  package static let empty = EndpointTable(nodes: [NodeRecord](), Terms(), after: nil, at: .distantPast)

  /// - Parameter before: the table that this one follows, for the times; nil where there is none.
  /// - Complexity: O(n log n) for n services of all nodes.
  package init(nodes: some Sequence<NodeRecord>, _ terms: Terms, after before: EndpointTable?, at time: Date) {
    var all: [Endpoint] = []
    var standing: [String: (record: NodeRecord, instances: [SegmentPlace: WantedInstance])] = [:]
    for node in nodes {
      all += Self.launched(by: node, terms)
      standing[node.name] = (node, node.appliedInstances)
    }
    for (segment, told) in terms.told.sorted(by: { $0.key < $1.key }) {
      guard let there = standing[told.node] else { continue }
      all += Self.told(segment, told, there.record, there.instances[told.place], terms)
    }
    let since = Dictionary((before?.endpoints ?? []).map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    for index in all.indices {
      let old = since[all[index].key]
      all[index].since = old.map { $0.state == all[index].state ? $0.since : time } ?? time
    }
    self.init(all, workloads: terms.loads.workloads)
  }

  /// A table of these endpoints.
  ///
  /// - Parameter others: workloads that are to have some, beside those that do.
  package init(_ endpoints: [Endpoint], workloads others: Set<String>) {
    var all = endpoints.sorted { $0.key < $1.key }
    var ranges: [String: Range<Int>] = [:]
    var hash = StableHash()
    for index in all.indices {
      let workload = all[index].workload
      ranges[workload] = (ranges[workload]?.lowerBound ?? index)..<index + 1
    }
    for range in ranges.values { Self.bound(&all[range]) }
    for endpoint in all { hash.add(endpoint) }
    let workloads = Set(ranges.keys).union(others).sorted()
    for workload in workloads { hash.add("\(workload)\n".utf8) }
    self.ranges = ranges
    self.endpoints = all
    self.workloads = workloads
    let digits = String(hash.value, radix: 16)
    version = String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The servers of one workload. O(1).
  package subscript(workload: String) -> ArraySlice<Endpoint> { ranges[workload].map { endpoints[$0] } ?? [] }

  /// Since when the server of these places drains that began last; nil where none drains. O(endpoints).
  package func lastDrained(_ places: Set<SegmentPlace>) -> Date? {
    endpoints.lazy.filter { $0.state == .draining && places.contains($0.key.place) }.map(\.since).max()
  }

  package func document(_ workload: String? = nil) -> EndpointList {
    let rows = workload.map { self[$0] } ?? endpoints[...]
    return EndpointList(version: version, endpoints: rows.map(\.document))
  }

  /// The servers of one namespace, with a digest of them. O(endpoints).
  package func part(of namespace: String) -> (endpoints: [Endpoint], version: String) {
    let part = endpoints.filter { Namespace.of($0.workload) == namespace }
    var hash = StableHash()
    for endpoint in part { hash.add(endpoint) }
    let digits = String(hash.value, radix: 16)
    return (part, String(repeating: "0", count: 16 - digits.count) + digits)
  }

  // MARK: - One node

  private static func launched(by node: NodeRecord, _ terms: Terms) -> [Endpoint] {
    let servers = (node.state?.services ?? []).filter { $0.kind == "server" && $0.workload != nil }
    guard !servers.isEmpty else { return [] }
    let host = node.trafficHost
    let uuids = Dictionary(
      (node.state?.owned ?? []).map { ($0.place, $0.uuid) }, uniquingKeysWith: { first, _ in first })
    let counts = Dictionary(grouping: servers) { Shared(place: $0.place, workload: $0.workload ?? "") }
      .mapValues(\.count)
    return servers.map { service in
      let (place, workload) = (service.place, service.workload ?? "")
      let instance = node.instance(at: place, of: workload)
      let (state, reason) = state(of: service, instance, node, terms)
      let count = counts[Shared(place: place, workload: workload)] ?? 1
      return Endpoint(
        key: Endpoint.Key(workload: workload, node: node.name, place: place, ordinal: service.ordinal),
        segment: instance?.segment, zone: node.zone,
        uuid: service.uuid.isEmpty ? uuids[place] ?? nil : service.uuid, address: host, port: service.port,
        weight: weight(place, workload, instance, terms, count), state: state, reported: service.status,
        reason: reason, since: .distantPast)
    }
  }

  /// Servers of one instance that share its load.
  private struct Shared: Hashable {
    var place: SegmentPlace
    var workload: String
  }

  private static func state(
    of service: ServiceDocument, _ instance: WantedInstance?, _ node: NodeRecord, _ terms: Terms
  ) -> (Endpoint.State, reason: String?) {
    switch service.status {
    case "starting", "waiting": return (.starting, nil)
    case "stopping": return (.draining, nil)
    case "healthy": break
    default: return (.gone, nil)
    }
    return state(at: service.place, instance, node, terms)
  }

  /// Of a server that is well as far as its node knows.
  private static func state(
    at place: SegmentPlace, _ instance: WantedInstance?, _ node: NodeRecord, _ terms: Terms
  ) -> (Endpoint.State, reason: String?) {
    if node.isLost || node.isUnreachable && !terms.isCutOff { return (.gone, "node_unreachable") }
    if terms.drains.contains(place) { return (.draining, "segment_leaves") }
    guard let instance else { return (.draining, "not_planned") }
    let changes = [node.expected, node.isSentIdle ? nil : node.sent].compactMap(\.self)
    let isLeaving = changes.contains { change in
      change.instance(gpu: place.gpu, place: place.place).map { !$0.runsOn(from: instance) } ?? true
    }
    return isLeaving ? (.draining, "segment_leaves") : (.ready, nil)
  }

  private static func told(
    _ segment: String, _ told: ToldSegment, _ node: NodeRecord, _ instance: WantedInstance?, _ terms: Terms
  ) -> [Endpoint] {
    // The node starts servers of its own there.
    guard instance?.launch == nil else { return [] }
    let stands = instance?.segment == segment && instance?.workload == told.workload
    let (state, reason) = stands ? Self.state(at: told.place, instance, node, terms) : (.gone, "segment_moved")
    let uuid = node.state?.owned.first { $0.place == told.place }?.uuid
    return told.servers.enumerated().map { ordinal, server in
      Endpoint(
        key: Endpoint.Key(workload: told.workload, node: told.node, place: told.place, ordinal: ordinal),
        segment: segment, zone: node.zone, uuid: uuid, address: server.address, port: server.port,
        weight: weight(told.place, told.workload, instance, terms, told.servers.count), state: state, reported: nil,
        reason: reason, since: .distantPast)
    }
  }

  // MARK: - Weights

  /// The place's load in thousandths of a request per second over its servers; where the plan has nothing for the
  /// workload there, because it stands from a plan before or for the way only, what it can carry.
  private static func weight(
    _ place: SegmentPlace, _ workload: String, _ instance: WantedInstance?, _ terms: Terms, _ servers: Int
  ) -> Int {
    let load = terms.loads.places[place].flatMap { $0.workload == workload ? $0.rate : nil }
    let rate = (load ?? instance?.capacity ?? 0) / Double(max(1, servers))
    guard rate.isFinite, rate > 0 else { return 1 }
    return max(1, Int(min(rate * 1000, Double(mostWeight)).rounded()))
  }

  private static func bound(_ endpoints: inout ArraySlice<Endpoint>) {
    let sum = endpoints.reduce(0) { $0 + $1.weight }
    guard sum > mostWeight else { return }
    let scale = Double(mostWeight) / Double(sum)
    for index in endpoints.indices {
      endpoints[index].weight = max(1, Int((Double(endpoints[index].weight) * scale).rounded(.down)))
    }
  }
}

extension StableHash {
  fileprivate mutating func add(_ endpoint: Endpoint) {
    let key = endpoint.key
    let place = key.place.place
    add("\(key.workload)\n\(key.node)\n\(key.place.gpu)\n\(place.profileID)\n\(place.start)\n\(key.ordinal)\n".utf8)
    add("\(endpoint.segment ?? "")\n\(endpoint.zone ?? "")\n\(endpoint.uuid ?? "")\n\(endpoint.address)\n".utf8)
    add("\(endpoint.port ?? 0)\n\(endpoint.weight)\n\(endpoint.state.rawValue)\n".utf8)
    add("\(endpoint.reported ?? "")\n\(endpoint.reason ?? "")\n".utf8)
  }
}

extension ServiceDocument {
  var place: SegmentPlace { SegmentPlace(gpu: gpu, place: InstancePlace(profileID: profileId, start: start)) }
}

extension OwnedDocument {
  var place: SegmentPlace { SegmentPlace(gpu: gpu, place: InstancePlace(profileID: profileId, start: start)) }
}

extension NodeRecord {
  /// Where the node's servers are reached: the host of its agent.
  package var trafficHost: String {
    let host = URLComponents(string: address)?.host ?? address
    return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
  }

  /// What is, or is being, brought to a place for a workload.
  func instance(at place: SegmentPlace, of workload: String) -> WantedInstance? {
    for assignment in [applied, expected, sent] {
      if let instance = assignment?.instance(gpu: place.gpu, place: place.place), instance.workload == workload {
        return instance
      }
    }
    return nil
  }

  /// What the node has verified, by place.
  package var appliedInstances: [SegmentPlace: WantedInstance] {
    var instances: [SegmentPlace: WantedInstance] = [:]
    for gpu in applied?.gpus ?? [] {
      for instance in gpu.instances { instances[SegmentPlace(gpu: gpu.uuid, place: instance.place)] = instance }
    }
    return instances
  }
}
