extension PlanChecker {
  /// Whether every workload stands where it wants to: allowed pools, enough failure domains, no strangers on its GPUs,
  /// and no node holding more GPUs than it has. O(segments + nodes).
  static func checkPlacement(_ plan: Plan, _ input: PlanningInput, _ found: inout [PlanViolation]) {
    checkNodes(plan, input, &found)
    let demand = Dictionary(input.workloads.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let pools = Dictionary(input.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var gpusOf: [String: Set<Int>] = [:]
    var nodesOf: [String: Set<String>] = [:]
    for (index, gpu) in plan.gpus.enumerated() {
      for segment in gpu.segments {
        gpusOf[segment.workload, default: []].insert(index)
        if let node = gpu.node { nodesOf[segment.workload, default: []].insert(node) }
        guard let rules = demand[segment.workload]?.constraints, rules != .none, let pool = pools[gpu.pool] else {
          continue
        }
        let productFits =
          (rules.products.isEmpty || rules.products.contains(pool.product.name))
          && !rules.excludeProducts.contains(pool.product.name)
        let poolFits =
          (rules.pools.isEmpty || rules.pools.contains(pool.name)) && !rules.excludePools.contains(pool.name)
        if !productFits || !poolFits {
          found.append(
            PlanViolation(
              .excludedPool, gpu: index, segment: segment.id, workload: segment.workload,
              "\(segment.workload) does not want pool \(pool.name) (\(pool.product.name))"))
        }
      }
      checkTenants(gpu, index, demand, &found)
    }
    for workload in input.workloads {
      guard let spread = workload.constraints.spread, let gpus = gpusOf[workload.id] else { continue }
      let domains = spread.over == .gpu ? gpus.count : nodesOf[workload.id, default: []].count
      if domains < spread.atLeast {
        found.append(
          PlanViolation(
            .notSpread, workload: workload.id,
            "\(workload.id) stands on \(domains) \(spread.over.rawValue)s, it wants at least \(spread.atLeast)"))
      }
    }
  }

  private static func checkTenants(
    _ gpu: PlannedGPU, _ index: Int, _ demand: [String: Workload], _ found: inout [PlanViolation]
  ) {
    func tenant(_ segment: Segment) -> [String] {
      guard let workload = demand[segment.workload], let key = workload.constraints.exclusive else { return [] }
      return [key, workload.labels[key] ?? ""]
    }
    guard let first = gpu.segments.first else { return }
    for segment in gpu.segments.dropFirst() where tenant(segment) != tenant(first) {
      found.append(
        PlanViolation(
          .sharedGPU, gpu: index, segment: segment.id, workload: segment.workload,
          "\(segment.workload) and \(first.workload) are of different tenants"))
    }
  }

  private static func checkNodes(_ plan: Plan, _ input: PlanningInput, _ found: inout [PlanViolation]) {
    for pool in input.pools where !pool.nodes.isEmpty {
      var left: [String: Int] = [:]
      for node in pool.nodes { left[node.name] = node.count }
      for (index, gpu) in plan.gpus.enumerated() where gpu.pool == pool.name {
        guard let node = gpu.node else { continue }
        guard let room = left[node] else {
          found.append(PlanViolation(.unknownNode, gpu: index, "pool \(pool.name) has no node \(node)"))
          continue
        }
        if room == 0 {
          found.append(PlanViolation(.overNode, gpu: index, "node \(node) has no more GPUs of pool \(pool.name)"))
        }
        left[node] = max(0, room - 1)
      }
    }
  }

  /// Partial service only for those who allow it, and below what they ask for.
  static func checkPartial(_ plan: Plan, _ input: PlanningInput, _ found: inout [PlanViolation]) {
    let demand = Dictionary(input.workloads.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    for service in plan.partial {
      guard let workload = demand[service.workload] else {
        found.append(
          PlanViolation(.unknownWorkload, workload: service.workload, "\(service.workload) is not in the demand"))
        continue
      }
      if !workload.allowsPartial {
        found.append(
          PlanViolation(.wrongPartial, workload: workload.id, "\(workload.id) does not allow partial service"))
      }
      if !same(service.demanded, workload.rate) || !(service.served > 0 && service.served < service.demanded) {
        found.append(
          PlanViolation(
            .wrongPartial, workload: workload.id,
            "\(service.served) of \(service.demanded) requests/s served, the workload asks for \(workload.rate)"))
      }
    }
  }
}
