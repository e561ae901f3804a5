extension Market {
  /// Where as many replicas as the workload may have do not carry its rate, however large they are. O(1).
  func replicaRefusal(_ demand: Workload, throughput: Double) -> Unserved? {
    let losses = demand.constraints.survive?.losses ?? 0
    let needed = Int((demand.rate * (1 - CoverSolver.slack) / throughput).rounded(.up)) + losses
    guard let most = demand.constraints.replicas?.most, needed > most else { return nil }
    let spare = losses > 0 ? " without \(losses == 1 ? "one" : "\(losses)") of them" : ""
    let carried = "at most \((Double(max(0, most - losses)) * throughput).shortText) requests/s\(spare)"
    return Unserved(
      workload: demand.id, code: .replicaLimit,
      message: "\(most) replica\(most == 1 ? "" : "s") carry \(carried), the workload asks for "
        + "\(demand.rate.shortText); \(needed) would do")
  }
}

/// The most segments that one workload may take; beyond it a plan is a mistake in the demand, not a fleet.
enum SegmentLimit {
  static let perWorkload = 100_000

  static func refusal(_ workload: Workload, throughput: Double) -> Unserved {
    Unserved(
      workload: workload.id, code: .tooLarge,
      message: "\(workload.rate.shortText) requests/s need more than \(perWorkload) instances of "
        + "\(throughput.shortText) requests/s each; check the rate or split the workload")
  }
}

extension Market {
  /// How many segments each workload may still get beside those of a draft; nil where none has a limit. O(workloads + segments).
  func replicasLeft(_ draft: [DraftGPU]) -> [Int]? {
    guard input.workloads.contains(where: { $0.constraints.replicas?.most != nil }) else { return nil }
    var left = input.workloads.map { $0.constraints.replicas?.most ?? Int.max }
    for gpu in draft {
      for segment in gpu.segments where left[segment.workload] != .max { left[segment.workload] -= 1 }
    }
    return left.map { max(0, $0) }
  }
}
