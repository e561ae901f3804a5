/// Where the segments of one workload stand, to be judged by its replicas and by what it survives.
struct CheckedStanding {
  private var count = 0
  private var byGPU: [Int: Double] = [:]
  /// A GPU that names no node may stand on any, so all such are lost together.
  private var byNode: [String: Double] = [:]

  mutating func add(_ segment: Segment, on gpu: Int, node: String?) {
    count += 1
    byGPU[gpu, default: 0] += segment.capacity
    byNode[node ?? "", default: 0] += segment.capacity
  }

  /// O(domains log domains).
  func faults(_ workload: Workload, rate: Double) -> [PlanViolation] {
    var found: [PlanViolation] = []
    if let limits = workload.constraints.replicas {
      let most = limits.most.map { "at most \($0)" }
      if count < limits.least || count > limits.most ?? count {
        let wish = [limits.least > 1 ? "at least \(limits.least)" : nil, most].compactMap(\.self)
        found.append(
          PlanViolation(
            .wrongReplicas, workload: workload.id,
            "\(workload.id) has \(count) replica\(count == 1 ? "" : "s"), it wants \(wish.joined(separator: " and "))"))
      }
    }
    guard let survive = workload.constraints.survive else { return found }
    var carried = survive.over == .gpu ? Array(byGPU.values) : Array(byNode.values)
    // The worst that can happen: those that carry most are gone.
    for _ in 0..<survive.losses {
      guard let worst = carried.indices.max(by: { carried[$0] < carried[$1] }) else { break }
      carried.remove(at: worst)
    }
    let left = carried.reduce(0, +)
    if left < rate * (1 - PlanChecker.tolerance) {
      found.append(
        PlanViolation(
          .notSurviving, workload: workload.id,
          "without \(survive.losses) \(survive.over.rawValue)\(survive.losses == 1 ? "" : "s") \(workload.id) is left "
            + "with \(left) requests/s, it is to keep \(rate)"))
    }
    return found
  }
}
