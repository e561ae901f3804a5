/// Which constraints a planner honours; workloads that ask for more get no offers from its market and are refused.
enum ConstraintSupport: Sendable {
  /// Products and pools.
  case pools
  /// Spread and tenants too.
  case everything
}

extension Market {
  /// Takes away the offers of pools that a workload may not use, and all of what the planner does not honour.
  /// O(workloads x columns).
  mutating func applyConstraints() {
    for (index, workload) in input.workloads.enumerated() where workload.constraints != .none {
      let isHonoured = support == .everything || !workload.needsEveryConstraint
      for (pool, range) in poolColumns.enumerated() {
        let isAllowed = workload.constraints.allows(classes.pools[classes.members[pool][0]])
        guard !isHonoured || !isAllowed else { continue }
        for column in range { offers[index * columns.count + column] = .none }
      }
    }
  }

  /// Why a workload without any offer cannot be served, and what would be enough. O(points).
  func unserviceable(_ workload: Int) -> Unserved {
    let demand = input.workloads[workload]
    if support == .pools, demand.needsEveryConstraint {
      let isNewer = demand.constraints.survive != nil || demand.constraints.replicas != nil
      let unknown = isNewer ? "neither replicas nor survival" : "neither spread nor exclusive GPUs"
      return Unserved(
        workload: demand.id, code: .unsupportedConstraint,
        message: "this planner knows \(unknown); plan with \(PlannerNames.default)")
    }
    let allowed = classes.pools.filter(demand.constraints.allows)
    guard !allowed.isEmpty else {
      return Unserved(workload: demand.id, code: .excluded, message: exclusion(demand))
    }
    var reachable = input
    reachable.pools = allowed
    return Unserviceable.reason(demand, reachable)
  }

  private func exclusion(_ demand: Workload) -> String {
    let rules = demand.constraints
    let there = classes.pools.map { "\($0.name) (\($0.product.name))" }.joined(separator: ", ")
    var withoutNodes = rules
    (withoutNodes.spread, withoutNodes.survive) = (nil, nil)
    if rules.domains?.over == .node, classes.pools.contains(where: withoutNodes.allows) {
      let wish = rules.survive == nil ? "is to be spread over" : "is to survive the loss of"
      return "the workload \(wish) nodes, and no pool that it may use lists its nodes; add nodes to a pool"
    }
    return "the workload's placement leaves no pool; there are \(there), so allow one of them or add a pool"
  }
}

extension Workload {
  /// Whether it asks for more than a choice of pools.
  var needsEveryConstraint: Bool {
    constraints.domains != nil || constraints.replicas != nil || constraints.exclusive != nil
  }
}
