package import ParvaEngine
package import ParvaWire

/// One GPU that a node reports, as plans may use it or not.
package struct FleetGPU: Hashable, Sendable {
  /// Why a GPU is left out of plans.
  package enum Exclusion: String, Hashable, Sendable, CaseIterable {
    case nodePending = "node_pending"
    case nodeUnreachable = "node_unreachable"
    case nodeDraining = "node_draining"
    /// The driver cannot reach the GPU.
    case faulty = "gpu_faulty"
    case noMIG = "no_mig"
    /// MIG mode is off, and the agent may not turn it on.
    case modeOff = "mig_mode_off"
    /// MIG mode changes at the next reset.
    case modePending = "mig_mode_pending"
    /// Somebody else's instances are on it.
    case foreign = "foreign_instances"
    /// Processes use the whole GPU while MIG mode is off.
    case inUse = "gpu_in_use"
    /// Another node reports the same UUID.
    case duplicate = "duplicate_uuid"
    /// The driver reports neither a known board nor any profile.
    case unknownProduct = "unknown_product"
  }

  package var node: String
  package var index: Int
  package var uuid: String
  package var product: GPUProduct?
  /// Name of the pool that it belongs to; nil where it is left out.
  package var pool: String?
  package var exclusion: Exclusion?
  package var message: String?
  /// Instances that Parva made on it.
  package var holds: Set<InstancePlace>
}

/// What the registered nodes give to plans: pure, from the records alone.
package struct FleetInventory: Hashable, Sendable {
  /// By node name, then index.
  package private(set) var gpus: [FleetGPU] = []
  /// One pool for each product in each zone, by name.
  package private(set) var pools: [Pool] = []
  /// Whether any node is registered at all.
  package let isEmpty: Bool

  /// - Parameter priced: configured pools; cost and watts of a product are taken from the first that has it.
  package init(_ nodes: [NodeRecord], priced: [Pool] = []) {
    isEmpty = nodes.isEmpty
    var owners: [String: Int] = [:]
    for node in nodes { for gpu in node.settled?.observed.gpus ?? [] { owners[gpu.uuid, default: 0] += 1 } }
    var stock: [String: Pool] = [:]
    var holders: [String: [String: Int]] = [:]
    for node in nodes.sorted(by: { $0.name < $1.name }) {
      guard let state = node.settled else { continue }
      let owned = Dictionary(grouping: state.owned, by: \.gpu)
      for gpu in state.observed.gpus.sorted(by: { ($0.index, $0.uuid) < ($1.index, $1.uuid) }) {
        var entry = Self.entry(gpu, node, state, owned[gpu.uuid] ?? [], isShared: owners[gpu.uuid, default: 0] > 1)
        if entry.exclusion == nil, let product = entry.product {
          let name = node.zone.map { "\(product.name)@\($0)" } ?? product.name
          let price = priced.first { $0.product.name == product.name }
          var pool =
            stock[name]
            ?? Pool(name: name, product: product, count: 0, figures: price?.figures ?? [:])
          pool.count = (pool.count ?? 0) + 1
          stock[name] = pool
          entry.pool = name
          holders[name, default: [:]][node.name, default: 0] += 1
        }
        gpus.append(entry)
      }
    }
    for (pool, nodes) in holders {
      stock[pool]?.nodes = nodes.sorted { $0.key < $1.key }.map { PoolNode(name: $0.key, count: $0.value) }
    }
    pools = stock.values.sorted { $0.name < $1.name }
  }

  /// GPUs that plans may use.
  package var usable: [FleetGPU] { gpus.filter { $0.exclusion == nil } }

  /// Whether plans made for the two differ: the same GPUs in the same pools.
  func offersSame(as other: FleetInventory) -> Bool {
    guard isEmpty == other.isEmpty, pools == other.pools else { return false }
    let (a, b) = (usable, other.usable)
    return a.count == b.count
      && zip(a, b).allSatisfy { ($0.node, $0.uuid, $0.pool) == ($1.node, $1.uuid, $1.pool) }
  }

  private static func entry(
    _ gpu: ObservedGPU, _ node: NodeRecord, _ state: NodeStateDocument, _ owned: [OwnedDocument], isShared: Bool
  ) -> FleetGPU {
    let ours = Set(owned.map(\.instance))
    var entry = FleetGPU(
      node: node.name, index: gpu.index, uuid: gpu.uuid, product: ProductRecognition.product(of: gpu),
      holds: Set(
        gpu.instances.filter { ours.contains($0.id) }.map {
          InstancePlace(profileID: $0.profileID, start: $0.start)
        }))
    if let (exclusion, message) = exclusion(gpu, node, state, ours, isShared, entry.product != nil) {
      entry.exclusion = exclusion
      entry.message = message
    }
    return entry
  }

  private static func exclusion(
    _ gpu: ObservedGPU, _ node: NodeRecord, _ state: NodeStateDocument, _ ours: Set<Int>, _ isShared: Bool,
    _ isKnown: Bool
  ) -> (FleetGPU.Exclusion, String)? {
    switch NodeCondition(of: node) {
    case .draining: return (.nodeDraining, "the node is being drained")
    case .unreachable: return (.nodeUnreachable, "the node's heartbeats do not come")
    case .pending: return (.nodePending, "the node has not been heard yet")
    case .ready: break
    }
    if isShared { return (.duplicate, "another node reports this UUID, too") }
    if let fault = gpu.fault { return (.faulty, "the driver cannot reach it: \(fault)") }
    guard let mig = gpu.mig else { return (.noMIG, "it has no MIG mode") }
    let manages = state.managesMIGMode ?? false
    if mig.current != mig.pending && !(manages && mig.pending) {
      return (.modePending, "MIG mode changes at the next reset")
    }
    if !mig.current {
      guard manages else {
        return (.modeOff, "MIG mode is off; turn it on, or run the agent with --manage-mig-mode")
      }
      if let process = gpu.processes.first {
        return (.inUse, "process \(process.pid) (\(process.name)) uses it with MIG mode off")
      }
    }
    let foreign = gpu.instances.filter { !ours.contains($0.id) }
    if !foreign.isEmpty {
      return (.foreign, "\(foreign.count) of its instances \(foreign.count == 1 ? "was" : "were") not made by Parva")
    }
    return isKnown ? nil : (.unknownProduct, "\(gpu.board) is in no table and its driver reports no profiles")
  }
}
