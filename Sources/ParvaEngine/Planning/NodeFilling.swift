/// Gives each GPU of a pool that lists its nodes one of them, in the order of the list, where it has none yet.
enum NodeFilling {
  /// O(GPUs + nodes).
  static func run(_ draft: [DraftGPU], _ pools: [Pool]) -> [DraftGPU] {
    guard pools.contains(where: { !$0.nodes.isEmpty }) else { return draft }
    var left = pools.map { pool in Dictionary(uniqueKeysWithValues: pool.nodes.map { ($0.name, $0.count) }) }
    for gpu in draft {
      if let node = gpu.node { left[gpu.pool][node, default: 0] -= 1 }
    }
    var cursors = [Int](repeating: 0, count: pools.count)
    return draft.map { gpu in
      let nodes = pools[gpu.pool].nodes
      guard gpu.node == nil else { return gpu }
      while cursors[gpu.pool] < nodes.count, left[gpu.pool][nodes[cursors[gpu.pool]].name, default: 0] <= 0 {
        cursors[gpu.pool] += 1
      }
      guard cursors[gpu.pool] < nodes.count else { return gpu }
      let node = nodes[cursors[gpu.pool]].name
      left[gpu.pool][node, default: 0] -= 1
      return DraftGPU(pool: gpu.pool, node: node, segments: gpu.segments)
    }
  }
}
