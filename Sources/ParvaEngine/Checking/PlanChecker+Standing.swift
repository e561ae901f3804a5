extension PlanChecker {
  /// Shares of its capacity that a segment is tried with, the largest first.
  private static let shares = [1, 0.75, 0.5, 0.25]

  /// What each segment may be given of its capacity under the demand and the profiles as they are now, by GPU: the largest of
  /// all, three, two and one quarters of it that is admitted still, and 0 where none is, the model is another or nobody asks for it.
  ///
  /// - Complexity: O(segments) beside what the rule takes to judge each four times at most.
  package static func admitted(_ gpus: [PlannedGPU], against input: PlanningInput) -> [[Double]] {
    let workloads = Dictionary(input.workloads.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    var admitted = gpus.map { $0.segments.map { _ in 0.0 } }
    var open: [(gpu: Int, segment: Int, claim: CapacityClaim)] = []
    for (index, gpu) in gpus.enumerated() {
      for (place, segment) in gpu.segments.enumerated() {
        guard let workload = workloads[segment.workload], workload.model == segment.model,
          segment.processes <= input.options.maxProcesses
        else { continue }
        var unused: [PlanViolation] = []
        guard let claim = checkPoint(segment, workload, gpu.product, index, input, &unused) else { continue }
        open.append((index, place, claim))
      }
    }
    let judge = input.options.admission.judge(input)
    for share in shares where !open.isEmpty {
      let claims = open.map { entry in
        var claim = entry.claim
        claim.capacity *= share
        return claim
      }
      let faults = judge.faults(claims, .serial)
      for (index, entry) in open.enumerated() where faults[index] == nil {
        admitted[entry.gpu][entry.segment] = claims[index].capacity
      }
      open = open.indices.filter { faults[$0] != nil }.map { open[$0] }
    }
    return admitted
  }
}
