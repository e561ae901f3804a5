extension Market {
  /// What a cover of the workload has to be. O(columns + nodes).
  func rule(_ workload: Int) -> CoverRule {
    let constraints = input.workloads[workload].constraints
    guard constraints.domains != nil || constraints.replicas != nil else { return .plain }
    var rule = CoverRule(
      atLeast: max(constraints.domains?.atLeast ?? 1, constraints.replicas?.least ?? 1),
      atMost: constraints.replicas?.most ?? .max, losses: constraints.survive?.losses ?? 0)
    if let survive = constraints.survive {
      let domains = domainCount(workload, survive.over)
      if domains != .max, domains > survive.losses {
        rule.whole = Double(domains) / Double(domains - survive.losses)
      }
    }
    return rule
  }

  /// Failure domains in the pools that can serve the workload; `Int.max` without a limit. O(columns + nodes).
  func domainCount(_ workload: Int, _ over: Spread.Domain) -> Int {
    let serving = input.pools.indices.filter { poolColumns[$0].contains { capacity(workload, $0) > 0 } }
    switch over {
    case .node:
      return Set(serving.flatMap { input.pools[$0].nodes.filter { $0.count > 0 }.map(\.name) }).count
    case .gpu:
      return serving.contains { input.pools[$0].count == nil }
        ? .max : serving.reduce(0) { $0 + (input.pools[$1].count ?? 0) }
    }
  }
}
