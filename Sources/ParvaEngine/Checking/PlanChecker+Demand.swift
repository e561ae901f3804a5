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

  static func checkDemand(
    _ plan: Plan, _ demand: CheckedDemand, _ input: PlanningInput, _ found: inout [PlanViolation],
    _ context: PlanningContext
  ) {
    var capacity = [Double](repeating: 0, count: demand.workloads.count)
    var load = capacity
    var claims: [CapacityClaim] = []
    var claimants: [(gpu: Int, ordinal: Int)] = []
    demand.forEach(plan) { index, segment, owner in
      guard let owner else {
        found.append(
          PlanViolation(
            .unknownWorkload, gpu: index, segment: segment.id, "workload \(segment.workload) is not in the demand"))
        return
      }
      capacity[owner] += segment.capacity
      load[owner] += segment.load
      if let claim = checkPoint(
        segment, demand.workloads[owner], plan.gpus[index].product, index, input, &found)
      {
        claims.append(claim)
        claimants.append((index, segment.ordinal))
      }
    }
    for (index, fault) in input.options.admission.judge(input).faults(claims, context).enumerated() {
      let (code, message): (PlanViolation.Code, String)
      switch fault {
      case nil: continue
      case .sloMissed(let text): (code, message) = (.sloMissed, text)
      case .overCapacity(let text): (code, message) = (.overCapacity, text)
      }
      let (workload, claimant) = (claims[index].workload.id, claimants[index])
      found.append(
        PlanViolation(
          code, gpu: claimant.gpu, segment: "\(workload)/\(claimant.ordinal)", workload: workload, message))
    }
    let refused = Set(plan.unplaced.map(\.workload))
    let served = Dictionary(plan.partial.map { ($0.workload, $0.served) }, uniquingKeysWith: { first, _ in first })
    for (number, workload) in demand.workloads.enumerated() {
      guard refused.isEmpty || !refused.contains(workload.id) else { continue }
      let rate = (served.isEmpty ? nil : served[workload.id]) ?? workload.rate
      if capacity[number] < rate * (1 - tolerance) {
        found.append(
          PlanViolation(
            .notCovered, workload: workload.id,
            "\(workload.id) is to get \(rate) requests/s and gets \(capacity[number])"))
      } else if (load[number] - rate).magnitude > tolerance * rate {
        found.append(
          PlanViolation(
            .loadMismatch, workload: workload.id,
            "the loads of \(workload.id) add up to \(load[number]), its rate is \(rate)"))
      }
    }
    for refusal in plan.unplaced where demand.number(of: refusal.workload) == nil {
      found.append(
        PlanViolation(.unknownWorkload, workload: refusal.workload, "\(refusal.workload) is not in the demand"))
    }
  }

  /// What the segment claims of its model's profile; nil where that has no such point, or the capacity is no number.
  static func checkPoint(
    _ segment: Segment, _ workload: Workload, _ product: GPUProduct, _ gpu: Int, _ input: PlanningInput,
    _ found: inout [PlanViolation]
  ) -> CapacityClaim? {
    func report(_ code: PlanViolation.Code, _ message: String) {
      found.append(PlanViolation(code, gpu: gpu, segment: segment.id, workload: workload.id, message))
    }
    if segment.model != workload.model {
      report(.wrongModel, "the segment runs \(segment.model), the workload asks for \(workload.model)")
    }
    let most = workload.mostProcesses(input.options.maxProcesses)
    if segment.processes > most {
      report(.tooManyProcesses, "\(segment.processes) processes, at most \(most) are allowed")
    }
    guard let profile = input.profiles.profile(model: workload.model, product: product.name, for: workload.id),
      let point = profile.points.first(where: {
        $0.profile == segment.profile && $0.batch == segment.batch && $0.processes == segment.processes
      })
    else {
      report(
        .unknownPoint,
        "no profile point of \(workload.model) with batch \(segment.batch) and \(segment.processes) processes there")
      return nil
    }
    if !same(point.latencyMs, segment.latencyMs) {
      report(.wrongLatency, "latency \(segment.latencyMs) ms, the profile says \(point.latencyMs)")
    }
    guard segment.capacity.isFinite, segment.capacity > 0 else { return nil }
    return CapacityClaim(workload: workload, profile: profile, point: point, capacity: segment.capacity)
  }
}
