/// Pools that no workload can tell apart, planned as one and shared out again.
///
/// Two pools are alike when they hold the same product at the same objective per GPU, and every workload may use both or
/// neither. Any plan on the one is a plan on the other, so a stock that is split into zones has the plans of the whole.
struct PoolClasses: Sendable {
  /// The pools as the input names them.
  let pools: [Pool]
  /// One pool for each class, in order of its first member.
  let merged: [Pool]
  /// Index into `merged` of each of `pools`.
  let classOf: [Int]
  /// Indices into `pools` per class, cheapest first.
  let members: [[Int]]

  private struct Kind: Hashable {
    var product: GPUProduct
    var weight: Double
    var hasNodes: Bool
    /// Whether each set of constraints allows it.
    var allowed: [Bool]
  }

  /// O(workloads + pools x different constraints).
  init(_ input: PlanningInput) {
    let rules = Set(input.workloads.lazy.map(\.constraints).filter { $0 != .none })
    let overNodes = rules.contains { $0.domains?.over == .node }
    let weights = input.weights
    // The rules come in no order, but all pools see them in the same.
    let ordered = Array(rules)
    var numbers: [Kind: Int] = [:]
    var members: [[Int]] = []
    var classOf: [Int] = []
    for (index, pool) in input.pools.enumerated() {
      let kind = Kind(
        product: pool.product, weight: weights[index], hasNodes: overNodes && !pool.nodes.isEmpty,
        allowed: ordered.map { $0.allows(pool) })
      let number = numbers[kind] ?? members.count
      if number == members.count {
        numbers[kind] = number
        members.append([])
      }
      members[number].append(index)
      classOf.append(number)
    }
    let pools = input.pools
    self.pools = pools
    self.classOf = classOf
    self.members = members.map { list in
      let cost = list.map { PlanObjective.cost.weight(of: pools[$0]) ?? .infinity }
      return zip(cost, list).sorted { $0 < $1 }.map(\.1)
    }
    merged = self.members.map { PoolClasses.merge($0.map { pools[$0] }, keepingNodes: overNodes) }
  }

  /// `members` come cheapest first. Nodes matter to a plan only where some workload is spread over them.
  private static func merge(_ members: [Pool], keepingNodes: Bool) -> Pool {
    guard members.count > 1 else { return members[0] }
    var whole = members[0]
    whole.name = members.map(\.name).joined(separator: " or ")
    whole.count = members.reduce(.some(0)) { sum, pool in sum.flatMap { sum in pool.count.map { sum + $0 } } }
    // Where a pool does not state the figure that counts, its weight is that of a pool that does.
    for pool in members { whole.figures.merge(pool.figures) { first, _ in first } }
    whole.nodes = []
    guard keepingNodes else { return whole }
    // A machine with GPUs in two of the pools is one machine.
    var places: [String: Int] = [:]
    for node in members.flatMap(\.nodes) {
      if let place = places[node.name] {
        whole.nodes[place].count += node.count
      } else {
        places[node.name] = whole.nodes.count
        whole.nodes.append(node)
      }
    }
    return whole
  }

  /// Gives each GPU of a draft over classes one of the pools of its class: the one it stands in already, then the
  /// cheapest with room. The draft is within the stock of the classes, on each node too. O(GPUs x members + nodes).
  func sharedOut(_ draft: [DraftGPU]) -> [DraftGPU] {
    guard members.contains(where: { $0.count > 1 }) else {
      return draft.map { gpu in
        var gpu = gpu
        gpu.home = members[gpu.pool][0]
        return gpu
      }
    }
    var left = pools.map { $0.count ?? .max }
    var nodes = pools.map { Dictionary($0.nodes.map { ($0.name, $0.count) }, uniquingKeysWith: +) }
    func take(_ index: Int, _ node: String?) {
      if left[index] != .max { left[index] -= 1 }
      if let node { nodes[index][node]? -= 1 }
    }
    var result = draft
    for gpu in draft { if let home = gpu.home { take(home, gpu.node) } }
    // Those that must stand on a certain node choose before those that may stand anywhere.
    for index in draft.indices where draft[index].home == nil && draft[index].node != nil {
      guard let node = draft[index].node else { continue }
      let own = members[draft[index].pool]
      let home = own.first { left[$0] > 0 && nodes[$0][node] ?? 0 > 0 } ?? own[0]
      result[index].home = home
      take(home, node)
    }
    for index in result.indices where result[index].home == nil {
      let own = members[result[index].pool]
      let home = own.first { left[$0] > 0 } ?? own[0]
      result[index].home = home
      take(home, nil)
    }
    return result
  }
}
