/// The GPUs that a solve may use, pool by pool, and how fast it must serve: the input's, or what others leave of it.
struct Supply: Sendable {
  /// Per pool of the market; nil without a limit.
  var counts: [Int?]
  /// Per pool of the market; empty where the nodes are not known.
  var nodes: [[PoolNode]]
  /// Rates to serve where they are not those of the demand, by workload.
  var rates: [Int: Double] = [:]

  init(_ input: PlanningInput) {
    counts = input.pools.map(\.count)
    nodes = input.pools.map(\.nodes)
  }

  /// What is left when some GPUs are taken.
  func without(_ taken: [DraftGPU], _ counted: [Int]) -> Supply {
    var rest = self
    for (pool, count) in counted.enumerated() { rest.counts[pool] = counts[pool].map { max(0, $0 - count) } }
    for gpu in taken {
      guard let index = rest.nodes[gpu.pool].firstIndex(where: { $0.name == gpu.node }) else { continue }
      rest.nodes[gpu.pool][index].count -= 1
    }
    return rest
  }
}
