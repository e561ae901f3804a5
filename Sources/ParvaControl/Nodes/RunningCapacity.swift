import ParvaWire

/// What runs of one workload, as nodes have verified it and their drivers still show it.
package struct RunningCapacity: Hashable, Sendable {
  /// Requests per second, by the plans under which the instances were made.
  package private(set) var capacity = 0.0
  /// The newest of these plans.
  package private(set) var revision: Int?

  package init() {}

  package mutating func add(_ capacity: Double, revision: Int) {
    self.capacity += capacity
    self.revision = max(self.revision ?? revision, revision)
  }

  /// Whether it carries a rate, as exactly as sums of capacities are.
  package func carries(_ rate: Double) -> Bool { capacity >= rate * (1 - 1e-9) }
}

extension NodeRecord {
  /// Adds what is known to run of a workload here: instances that the node has verified, that its driver shows now, and
  /// of which no service is down. Of a node that is not heard nothing is known. O(its instances).
  func addRunning(_ workload: String, to running: inout RunningCapacity) {
    guard let applied, state?.verified?.version == applied.version else { return }
    for gpu in applied.gpus {
      for instance in gpu.instances where instance.workload == workload && isUp(instance, on: gpu.uuid) {
        running.add(instance.capacity ?? 0, revision: applied.revision)
      }
    }
  }

  /// What is likely to stand where the node has verified a step that is not on record here, because the controller ended
  /// before it heard of it: of what stood before and what is to come, the instances that the driver shows, unless both
  /// have something else at the same place.
  func likely(between wanted: [WantedGPU]) -> [WantedGPU] {
    guard let state else { return [] }
    func byPlace(_ gpus: [WantedGPU], _ uuid: String) -> [InstancePlace: WantedInstance] {
      let instances = gpus.first { $0.uuid == uuid }?.instances ?? []
      return Dictionary(instances.map { ($0.place, $0) }, uniquingKeysWith: { first, _ in first })
    }
    return Set(((applied?.gpus ?? []) + wanted).map(\.uuid)).sorted().map { uuid in
      let (before, after) = (byPlace(applied?.gpus ?? [], uuid), byPlace(wanted, uuid))
      let instances = before.merging(after) { $1 }.values.filter { instance in
        guard state.shows(uuid, instance.place) else { return false }
        guard let old = before[instance.place], let new = after[instance.place] else { return true }
        return new.runsOn(from: old)
      }
      return WantedGPU(uuid: uuid, instances: instances.sorted { $0.place < $1.place })
    }
  }

  /// Whether the node is heard and its driver shows the instance, and something that is to run on it is not up.
  func isStarting(_ instance: WantedInstance, on uuid: String) -> Bool {
    guard !isUnreachable, let state else { return false }
    return state.shows(uuid, instance.place) && !state.serves(uuid, instance)
  }

  /// Whether the node is heard, its driver shows the instance, and no service of it is down. O(GPUs + services).
  func isUp(_ instance: WantedInstance, on uuid: String) -> Bool {
    guard !isUnreachable, let state else { return false }
    return state.shows(uuid, instance.place) && state.serves(uuid, instance)
  }
}

extension NodeStateDocument {
  /// Whether the driver reaches the GPU and shows the instance, and Parva made it.
  func shows(_ uuid: String, _ place: InstancePlace) -> Bool {
    guard let gpu = observed.gpus.first(where: { $0.uuid == uuid }), gpu.fault == nil,
      let instance = gpu.instance(profileID: place.profileID, start: place.start)
    else { return false }
    return owned.contains { $0.gpu == uuid && $0.instance == instance.id }
  }

  /// Whether all servers that the instance is to have are there, and no service of it is down. Where the node starts
  /// none, the instance is all that there is.
  func serves(_ uuid: String, _ instance: WantedInstance) -> Bool {
    let own = services.filter {
      ($0.gpu, $0.profileId, $0.start) == (uuid, instance.profileID, instance.start)
    }
    let servers = instance.launch == nil ? 0 : instance.servers
    return own.count { $0.kind == "server" } >= servers && own.allSatisfy { ["healthy", "absent"].contains($0.status) }
  }
}

/// Which nodes hold a workload by what was applied to them, so that nobody has to look at all nodes.
struct WorkloadHolders: Hashable, Sendable {
  private var nodes: [String: Set<String>] = [:]

  /// O(instances of both).
  mutating func change(_ node: String, from old: NodeAssignment?, to new: NodeAssignment?) {
    for workload in Self.workloads(old) {
      nodes[workload]?.remove(node)
      if nodes[workload]?.isEmpty == true { nodes[workload] = nil }
    }
    for workload in Self.workloads(new) { nodes[workload, default: []].insert(node) }
  }

  /// In order of name.
  subscript(workload: String) -> [String] { nodes[workload]?.sorted() ?? [] }

  static func workloads(_ wanted: NodeAssignment?) -> Set<String> {
    Set(wanted?.gpus.flatMap { $0.instances.compactMap(\.workload) } ?? [])
  }
}
