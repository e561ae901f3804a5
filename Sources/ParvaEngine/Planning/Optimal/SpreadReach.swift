extension Market {
  /// Why a workload can never be spread as it asks, whatever else is served; nil where it can. O(columns + nodes).
  func spreadRefusal(_ workload: Int) -> Unserved? {
    let demand = input.workloads[workload]
    guard let spread = demand.constraints.spread else { return nil }
    let serving = input.pools.indices.filter { poolColumns[$0].contains { capacity(workload, $0) > 0 } }
    let domains: Int
    switch spread.over {
    case .node:
      domains = Set(serving.flatMap { input.pools[$0].nodes.filter { $0.count > 0 }.map(\.name) }).count
    case .gpu:
      domains =
        serving.contains { input.pools[$0].count == nil }
        ? .max : serving.reduce(0) { $0 + (input.pools[$1].count ?? 0) }
    }
    guard domains < spread.atLeast else { return nil }
    let unit = spread.over == .node ? "node" : "GPU"
    return Unserved(
      workload: demand.id, code: .spreadUnreachable,
      message:
        "the workload is to stand on \(spread.atLeast) \(unit)s, and the pools that can serve it have \(domains); "
        + "\(spread.atLeast - domains) more \(unit)\(spread.atLeast - domains == 1 ? "" : "s") would do")
  }
}
