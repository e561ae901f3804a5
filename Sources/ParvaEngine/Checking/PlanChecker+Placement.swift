extension PlanChecker {
  /// Whether every workload stands where it wants to: allowed pools, enough failure domains, no strangers on its GPUs,
  /// and no node holding more GPUs than it has. O(segments + nodes).
  static func checkPlacement(
    _ plan: Plan, _ demand: CheckedDemand, _ input: PlanningInput, _ found: inout [PlanViolation]
  ) {
    checkNodes(plan, input, &found)
    guard demand.workloads.contains(where: { $0.constraints != .none }) else { return }
    let pools = Dictionary(input.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    // A node that nobody lists is a name and no place.
    let nodes = pools.mapValues { Set($0.nodes.map(\.name)) }
    var domains: [Int: (gpus: Set<Int>, nodes: Set<String>)] = [:]
    var standing: [Int: CheckedStanding] = [:]
    var first: (gpu: Int, segment: Segment, tenant: [String])?
    demand.forEach(plan) { index, segment, owner in
      let workload = owner.map { demand.workloads[$0] }
      let tenant = workload.map(Self.tenant) ?? []
      if let first, first.gpu == index {
        if tenant != first.tenant {
          found.append(
            PlanViolation(
              .sharedGPU, gpu: index, segment: segment.id, workload: segment.workload,
              "\(segment.workload) and \(first.segment.workload) are of different tenants"))
        }
      } else {
        first = (index, segment, tenant)
      }
      guard let owner, let rules = workload?.constraints, rules != .none else { return }
      let gpu = plan.gpus[index]
      let node = gpu.node.flatMap { nodes[gpu.pool]?.contains($0) == true ? $0 : nil }
      if rules.survive != nil || rules.replicas != nil {
        standing[owner, default: CheckedStanding()].add(segment, on: index, node: node)
      }
      if rules.spread != nil {
        domains[owner, default: ([], [])].gpus.insert(index)
        if let node { domains[owner, default: ([], [])].nodes.insert(node) }
      }
      guard let pool = pools[gpu.pool], !allows(rules, pool) else { return }
      found.append(
        PlanViolation(
          .excludedPool, gpu: index, segment: segment.id, workload: segment.workload,
          "\(segment.workload) does not want pool \(pool.name) (\(pool.product.name))"))
    }
    for (number, there) in standing.sorted(by: { $0.key < $1.key }) {
      let workload = demand.workloads[number]
      let rate = plan.partial.first { $0.workload == workload.id }?.served ?? workload.rate
      found += there.faults(workload, rate: rate)
    }
    for (number, workload) in demand.workloads.enumerated() {
      guard let spread = workload.constraints.spread, let there = domains[number] else { continue }
      let count = spread.over == .gpu ? there.gpus.count : there.nodes.count
      if count < spread.atLeast {
        found.append(
          PlanViolation(
            .notSpread, workload: workload.id,
            "\(workload.id) stands on \(count) \(spread.over.rawValue)s, it wants at least \(spread.atLeast)"))
      }
    }
  }

  private static func allows(_ rules: Constraints, _ pool: Pool) -> Bool {
    (rules.products.isEmpty || rules.products.contains(pool.product.name))
      && !rules.excludeProducts.contains(pool.product.name)
      && (rules.pools.isEmpty || rules.pools.contains(pool.name)) && !rules.excludePools.contains(pool.name)
  }

  /// Namespace, key and value of what a workload is exclusive by; empty for one that shares.
  static func tenant(_ workload: Workload) -> [String] {
    workload.constraints.exclusive.map { [workload.namespace, $0, workload.labels[$0] ?? ""] } ?? []
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
  static func checkPartial(_ plan: Plan, _ demand: CheckedDemand, _ found: inout [PlanViolation]) {
    for service in plan.partial {
      guard let workload = demand.number(of: service.workload).map({ demand.workloads[$0] }) else {
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
