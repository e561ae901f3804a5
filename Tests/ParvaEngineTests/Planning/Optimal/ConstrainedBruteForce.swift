import ParvaEngine

/// Least cost under spread and tenants, by trying every content of every GPU; for very small demands.
///
/// GPUs are filled one after the other, node by node where nodes are known, with any set of instances that fits; a state
/// is what each workload still lacks and which domains it holds.
enum ConstrainedBruteForce {
  private struct State: Hashable {
    /// Requests per second still to be covered, per workload; at most 0 when done.
    var rest: [Double]
    /// Failure domains held, per workload, no more than it wants.
    var domains: [Int]
    var onNode: [Bool]
  }

  private struct Content: Hashable {
    /// Instances per workload and kind: (workload, profile) pairs.
    var capacity: [Double]
    var present: [Bool]
  }

  /// Least cost or nil when the stock cannot hold the demand.
  static func leastCost(_ input: PlanningInput) -> Double? {
    let workloads = input.workloads
    let start = State(
      rest: workloads.map { $0.rate * (1 - 1e-9) }, domains: workloads.map { _ in 0 },
      onNode: workloads.map { _ in false })
    // Cheapest way to each state after the bins so far; a bin is a node, or a pool without nodes.
    var frontier: [State: Double] = [start: 0]
    for pool in input.pools {
      let contents = contents(input, pool)
      let weight = weight(pool, input)
      let bins = pool.nodes.isEmpty ? [pool.count ?? 12] : pool.nodes.map(\.count)
      for room in bins {
        for state in frontier.keys where state.onNode.contains(true) {
          guard let spent = frontier.removeValue(forKey: state) else { continue }
          var fresh = state
          fresh.onNode = workloads.map { _ in false }
          frontier[fresh] = min(frontier[fresh] ?? .infinity, spent)
        }
        var layer = frontier
        for _ in 0..<room {
          var next: [State: Double] = [:]
          for (state, spent) in layer {
            for content in contents {
              guard let after = add(content, to: state, workloads) else { continue }
              let cost = spent + weight
              if cost < min(next[after] ?? .infinity, frontier[after] ?? .infinity) { next[after] = cost }
            }
          }
          guard !next.isEmpty else { break }
          for (state, cost) in next { frontier[state] = min(frontier[state] ?? .infinity, cost) }
          layer = next
        }
      }
    }
    return frontier.filter { state, _ in
      zip(workloads.indices, state.rest).allSatisfy { index, rest in
        rest <= 0 && state.domains[index] >= workloads[index].constraints.spread?.atLeast ?? 0
      }
    }.map(\.value).min()
  }

  private static func weight(_ pool: Pool, _ input: PlanningInput) -> Double {
    input.options.objective.weight(of: pool) ?? 1
  }

  /// Nil where the GPU would bring nothing.
  private static func add(_ content: Content, to state: State, _ workloads: [Workload]) -> State? {
    var next = state
    var isUseful = false
    for index in workloads.indices where content.present[index] {
      if next.rest[index] > 0 { isUseful = true }
      next.rest[index] = max(0, next.rest[index] - content.capacity[index])
      guard let spread = workloads[index].constraints.spread else { continue }
      if spread.over == .node {
        guard !next.onNode[index] else { continue }
        next.onNode[index] = true
      }
      if next.domains[index] < spread.atLeast {
        next.domains[index] += 1
        isUseful = true
      }
    }
    return isUseful ? next : nil
  }

  /// Everything that one GPU can hold, as what each workload gets from it; only what no other content beats.
  private static func contents(_ input: PlanningInput, _ pool: Pool) -> [Content] {
    let index = input.pools.firstIndex { $0.name == pool.name } ?? 0
    let capacities = input.workloads.map { BruteForce.capacities($0, input)[index] }
    var found: Set<Content> = []
    for set in CutTable(pool.product).maximalPlacements {
      var capacity = input.workloads.map { _ in 0.0 }
      var present = input.workloads.map { _ in false }
      func fill(_ place: Int) {
        guard place < set.count else {
          if present.contains(true) { found.insert(Content(capacity: capacity, present: present)) }
          return
        }
        fill(place + 1)
        for workload in input.workloads.indices {
          guard let more = capacities[workload][set[place].profile],
            input.workloads.indices.allSatisfy({
              !present[$0] || input.workloads[$0].tenant == input.workloads[workload].tenant
            })
          else { continue }
          let before = (capacity[workload], present[workload])
          capacity[workload] += more
          present[workload] = true
          fill(place + 1)
          (capacity[workload], present[workload]) = before
        }
      }
      fill(0)
    }
    return found.filter { content in
      !found.contains { other in
        other != content && zip(content.capacity, other.capacity).allSatisfy { $0 <= $1 }
          && zip(content.present, other.present).allSatisfy { !$0 || $1 }
      }
    }
  }
}
