extension AdmissionRule {
  /// The published rule: execution latency below 0.45 x SLO, loaded up to its throughput (SC'24, section 3).
  public static let halfSLO = AdmissionRule(
    name: "half-slo", summary: "the published rule: execution below 0.45 x SLO, loaded up to the throughput",
    takesMargin: false, offers: HalfSLOAdmission.offers, reason: HalfSLOAdmission.reason, judge: { _ in HalfSLOJudge() }
  )
}

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

  /// Each model's points are sorted once for each pool. O(workloads x columns x log points).
  @Sendable static func offers(
    _ input: PlanningInput, _ columns: [InstanceColumn], _ context: PlanningContext
  ) -> OfferTable {
    var offers = [Offer](repeating: .none, count: input.workloads.count * columns.count)
    let ranges = input.pools.indices.map { pool in columns.indices.filter { columns[$0].pool == pool } }
    struct Key: Hashable {
      var model: String
      var owner: String?
      var mostProcesses: Int
    }
    var admissions: [Key: [HalfSLOAdmission?]] = [:]
    for (index, workload) in input.workloads.enumerated() {
      let row: [HalfSLOAdmission?]
      let most = workload.mostProcesses(input.options.maxProcesses)
      let key = Key(
        model: workload.model, owner: input.profiles.owner(model: workload.model, for: workload.id), mostProcesses: most
      )
      if let known = admissions[key] {
        row = known
      } else {
        row = ranges.enumerated().map { pool, range in
          let product = input.pools[pool].product.name
          return input.profiles.profile(model: workload.model, product: product, for: workload.id).map {
            HalfSLOAdmission($0, kinds: range.map { columns[$0].profile }, maxProcesses: most)
          }
        }
        admissions[key] = row
      }
      for (range, admission) in zip(ranges, row) {
        guard let admission, let first = range.first else { continue }
        admission.writeOffers(sloLatencyMs: workload.sloLatencyMs, into: &offers, at: index * columns.count + first)
      }
    }
    return OfferTable(offers: offers)
  }

  @Sendable static func reason(_ workload: Workload, _ input: PlanningInput) -> Unserved {
    let points = Set(input.pools.map(\.product.name)).sorted().compactMap {
      input.profiles.profile(model: workload.model, product: $0, for: workload.id)
    }.flatMap(\.points)
    let most = workload.mostProcesses(input.options.maxProcesses)
    let fastest = points.filter { $0.processes <= most }.map(\.latencyMs).min() ?? 0
    let needed = (fastest / share * 1000).rounded(.up) / 1000
    return Unserved(
      workload: workload.id, code: .sloUnreachable,
      message: "the fastest point of model \(workload.model) takes \(fastest.shortText) ms, and it must stay below "
        + "\(share) x the SLO of \(workload.sloLatencyMs.shortText) ms; "
        + "an SLO above \(needed.shortText) ms can be served")
  }
}
