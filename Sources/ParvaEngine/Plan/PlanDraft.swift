/// A plan in the making: indices instead of names, and no loads yet.
struct DraftSegment: Hashable, Sendable {
  /// Index into the input's workloads.
  var workload: Int
  /// Index into ``Market/columns``.
  var column: Int
  var start: Int
}

struct DraftGPU: Hashable, Sendable {
  var pool: Int
  /// Nil until some node is needed or chosen.
  var node: String?
  var segments: [DraftSegment]

  init(pool: Int, node: String? = nil, segments: [DraftSegment]) {
    self.pool = pool
    self.node = node
    self.segments = segments
  }
}

extension Market {
  /// Names everything in a draft, shares each workload's rate among its segments in proportion to their capacities,
  /// and works out the figures. GPUs without segments are left out; where a pool lists its nodes, each GPU gets one.
  /// O(segments).
  func finish(
    _ draft: [DraftGPU], planner: String, unplaced: [Unplaced], partial: [PartialService] = [],
    lowerBound: Double? = nil, gap: Double? = nil
  ) -> Plan {
    let draft = NodeFilling.run(draft.filter { !$0.segments.isEmpty }, input.pools)
    var rates = input.workloads.map(\.rate)
    let served = Dictionary(partial.map { ($0.workload, $0.served) }, uniquingKeysWith: { first, _ in first })
    for (index, workload) in input.workloads.enumerated() where !served.isEmpty {
      if let rate = served[workload.id] { rates[index] = rate }
    }
    var total = [Double](repeating: 0, count: input.workloads.count)
    for gpu in draft {
      for segment in gpu.segments { total[segment.workload] += capacity(segment.workload, segment.column) }
    }
    var ordinals = [Int](repeating: 0, count: input.workloads.count)
    var gpus: [PlannedGPU] = []
    gpus.reserveCapacity(draft.count)
    for gpu in draft where !gpu.segments.isEmpty {
      let pool = input.pools[gpu.pool]
      let segments = gpu.segments.sorted { $0.start < $1.start }.map { segment in
        let offer = offer(segment.workload, segment.column)
        let workload = input.workloads[segment.workload]
        defer { ordinals[segment.workload] += 1 }
        return Segment(
          workload: workload.id, ordinal: ordinals[segment.workload], model: workload.model,
          profile: columns[segment.column].profile, start: segment.start, batch: Int(offer.batch),
          processes: Int(offer.processes), capacity: offer.capacity,
          load: min(offer.capacity, rates[segment.workload] * (offer.capacity / total[segment.workload])),
          latencyMs: offer.latencyMs)
      }
      gpus.append(PlannedGPU(pool: pool.name, product: pool.product, node: gpu.node, segments: segments))
    }
    let status: PlanStatus = !unplaced.isEmpty ? .infeasible : gap == 0 && partial.isEmpty ? .optimal : .feasible
    var summary = PlanMetrics.summary(of: gpus, pools: input.pools, profileSource: profileSource(of: draft))
    summary.lowerBound = lowerBound
    summary.gap = gap
    return Plan(
      planner: planner, admission: input.options.admission.rawValue,
      margin: input.options.admission == .certified ? input.options.margin : nil, status: status, gpus: gpus,
      unplaced: unplaced, partial: partial, summary: summary)
  }

  /// What the profiles behind a plan were; of all profiles in reach where the plan is empty.
  private func profileSource(of draft: [DraftGPU]) -> ProfileSource {
    var seen = [Bool](repeating: false, count: input.workloads.count * input.pools.count)
    var used: Set<ProfileSource> = []
    for gpu in draft {
      for segment in gpu.segments where !seen[segment.workload * input.pools.count + gpu.pool] {
        seen[segment.workload * input.pools.count + gpu.pool] = true
        let model = input.workloads[segment.workload].model
        if let profile = input.profiles.profile(model: model, product: input.pools[gpu.pool].product.name) {
          used.insert(profile.source)
        }
      }
    }
    return used.isEmpty ? input.profiles.all.map(\.source).merged : used.merged
  }
}
