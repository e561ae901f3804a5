/// A plan in the making: indices instead of names, and no loads yet.
struct DraftSegment: Hashable, Sendable {
  /// Index into the input's workloads.
  var workload: Int
  /// Index into the kinds of the pool's ``CutTable``.
  var kind: Int
  var start: Int
}

struct DraftGPU: Hashable, Sendable {
  var pool: Int
  var segments: [DraftSegment]
}

extension Market {
  /// Names everything in a draft, shares each workload's rate among its segments in proportion to their capacities,
  /// and works out the figures. GPUs without segments are left out. O(segments).
  func finish(
    _ draft: [DraftGPU], planner: String, unplaced: [Unplaced], lowerBound: Double? = nil, gap: Double? = nil
  ) -> Plan {
    var total = [Double](repeating: 0, count: input.workloads.count)
    for gpu in draft {
      for segment in gpu.segments { total[segment.workload] += offer(segment, gpu.pool)?.capacity ?? 0 }
    }
    var ordinals = [Int](repeating: 0, count: input.workloads.count)
    var gpus: [PlannedGPU] = []
    for gpu in draft where !gpu.segments.isEmpty {
      let pool = input.pools[gpu.pool]
      let segments = gpu.segments.sorted { $0.start < $1.start }.compactMap { segment -> Segment? in
        guard let offer = offer(segment, gpu.pool) else { return nil }
        let workload = input.workloads[segment.workload]
        defer { ordinals[segment.workload] += 1 }
        return Segment(
          workload: workload.id, ordinal: ordinals[segment.workload], model: workload.model,
          profile: cuts[gpu.pool].kinds[segment.kind], start: segment.start, batch: Int(offer.batch),
          processes: Int(offer.processes), capacity: offer.capacity,
          load: min(offer.capacity, workload.rate * (offer.capacity / total[segment.workload])),
          latencyMs: offer.latencyMs)
      }
      gpus.append(PlannedGPU(pool: pool.name, product: pool.product, segments: segments))
    }
    let status: PlanStatus = !unplaced.isEmpty ? .infeasible : gap == 0 ? .optimal : .feasible
    var summary = PlanMetrics.summary(of: gpus, pools: input.pools, profileSource: profileSource(of: gpus))
    summary.lowerBound = lowerBound
    summary.gap = gap
    return Plan(
      planner: planner, admission: input.options.admission.rawValue, status: status, gpus: gpus, unplaced: unplaced,
      summary: summary)
  }

  private func offer(_ segment: DraftSegment, _ pool: Int) -> Offer? { offers[segment.workload][pool][segment.kind] }

  /// What the profiles behind a plan were; of all profiles in reach where the plan is empty.
  private func profileSource(of gpus: [PlannedGPU]) -> ProfileSource {
    var seen: Set<[String]> = []
    for gpu in gpus {
      for segment in gpu.segments { seen.insert([segment.model, gpu.product.name]) }
    }
    let used = seen.compactMap { input.profiles.profile(model: $0[0], product: $0[1])?.source }
    let sources = used.isEmpty ? input.profiles.all.map(\.source) : used
    return sources.dropFirst().reduce(sources.first ?? .measured) { $0.merged(with: $1) }
  }
}
