package import ParvaEngine
package import ParvaWire

/// One GPU that a node reports, as plans may use it or not.
package struct FleetGPU: Hashable, Sendable {
  /// Why a GPU is left out of plans.
  package enum Exclusion: String, Hashable, Sendable, CaseIterable {
    case nodePending = "node_pending"
    case nodeLost = "node_lost"
    case nodeDraining = "node_draining"
    case nodeMaintenance = "node_maintenance"
    /// Nothing of Parva's is on it, and nothing new is to come.
    case nodeCordoned = "node_cordoned"
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
    /// Another node that is not lost reports the same UUID.
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
  /// Whether its node is silent or cordoned but still planned for: it comes last where GPUs are chosen.
  package var isSilent = false
  /// Whether what stands on it stays, and nothing new is to come.
  package var isCordoned = false
  /// Instances that Parva made on it.
  package var holds: Set<InstancePlace>
}

/// What the registered nodes give to plans: the shares of all nodes, joined.
package struct FleetInventory: Hashable, Sendable {
  /// By node name, then index.
  package private(set) var gpus: [FleetGPU] = []
  /// One pool for each product in each zone, by name.
  package private(set) var pools: [Pool] = []
  /// Whether any node is registered at all.
  package let isEmpty: Bool
  private var ranges: [String: Range<Int>] = [:]

  /// - Parameter priced: configured pools; cost and watts of a product are taken from the first that has it.
  package init(_ nodes: [NodeRecord], priced: [Pool] = []) {
    let shares = nodes.sorted { $0.name < $1.name }.map(NodeShare.init)
    var owners: [String: Int] = [:]
    for gpu in shares.lazy.filter({ !$0.isLost }).flatMap(\.gpus) { owners[gpu.uuid, default: 0] += 1 }
    self.init(shares: shares, priced: priced) { owners[$0, default: 0] > 1 }
  }

  /// - Parameters:
  ///   - shares: by name of their nodes.
  ///   - isShared: whether several nodes that are not lost report a UUID.
  /// - Complexity: O(GPUs).
  init(shares: [NodeShare], priced: [Pool], isShared: (String) -> Bool) {
    isEmpty = shares.isEmpty
    var named: [String: Pool] = [:]
    var holders: [String: [PoolNode]] = [:]
    for share in shares {
      let own = share.gpus(sharing: isShared)
      var counts: [String: Int] = [:]
      for gpu in own {
        guard let name = gpu.pool, let product = gpu.product else { continue }
        counts[name, default: 0] += 1
        if named[name] == nil {
          let price = priced.first { $0.product.name == product.name }
          named[name] = Pool(name: name, product: product, count: 0, figures: price?.figures ?? [:])
        }
      }
      for (pool, count) in counts { holders[pool, default: []].append(PoolNode(name: share.node, count: count)) }
      ranges[share.node] = gpus.count..<gpus.count + own.count
      gpus += own
    }
    for (pool, nodes) in holders {
      named[pool]?.nodes = nodes
      named[pool]?.count = nodes.reduce(0) { $0 + $1.count }
    }
    pools = named.values.sorted { $0.name < $1.name }
  }

  /// Nodes that are lost, and GPUs that do not answer or whose nodes are lost. O(GPUs).
  var failures: (nodes: Int, gpus: Int) {
    let lost = gpus.filter { $0.exclusion == .nodeLost }
    return (Set(lost.map(\.node)).count, lost.count + gpus.count { $0.exclusion == .faulty })
  }

  /// The same with some GPUs as if their nodes were cordoned: what stands there stays, and nothing new comes. O(GPUs).
  func holding(_ uuids: Set<String>) -> FleetInventory {
    var rest = self
    for index in rest.gpus.indices where uuids.contains(rest.gpus[index].uuid) { rest.gpus[index].isCordoned = true }
    return rest
  }

  /// The same without some GPUs. O(GPUs).
  func leaving(out uuids: Set<String>) -> FleetInventory {
    var rest = self
    for index in rest.gpus.indices where uuids.contains(rest.gpus[index].uuid) {
      guard let name = rest.gpus[index].pool, let pool = rest.pools.firstIndex(where: { $0.name == name }) else {
        continue
      }
      rest.gpus[index].pool = nil
      rest.gpus[index].exclusion = .nodeCordoned
      let node = rest.gpus[index].node
      rest.pools[pool].count = rest.pools[pool].count.map { $0 - 1 }
      guard let place = rest.pools[pool].nodes.firstIndex(where: { $0.name == node }) else { continue }
      rest.pools[pool].nodes[place].count -= 1
      if rest.pools[pool].nodes[place].count == 0 { rest.pools[pool].nodes.remove(at: place) }
    }
    return rest
  }

  /// Of what plans may use and what they may not, the same in every process. What stands there does not count, nor whether a
  /// node is silent for a while. O(GPUs).
  var fingerprint: UInt64 {
    var hash = StableHash()
    for gpu in gpus {
      let product = gpu.product?.name ?? ""
      let exclusion = gpu.exclusion?.rawValue ?? (gpu.isCordoned ? "cordoned" : "")
      hash.add("\(gpu.node)\t\(gpu.uuid)\t\(product)\t\(gpu.pool ?? "")\t\(exclusion)\n".utf8)
    }
    return hash.value
  }

  /// GPUs that plans may use.
  package var usable: [FleetGPU] { gpus.filter { $0.exclusion == nil } }

  /// The GPUs of one node, by index.
  package func gpus(of node: String) -> ArraySlice<FleetGPU> { ranges[node].map { gpus[$0] } ?? [] }
}
