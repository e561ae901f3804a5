package import ParvaEngine
package import ParvaWire

/// The plan that is really in force, which a planning is to keep as much of as it can. Pure.
///
/// It is what stands on the nodes, not what was published last: a plan that was never pushed has changed nothing. Where the
/// controller does not know what stands, the published plan is the best word there is; so it is for workloads of which nothing
/// stands yet, where nothing is in their way, so that one plan after the other finds the same place for them.
package enum PlanInForce {
  /// - Parameters:
  ///   - standing: what stands on each node, for nodes where that is known.
  ///   - fleet: what the nodes offer.
  ///   - published: the newest plan, bound.
  /// - Returns: GPUs in order of the published plan, others behind them by node and index; nil where nothing is known.
  /// - Complexity: O(GPUs + segments).
  package static func plan(standing: [String: [WantedGPU]], on fleet: FleetInventory, published: Plan?) -> Plan? {
    // Where there are no nodes nothing stands, and nothing is in the way of what is published.
    if fleet.isEmpty, var plan = published {
      plan.gpus.removeAll { $0.segments.isEmpty }
      return plan
    }
    let known = known(segmentsOf: published)
    var there: [String: [Segment]] = [:]
    var used: Set<String> = []
    let gpus = fleet.usable
    for gpu in gpus {
      guard let product = gpu.product, let assignments = standing[gpu.node] else { continue }
      let wanted = assignments.first { $0.uuid == gpu.uuid }
      let segments = (wanted?.instances ?? []).compactMap { segment($0, product, known) }
      there[gpu.uuid] = segments.filter { used.insert($0.id).inserted }
    }
    let carried = Set(there.values.joined().map(\.workload))
    // What is published for a node of which nothing is known may well stand there.
    func mayStand(_ segment: Segment, on gpu: PlannedGPU) -> Bool {
      !used.contains(segment.id) && (!carried.contains(segment.workload) || gpu.uuid.map { there[$0] == nil } ?? true)
    }
    var planned: [PlannedGPU] = []
    var listed: Set<String> = []
    let offered = Dictionary(gpus.map { ($0.uuid, $0) }, uniquingKeysWith: { first, _ in first })
    for gpu in published?.gpus ?? [] {
      var gpu = gpu
      if let real = gpu.uuid.flatMap({ offered[$0] }), let product = real.product, let pool = real.pool {
        // The driver may say another geometry than before, and the node may have moved to another zone.
        if product != gpu.product { gpu.segments = [] }
        (gpu.product, gpu.pool, gpu.node) = (product, pool, real.node)
      }
      var segments = gpu.uuid.flatMap { there[$0] } ?? []
      for segment in gpu.segments
      where mayStand(segment, on: gpu)
        && gpu.product.hasRoom(for: segment.placement, beside: segments.lazy.map(\.placement))
      {
        segments.append(segment)
        used.insert(segment.id)
      }
      if let uuid = gpu.uuid { listed.insert(uuid) }
      gpu.segments = segments.sorted { $0.start < $1.start }
      if !gpu.segments.isEmpty { planned.append(gpu) }
    }
    for gpu in gpus where !listed.contains(gpu.uuid) {
      guard let product = gpu.product, let pool = gpu.pool, let segments = there[gpu.uuid], !segments.isEmpty else {
        continue
      }
      planned.append(
        PlannedGPU(
          pool: pool, product: product, node: gpu.node, uuid: gpu.uuid,
          segments: segments.sorted { $0.start < $1.start }))
    }
    if var plan = published {
      plan.gpus = planned
      return plan
    }
    guard !planned.isEmpty else { return nil }
    return Plan(
      planner: "", admission: "", status: .feasible, gpus: planned, unplaced: [],
      summary: PlanSummary(
        gpuCount: planned.count, allocatedSlices: 0, externalFragmentation: 0, internalSlack: 0,
        profileSource: .modelled))
  }

  private static func known(segmentsOf plan: Plan?) -> [String: Segment] {
    Dictionary(
      (plan?.gpus ?? []).lazy.flatMap(\.segments).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// An instance that stands, as a segment; nil where nothing runs on it, or the product has no such profile.
  private static func segment(
    _ instance: WantedInstance, _ product: GPUProduct, _ known: [String: Segment]
  ) -> Segment? {
    guard let profile = product.profileIndex(driverID: instance.profileID), let id = instance.segment,
      let workload = instance.workload, let model = instance.model, let batch = instance.batch,
      let processes = instance.processes, let slash = id.lastIndex(of: "/"),
      let ordinal = Int(id[id.index(after: slash)...])
    else { return nil }
    var segment = Segment(
      workload: workload, ordinal: ordinal, model: model, profile: profile, start: instance.start, batch: batch,
      processes: processes, capacity: instance.capacity ?? 0, load: 0, latencyMs: 0)
    // The figures of the plan, where it has the very segment.
    if let same = known[segment.id] {
      (segment.capacity, segment.load, segment.latencyMs) = (same.capacity, same.load, same.latencyMs)
      if segment == same { return same }
    }
    return segment
  }
}
