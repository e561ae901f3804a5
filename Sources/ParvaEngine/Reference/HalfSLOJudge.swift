/// The published rule as it is written down (SC'24, section 3): a batch below 0.45 x SLO, and load up to the throughput.
struct HalfSLOJudge: CapacityJudge {
  func faults(_ claims: [CapacityClaim], _ context: PlanningContext) -> [CapacityFault?] {
    claims.map { claim in
      let (slo, point) = (claim.workload.sloLatencyMs, claim.point)
      if point.latencyMs >= 0.45 * slo {
        return .sloMissed("the batch takes \(point.latencyMs) ms, not below 0.45 x the SLO of \(slo) ms")
      }
      guard claim.capacity > point.throughput * (1 + 1e-6) else { return nil }
      return .overCapacity("capacity \(claim.capacity), the profile says \(point.throughput)")
    }
  }

  func most(_ workload: Workload, _ profile: ModelProfile, maxProcesses: Int) -> [Int: Double] {
    var most: [Int: Double] = [:]
    for point in profile.points
    where point.processes <= maxProcesses && point.latencyMs < 0.45 * workload.sloLatencyMs {
      most[point.profile] = max(most[point.profile] ?? 0, point.throughput)
    }
    return most
  }
}
