/// Gives each GPU of a pool that lists its nodes one of them, in the order of the list, where it has none yet.
enum NodeFilling {
  /// `pools` are those that the GPUs' ``DraftGPU/home`` names. O(GPUs + nodes).
  static func run(_ draft: [DraftGPU], _ pools: [Pool]) -> [DraftGPU] {
    guard pools.contains(where: { !$0.nodes.isEmpty }) else { return draft }
    var left = pools.map { pool in Dictionary(pool.nodes.map { ($0.name, $0.count) }, uniquingKeysWith: +) }
    for gpu in draft {
      if let home = gpu.home, let node = gpu.node { left[home][node, default: 0] -= 1 }
    }
    var cursors = [Int](repeating: 0, count: pools.count)
    return draft.map { gpu in
      guard let home = gpu.home, gpu.node == nil else { return gpu }
      let nodes = pools[home].nodes
      while cursors[home] < nodes.count, left[home][nodes[cursors[home]].name, default: 0] <= 0 { cursors[home] += 1 }
      guard cursors[home] < nodes.count else { return gpu }
      var placed = gpu
      placed.node = nodes[cursors[home]].name
      left[home][nodes[cursors[home]].name, default: 0] -= 1
      return placed
    }
  }
}
