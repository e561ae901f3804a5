/// A plan in the making: indices instead of names, and no loads yet.
struct DraftSegment: Hashable, Sendable {
  /// Index into the input's workloads.
  var workload: Int
  /// Index into ``Market/columns``.
  var column: Int
  var start: Int
  /// Number that a segment of an earlier plan passes on; nil for the lowest that is free.
  var ordinal: Int? = nil
  /// Whether the segment stands in the earlier plan exactly as here.
  var isKept = false
}

struct DraftGPU: Hashable, Sendable {
  /// Index into the pools of the market, which may stand for several of the input's.
  var pool: Int
  /// Index into ``PoolClasses/pools``; nil until one of those that `pool` stands for is chosen.
  var home: Int? = nil
  /// Nil until some node is needed or chosen.
  var node: String?
  /// The real GPU, where an earlier plan was bound to it.
  var uuid: String?
  var segments: [DraftSegment]

  init(pool: Int, node: String? = nil, uuid: String? = nil, segments: [DraftSegment]) {
    self.pool = pool
    self.node = node
    self.uuid = uuid
    self.segments = segments
  }
}

extension Market {
  /// Names everything in a draft, shares each workload's rate among its segments in proportion to their capacities,
  /// and works out the figures. GPUs without segments are left out; where a pool lists its nodes, each GPU gets one.
  /// O(segments).
  func finish(
    _ draft: [DraftGPU], planner: String, unplaced: [Unserved], partial: [PartialService] = [],
    lowerBound: Double? = nil, gap: Double? = nil
  ) -> Plan {
    var draft = NodeFilling.run(classes.sharedOut(draft.filter { !$0.segments.isEmpty }), classes.pools)
    // In order of start, so that sums do not depend on how the draft came about.
    for gpu in draft.indices { draft[gpu].segments.sort { $0.start < $1.start } }
    var rates = input.workloads.map(\.rate)
    let served = Dictionary(partial.map { ($0.workload, $0.served) }, uniquingKeysWith: { first, _ in first })
    for (index, workload) in input.workloads.enumerated() where !served.isEmpty {
      if let rate = served[workload.id] { rates[index] = rate }
    }
    var total = [Double](repeating: 0, count: input.workloads.count)
    for gpu in draft {
      for segment in gpu.segments { total[segment.workload] += capacity(segment.workload, segment.column) }
    }
    var ordinals = OrdinalSupply(draft, workloads: input.workloads.count)
    var gpus: [PlannedGPU] = []
    gpus.reserveCapacity(draft.count)
    for gpu in draft where !gpu.segments.isEmpty {
      let pool = classes.pools[gpu.home ?? classes.members[gpu.pool][0]]
      let segments = gpu.segments.map { segment in
        let offer = offer(segment.workload, segment.column)
        let workload = input.workloads[segment.workload]
        return Segment(
          workload: workload.id, ordinal: segment.ordinal ?? ordinals.next(segment.workload), model: workload.model,
          profile: columns[segment.column].profile, start: segment.start, batch: Int(offer.batch),
          processes: Int(offer.processes), capacity: offer.capacity,
          load: min(offer.capacity, rates[segment.workload] * (offer.capacity / total[segment.workload])),
          latencyMs: offer.latencyMs)
      }
      gpus.append(
        PlannedGPU(pool: pool.name, product: pool.product, node: gpu.node, uuid: gpu.uuid, segments: segments))
    }
    let status: PlanStatus = !unplaced.isEmpty ? .infeasible : gap == 0 && partial.isEmpty ? .optimal : .feasible
    var summary = PlanMetrics.summary(of: gpus, pools: classes.pools, profileSource: profileSource(of: draft))
    summary.lowerBound = lowerBound
    summary.gap = gap
    summary.isCutShort = ceilings != nil
    return Plan(
      planner: planner, admission: input.options.admission.name,
      margin: input.options.admission.takesMargin ? input.options.margin : nil,
      objective: lowerBound == nil ? nil : input.options.objective, maxProcesses: input.options.maxProcesses,
      status: status, gpus: gpus, unplaced: unplaced, partial: partial, summary: summary)
  }

  /// What the profiles behind a plan were; of all profiles in reach where the plan is empty.
  private func profileSource(of draft: [DraftGPU]) -> ProfileSource {
    var seen = [Bool](repeating: false, count: input.workloads.count * input.pools.count)
    var used: Set<ProfileSource> = []
    for gpu in draft {
      for segment in gpu.segments where !seen[segment.workload * input.pools.count + gpu.pool] {
        seen[segment.workload * input.pools.count + gpu.pool] = true
        let (workload, product) = (input.workloads[segment.workload], input.pools[gpu.pool].product)
        let profile = input.profiles.profile(model: workload.model, product: product.name, for: workload.id)
        if let profile { used.insert(profile.source) }
      }
    }
    return used.isEmpty ? input.profiles.all.map(\.source).merged : used.merged
  }
}

/// Hands out, per workload, the lowest ordinals that no segment of a draft brings along.
private struct OrdinalSupply {
  private var following: [Int]
  /// Those brought along, per workload.
  private var taken: [Int: Set<Int>] = [:]

  init(_ draft: [DraftGPU], workloads: Int) {
    following = [Int](repeating: 0, count: workloads)
    for gpu in draft {
      for segment in gpu.segments {
        if let ordinal = segment.ordinal { taken[segment.workload, default: []].insert(ordinal) }
      }
    }
  }

  mutating func next(_ workload: Int) -> Int {
    var ordinal = following[workload]
    if !taken.isEmpty, let own = taken[workload] {
      while own.contains(ordinal) { ordinal += 1 }
    }
    following[workload] = ordinal + 1
    return ordinal
  }
}
