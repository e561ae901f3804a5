/// Allocation optimization (SC'24, section 4): half-empty GPUs are dissolved and their throughput is covered again with
/// small segments that fit into the gaps of the others.
enum AllocationOptimization {
  /// From the last GPU to the first, a GPU with at most half of its slices in use (rounded up) is dissolved; what its
  /// workloads then lack is covered with the two smallest sizes and placed by ``SegmentRelocation``.
  /// O(segments x occupancy states).
  static func run(_ gpus: [DraftGPU], _ market: Market) -> [DraftGPU] {
    let table = market.cuts[0]
    let threshold = (table.product.computeSlices + 1) / 2
    var lacking: [Int: Double] = [:]
    var kept: [DraftGPU] = []
    for gpu in gpus.reversed() {
      let slices = gpu.segments.reduce(0) { $0 + table.product.profiles[table.kinds[$1.kind]].computeSlices }
      let canShrink = gpu.segments.allSatisfy { !small($0.workload, market).isEmpty }
      guard slices <= threshold, canShrink else {
        kept.append(gpu)
        continue
      }
      for segment in gpu.segments {
        lacking[segment.workload, default: 0] += market.offers[segment.workload][0][segment.kind]?.capacity ?? 0
      }
    }
    kept.reverse()
    // Throughput beyond the rate need not be carried over.
    var standing: [Int: Double] = [:]
    for gpu in kept {
      for segment in gpu.segments where lacking[segment.workload] != nil {
        standing[segment.workload, default: 0] += market.offers[segment.workload][0][segment.kind]?.capacity ?? 0
      }
    }
    for (workload, carried) in lacking {
      lacking[workload] = min(carried, market.input.workloads[workload].rate - standing[workload, default: 0])
    }
    let segments = lacking.sorted { $0.key < $1.key }.flatMap { cover($0.key, $0.value, market) }
    return SegmentRelocation.place(segments, onto: kept, market)
  }

  /// The offers of the workload on the two smallest sizes (one and two slices on 7-slice parts).
  private static func small(_ workload: Int, _ market: Market) -> [(kind: Int, slices: Int, capacity: Double)] {
    let table = market.cuts[0]
    let all = table.kinds.indices.map { (kind: $0, slices: table.product.profiles[table.kinds[$0]].computeSlices) }
    let sizes = Set(all.map(\.slices)).sorted().prefix(2)
    return all.filter { sizes.contains($0.slices) }.compactMap { kind, slices in
      market.offers[workload][0][kind].map { (kind, slices, $0.capacity) }
    }
  }

  /// Covers `rate` with the small kind of most throughput per slice, the smaller on ties; the last segment is the
  /// smallest that covers the rest.
  private static func cover(_ workload: Int, _ rate: Double, _ market: Market) -> [DraftSegment] {
    let offers = small(workload, market)
    guard rate > market.input.workloads[workload].rate * Tolerance.relative, var best = offers.first else { return [] }
    for offer in offers where offer.capacity * Double(best.slices) > best.capacity * Double(offer.slices) {
      best = offer
    }
    var segments: [DraftSegment] = []
    var rest = rate
    while rest > market.input.workloads[workload].rate * Tolerance.relative {
      let pick = offers.first { $0.capacity >= rest } ?? best
      segments.append(DraftSegment(workload: workload, kind: pick.kind, start: 0))
      rest -= pick.capacity
    }
    return segments
  }
}
