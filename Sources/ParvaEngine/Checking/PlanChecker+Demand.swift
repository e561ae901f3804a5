extension PlanChecker {
  static func checkPools(_ plan: Plan, _ input: PlanningInput, _ found: inout [PlanViolation]) {
    let pools = Dictionary(input.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var used: [String: Int] = [:]
    for (index, gpu) in plan.gpus.enumerated() {
      used[gpu.pool, default: 0] += 1
      guard let pool = pools[gpu.pool] else {
        found.append(PlanViolation(.unknownPool, gpu: index, "there is no pool \(gpu.pool)"))
        continue
      }
      if pool.product.name != gpu.product.name {
        found.append(
          PlanViolation(
            .wrongProduct, gpu: index, "pool \(pool.name) holds \(pool.product.name), not \(gpu.product.name)"))
      }
    }
    for (name, count) in used.sorted(by: { $0.key < $1.key }) {
      if let stock = pools[name]?.count, count > stock {
        found.append(PlanViolation(.overStock, "\(count) GPUs of pool \(name), which has \(stock)"))
      }
    }
  }

  static func checkDemand(_ plan: Plan, _ input: PlanningInput, _ found: inout [PlanViolation]) {
    var demand: [String: (workload: Workload, capacity: Double, load: Double)] = [:]
    for workload in input.workloads { demand[workload.id] = (workload, 0, 0) }
    let admissions = CertifiedAdmissions(input)
    for (index, gpu) in plan.gpus.enumerated() {
      for segment in gpu.segments {
        guard let workload = demand[segment.workload]?.workload else {
          found.append(
            PlanViolation(
              .unknownWorkload, gpu: index, segment: segment.id, "workload \(segment.workload) is not in the demand"))
          continue
        }
        demand[segment.workload]?.capacity += segment.capacity
        demand[segment.workload]?.load += segment.load
        checkPoint(segment, workload, gpu.product, index, input, admissions, &found)
      }
    }
    let refused = Set(plan.unplaced.map(\.workload))
    let served = Dictionary(plan.partial.map { ($0.workload, $0.served) }, uniquingKeysWith: { first, _ in first })
    for workload in input.workloads where !refused.contains(workload.id) {
      guard let sums = demand[workload.id] else { continue }
      let rate = served[workload.id] ?? workload.rate
      if sums.capacity < rate * (1 - tolerance) {
        found.append(
          PlanViolation(
            .notCovered, workload: workload.id,
            "\(workload.id) is to get \(rate) requests/s and gets \(sums.capacity)"))
      } else if (sums.load - rate).magnitude > tolerance * rate {
        found.append(
          PlanViolation(
            .loadMismatch, workload: workload.id,
            "the loads of \(workload.id) add up to \(sums.load), its rate is \(rate)"))
      }
    }
    for refusal in plan.unplaced where demand[refusal.workload] == nil {
      found.append(
        PlanViolation(.unknownWorkload, workload: refusal.workload, "\(refusal.workload) is not in the demand"))
    }
  }

  /// Whether the segment is a point of its model's profile that the admission rule allows at this capacity.
  private static func checkPoint(
    _ segment: Segment, _ workload: Workload, _ product: GPUProduct, _ gpu: Int, _ input: PlanningInput,
    _ admissions: CertifiedAdmissions, _ found: inout [PlanViolation]
  ) {
    func report(_ code: PlanViolation.Code, _ message: String) {
      found.append(PlanViolation(code, gpu: gpu, segment: segment.id, workload: workload.id, message))
    }
    if segment.model != workload.model {
      report(.wrongModel, "the segment runs \(segment.model), the workload asks for \(workload.model)")
    }
    if segment.processes > input.options.maxProcesses {
      report(.tooManyProcesses, "\(segment.processes) processes, at most \(input.options.maxProcesses) are allowed")
    }
    let points = input.profiles.profile(model: workload.model, product: product.name)?.points ?? []
    guard
      let point = points.first(where: {
        $0.profile == segment.profile && $0.batch == segment.batch && $0.processes == segment.processes
      })
    else {
      report(
        .unknownPoint,
        "no profile point of \(workload.model) with batch \(segment.batch) and \(segment.processes) processes there")
      return
    }
    if !same(point.latencyMs, segment.latencyMs) {
      report(.wrongLatency, "latency \(segment.latencyMs) ms, the profile says \(point.latencyMs)")
    }
    switch input.options.admission {
    case .certified:
      let capacity =
        admissions.admission(workload, product)?.capacity(
          kind: segment.profile, batch: segment.batch, processes: segment.processes,
          sloLatencyMs: workload.sloLatencyMs) ?? 0
      if capacity == 0 {
        report(
          .sloMissed,
          "at no load does the point keep \(workload.percentile) of the requests within \(workload.sloLatencyMs) ms")
      } else if segment.capacity > capacity * (1 + tolerance) {
        report(
          .overCapacity,
          "capacity \(segment.capacity), and the SLO of \(workload.sloLatencyMs) ms is certified up to \(capacity)")
      }
    case .halfSLO:
      if point.latencyMs >= 0.45 * workload.sloLatencyMs {
        report(
          .sloMissed,
          "the batch takes \(point.latencyMs) ms, not below 0.45 x the SLO of \(workload.sloLatencyMs) ms")
      }
      if segment.capacity > point.throughput * (1 + tolerance) {
        report(.overCapacity, "capacity \(segment.capacity), the profile says \(point.throughput)")
      }
    }
  }
}
