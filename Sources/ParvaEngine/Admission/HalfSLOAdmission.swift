/// The published rule: a point is admissible when its execution latency is below 0.45 x SLO - half of the objective for
/// waiting, a tenth of the rest as margin - and may then be loaded up to its throughput (SC'24, section 3).
///
/// Built once per model and product: for each kind the points by latency with the best throughput so far, so that a
/// query is one binary search per kind.
struct HalfSLOAdmission: Sendable {
  static let share = 0.45

  /// Per kind, parallel arrays: latencies ascending, and the best offer among the points up to there.
  private var latencies: [[Double]] = []
  private var best: [[Offer]] = []

  /// O(n log n) in the number of points.
  init(_ profile: ModelProfile, kinds: [Int], maxProcesses: Int) {
    for kind in kinds {
      let points = profile.points.enumerated()
        .filter { $0.element.profile == kind && $0.element.processes <= maxProcesses }
        .sorted { ($0.element.latencyMs, $0.offset) < ($1.element.latencyMs, $1.offset) }
      var rowLatencies: [Double] = []
      var rowBest: [Offer] = []
      var bestOffset = Int.max
      // Among equal throughputs the first point in order of batch and processes wins.
      for (offset, point) in points {
        if let last = rowBest.last {
          guard point.throughput > last.capacity || (point.throughput == last.capacity && offset < bestOffset) else {
            continue
          }
        }
        bestOffset = offset
        rowLatencies.append(point.latencyMs)
        rowBest.append(
          Offer(
            capacity: point.throughput, batch: Int32(point.batch), processes: Int32(point.processes),
            latencyMs: point.latencyMs))
      }
      latencies.append(rowLatencies)
      best.append(rowBest)
    }
  }

  /// Writes the best offer of every kind under an SLO in milliseconds, from `offset` on. O(kinds x log points).
  func writeOffers(sloLatencyMs: Double, into offers: inout [Offer], at offset: Int) {
    let limit = HalfSLOAdmission.share * sloLatencyMs
    for kind in latencies.indices {
      let row = latencies[kind]
      var low = 0
      var high = row.count
      while low < high {
        let middle = (low + high) / 2
        if row[middle] < limit { low = middle + 1 } else { high = middle }
      }
      if low > 0 { offers[offset + kind] = best[kind][low - 1] }
    }
  }
}
