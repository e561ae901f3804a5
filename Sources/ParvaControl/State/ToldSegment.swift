package import ParvaWire

/// An instance, named by its GPU and its place there.
package struct SegmentPlace: Hashable, Comparable, Codable, Sendable {
  package var gpu: String
  package var place: InstancePlace

  package init(gpu: String, place: InstancePlace) {
    self.gpu = gpu
    self.place = place
  }

  package static func < (a: Self, b: Self) -> Bool { (a.gpu, a.place) < (b.gpu, b.place) }
}

/// Servers of a segment that somebody else has started, and where the segment stood when they were told: they are no
/// longer its servers once it stands elsewhere.
package struct ToldSegment: Hashable, Codable, Sendable {
  package var node: String
  package var place: SegmentPlace
  package var workload: String
  package var servers: [ToldEndpoints.Server]

  package init(node: String, place: SegmentPlace, workload: String, servers: [ToldEndpoints.Server]) {
    self.node = node
    self.place = place
    self.workload = workload
    self.servers = servers
  }
}
