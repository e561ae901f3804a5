import ParvaEngine
import ParvaWire

/// What one node offers to plans, by its own record alone; UUIDs that others report, too, are for who joins the shares.
struct NodeShare: Hashable, Sendable {
  let node: String
  let zone: String?
  let isReachable: Bool
  /// Whether plans go on without it: its GPUs may have come back under another name, and it stands in nobody's way.
  let isLost: Bool
  /// By index, then UUID.
  let gpus: [FleetGPU]

  /// O(GPUs x products).
  init(_ node: NodeRecord) {
    self.node = node.name
    zone = node.zone
    isLost = NodeCondition(of: node) == .lost
    isReachable = ![.pending, .lost, .draining].contains(NodeCondition(of: node))
    guard let state = node.settled else {
      gpus = []
      return
    }
    let owned = Dictionary(grouping: state.owned, by: \.gpu)
    gpus = state.observed.gpus.sorted { ($0.index, $0.uuid) < ($1.index, $1.uuid) }.map { gpu in
      Self.entry(gpu, node, state, owned[gpu.uuid] ?? [])
    }
  }

  /// The GPUs as plans may use them, where these UUIDs are reported by other nodes, too.
  func gpus(sharing uuids: (String) -> Bool) -> [FleetGPU] {
    guard isReachable else { return gpus }
    return gpus.map { gpu in
      guard uuids(gpu.uuid) else { return gpu }
      var gpu = gpu
      gpu.pool = nil
      gpu.exclusion = .duplicate
      gpu.message = "another node reports this UUID, too"
      return gpu
    }
  }

  /// Whether plans made with the one or the other differ: GPUs that may be used, each with its pool and product.
  func offersSame(as other: NodeShare) -> Bool {
    let (a, b) = (gpus.filter { $0.pool != nil }, other.gpus.filter { $0.pool != nil })
    return a.count == b.count
      && zip(a, b).allSatisfy {
        ($0.uuid, $0.index, $0.pool, $0.product, $0.isCordoned)
          == ($1.uuid, $1.index, $1.pool, $1.product, $1.isCordoned)
      }
  }

  // MARK: - One GPU

  private static func entry(
    _ gpu: ObservedGPU, _ node: NodeRecord, _ state: NodeStateDocument, _ owned: [OwnedDocument]
  ) -> FleetGPU {
    let ours = Set(owned.map(\.instance))
    var entry = FleetGPU(
      node: node.name, index: gpu.index, uuid: gpu.uuid, product: ProductRecognition.product(of: gpu),
      isSilent: node.isUnreachable || node.duty == .cordoned, isCordoned: node.duty == .cordoned,
      holds: Set(
        gpu.instances.filter { ours.contains($0.id) }.map {
          InstancePlace(profileID: $0.profileID, start: $0.start)
        }))
    if let (exclusion, message) = exclusion(gpu, node, state, ours, entry.product != nil) {
      entry.exclusion = exclusion
      entry.message = message
    } else if let product = entry.product {
      entry.pool = node.zone.map { "\(product.name)@\($0)" } ?? product.name
    }
    return entry
  }

  private static func exclusion(
    _ gpu: ObservedGPU, _ node: NodeRecord, _ state: NodeStateDocument, _ ours: Set<Int>, _ isKnown: Bool
  ) -> (FleetGPU.Exclusion, String)? {
    switch NodeCondition(of: node) {
    case .draining: return (.nodeDraining, "the node is being drained")
    case .lost: return (.nodeLost, "the node's heartbeats have not come for longer than the grace")
    case .pending: return (.nodePending, "the node has not been heard yet")
    case .ready, .unreachable, .cordoned, .maintenance: break
    }
    // Whether or not it is heard.
    if node.duty == .maintenance { return (.nodeMaintenance, "the node is in maintenance") }
    if let fault = gpu.fault { return (.faulty, "the driver cannot reach it: \(fault)") }
    guard gpu.mig != nil || gpu.isWhole else { return (.noMIG, "it has no MIG mode") }
    if let obstacle = mode(of: gpu, manages: state.managesMIGMode ?? false) { return obstacle }
    let foreign = gpu.instances.filter { !ours.contains($0.id) }
    if !foreign.isEmpty {
      return (.foreign, "\(foreign.count) of its instances \(foreign.count == 1 ? "was" : "were") not made by Parva")
    }
    if node.duty == .cordoned, ours.isEmpty {
      return (.nodeCordoned, "the node is cordoned, and nothing of Parva's is on it")
    }
    return isKnown ? nil : (.unknownProduct, "\(gpu.board) is in no table and its driver reports no profiles")
  }

  /// What stands in the way by the MIG mode of a GPU; one without MIG is planned as a whole where nobody else uses it.
  private static func mode(of gpu: ObservedGPU, manages: Bool) -> (FleetGPU.Exclusion, String)? {
    guard let mig = gpu.mig else {
      return gpu.instances.isEmpty
        ? gpu.processes.first.map { (.inUse, "process \($0.pid) (\($0.name)) uses it") } : nil
    }
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
    return nil
  }
}
