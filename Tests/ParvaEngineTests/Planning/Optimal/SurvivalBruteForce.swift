import ParvaEngine

/// Least cost where workloads survive losses and have numbers of replicas, by trying every content of every GPU of a stock; for
/// very small demands.
enum SurvivalBruteForce {
  private struct State: Hashable {
    /// Per workload what its domains carry, in thousandths, so that the order of sums does not matter; sorted but for the last,
    /// where that is the node being filled.
    var domains: [[Int]]
    var count: [Int]
    var isOpen: [Bool]
  }

  private struct Content: Hashable {
    var capacity: [Int]
    var count: [Int]
  }

  /// Nil when the stock cannot hold the demand.
  static func leastCost(_ input: PlanningInput) -> Double? {
    let workloads = input.workloads
    let empty = State(
      domains: workloads.map { _ in [] }, count: workloads.map { _ in 0 }, isOpen: workloads.map { _ in false })
    var frontier = [empty: 0.0]
    for pool in input.pools {
      let contents = contents(input, pool)
      let weight = input.options.objective.weight(of: pool) ?? 1
      for room in pool.nodes.isEmpty ? [pool.count ?? 0] : pool.nodes.map(\.count) {
        var closed: [State: Double] = [:]
        for (state, spent) in frontier {
          let state = close(state)
          closed[state] = min(closed[state] ?? .infinity, spent)
        }
        frontier = closed
        var layer = frontier
        for _ in 0..<room {
          var next: [State: Double] = [:]
          for (state, spent) in layer {
            for content in contents {
              let after = add(content, to: state, workloads)
              if spent + weight < next[after] ?? .infinity { next[after] = spent + weight }
            }
          }
          for (state, cost) in next { frontier[state] = min(frontier[state] ?? .infinity, cost) }
          layer = next
        }
      }
    }
    return frontier.filter { isServed(close($0.key), workloads) }.map(\.value).min()
  }

  private static func close(_ state: State) -> State {
    State(domains: state.domains.map { $0.sorted() }, count: state.count, isOpen: state.isOpen.map { _ in false })
  }

  private static func isServed(_ state: State, _ workloads: [Workload]) -> Bool {
    workloads.indices.allSatisfy { index in
      let rules = workloads[index].constraints
      let losses = rules.survive?.losses ?? 0
      let left = state.domains[index].dropLast(losses).reduce(0, +)
      return Double(left) >= workloads[index].rate * 1000 - 1
        && state.domains[index].count >= rules.spread?.atLeast ?? 0
        && rules.replicas?.allows(state.count[index]) ?? true
    }
  }

  private static func add(_ content: Content, to state: State, _ workloads: [Workload]) -> State {
    var next = state
    for index in workloads.indices where content.count[index] > 0 {
      next.count[index] += content.count[index]
      let over = workloads[index].constraints.survive?.over ?? workloads[index].constraints.spread?.over ?? .gpu
      if over == .node, next.isOpen[index] {
        next.domains[index][next.domains[index].count - 1] += content.capacity[index]
      } else if over == .node {
        next.domains[index].append(content.capacity[index])
        next.isOpen[index] = true
      } else {
        next.domains[index].append(content.capacity[index])
        next.domains[index].sort()
      }
    }
    return next
  }

  private static func contents(_ input: PlanningInput, _ pool: Pool) -> Set<Content> {
    let number = input.pools.firstIndex { $0.name == pool.name } ?? 0
    let capacities = input.workloads.map { BruteForce.capacities($0, input)[number] }
    var found: Set<Content> = []
    for set in CutTable(pool.product).maximalPlacements {
      var content = Content(capacity: input.workloads.map { _ in 0 }, count: input.workloads.map { _ in 0 })
      func fill(_ place: Int) {
        guard place < set.count else {
          if content.count.contains(where: { $0 > 0 }) { found.insert(content) }
          return
        }
        fill(place + 1)
        for workload in input.workloads.indices {
          guard let more = capacities[workload][set[place].profile] else { continue }
          let before = content
          content.capacity[workload] += Int((more * 1000).rounded())
          content.count[workload] += 1
          fill(place + 1)
          content = before
        }
      }
      fill(0)
    }
    // What gives everybody as much, and a free choice of replicas, is enough.
    return found.filter { content in
      !found.contains { other in
        other != content
          && input.workloads.indices.allSatisfy { index in
            let isLimited = input.workloads[index].constraints.replicas?.most != nil
            return other.capacity[index] >= content.capacity[index]
              && (isLimited ? other.count[index] == content.count[index] : other.count[index] >= content.count[index])
          }
      }
    }
  }
}
