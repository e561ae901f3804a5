/// Allocation optimization (SC'24, section 4): half-empty GPUs are dissolved and their throughput is covered again with
/// small segments that fit into the gaps of the others.
enum AllocationOptimization {
  /// From the last GPU to the first: a GPU with at most half of its slices in use (rounded up) is dissolved where the
  /// small segments that cover what its workloads then lack fit beside what stands elsewhere, so a GPU less is used
  /// each time. Without GPUs that were emptied. O(segments x occupancy states).
  static func run(_ relocated: SegmentRelocation, _ pool: Int, _ market: Market) -> [DraftGPU] {
    var relocation = relocated
    let threshold = (market.cuts[pool].product.computeSlices + 1) / 2
    var capacity = [Double](repeating: 0, count: market.input.workloads.count)
    for gpu in relocation.gpus {
      for segment in gpu.segments { capacity[segment.workload] += market.capacity(segment.workload, segment.column) }
    }
    for gpu in relocation.gpus.indices.reversed() {
      let segments = relocation.gpus[gpu].segments
      guard segments.reduce(0, { $0 + market.columns[$1.column].computeSlices }) <= threshold else { continue }
      var carried: [Int: Double] = [:]
      for segment in segments {
        carried[segment.workload, default: 0] += market.capacity(segment.workload, segment.column)
      }
      var small: [DraftSegment] = []
      for (workload, lost) in carried.sorted(by: { $0.key < $1.key }) {
        // Throughput beyond the rate need not be carried over.
        let lacking = market.input.workloads[workload].rate - (capacity[workload] - lost)
        small += cover(workload, lacking, pool, market)
      }
      guard carried.keys.allSatisfy({ !AllocationOptimization.small($0, pool, market).isEmpty }),
        relocation.dissolve(gpu, into: small)
      else { continue }
      for (workload, lost) in carried { capacity[workload] -= lost }
      for segment in small { capacity[segment.workload] += market.capacity(segment.workload, segment.column) }
    }
    return relocation.gpus.filter { !$0.segments.isEmpty }
  }

  /// The offers of the workload on the two smallest sizes (one and two slices on 7-slice parts).
  private static func small(
    _ workload: Int, _ pool: Int, _ market: Market
  ) -> [(column: Int, slices: Int, capacity: Double)] {
    let sizes = Set(market.poolColumns[pool].map { market.columns[$0].computeSlices }).sorted().prefix(2)
    return market.poolColumns[pool].compactMap { column in
      let slices = market.columns[column].computeSlices
      let capacity = market.capacity(workload, column)
      return capacity > 0 && sizes.contains(slices) ? (column, slices, capacity) : nil
    }
  }

  /// Covers `rate` with the kind of most throughput per slice, the smaller on ties, and the smallest kind that covers
  /// the rest; where the other small kind does it with fewer slices, with that one. O(segments).
  private static func cover(_ workload: Int, _ rate: Double, _ pool: Int, _ market: Market) -> [DraftSegment] {
    let negligible = market.input.workloads[workload].rate * Tolerance.relative
    let offers = small(workload, pool, market)
    var best: [(column: Int, slices: Int, capacity: Double)] = []
    for offer in offers {
      var picked: [(column: Int, slices: Int, capacity: Double)] = []
      var rest = rate
      while rest > negligible {
        picked.append(offers.first { $0.capacity >= rest } ?? offer)
        rest -= picked[picked.count - 1].capacity
      }
      if best.isEmpty || picked.reduce(0, { $0 + $1.slices }) < best.reduce(0, { $0 + $1.slices }) { best = picked }
    }
    return best.map { DraftSegment(workload: workload, column: $0.column, start: 0) }
  }
}
