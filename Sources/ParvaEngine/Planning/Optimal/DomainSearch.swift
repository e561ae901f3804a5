/// Search to the end for few workloads of which some must survive the loss of domains: GPU by GPU and node by node, with every
/// choice of what a GPU holds.
///
/// Where each instance stands decides how many are needed, so unlike ``SpreadSearch`` it is not given covers.
struct DomainSearch {
  struct Result {
    /// The cheapest layout below the ceiling, where there is one.
    var layout: [SpreadLayout.GPU]?
    var cost: Double
    /// Whether nothing cheaper was left out.
    var isComplete: Bool
  }

  private struct Bin {
    var pool: Int
    var node: String?
    var room: Int
  }

  /// What one GPU can hold.
  private struct Content {
    var slots: [SpreadLayout.Slot]
    /// Per workload.
    var capacity: [Double]
    var count: [Int]
  }

  /// What stands so far.
  private struct State {
    /// Per workload the capacities of its domains; of one over nodes, the node that is being filled is the last.
    var domains: [[Double]]
    var sum: [Double]
    var count: [Int]
    /// Whether the last domain is the node that is being filled.
    var isOpen: [Bool]
  }

  static let workloadLimit = 6
  private static let contentLimit = 3000

  private let model: PriceModel
  private let context: PlanningContext
  private let needed: [Double]
  private let rules: [CoverRule]
  private let overNode: [Bool]
  private let bins: [Bin]
  private var contents: [[Content]] = []
  /// Per price vector and workload the least price of a request per second, and of an instance.
  private var ratios: [[Double]] = []
  private var cheapest: [[Double]] = []
  private var steps: Int
  private var ceiling: Double
  private var built: [SpreadLayout.GPU] = []
  private var best: (layout: [SpreadLayout.GPU], cost: Double)?
  private var isCut = false

  /// Nil for more than it can search. `prices` are legal with `stockPrices`; what is found costs at most `ceiling`.
  init?(_ model: PriceModel, _ ascent: PriceAscent, ceiling: Double, steps: Int, _ context: PlanningContext) {
    guard model.rates.count <= Self.workloadLimit, ceiling < .infinity else { return nil }
    self.model = model
    self.context = context
    self.steps = steps
    self.ceiling = ceiling
    needed = model.rates.map { $0 * (1 - CoverSolver.slack) }
    rules = model.rates.indices.map(model.rule)
    overNode = model.rates.indices.map { model.spreads[$0]?.over == .node }
    let byNode = overNode.contains(true)
    bins = model.pools.indices.flatMap { pool -> [Bin] in
      let side = model.pools[pool]
      let stock = min(side.stock ?? .max, Int(min(ceiling / side.weight + 1e-9, 1e6)))
      guard byNode, !side.nodes.isEmpty else { return [Bin(pool: pool, node: nil, room: stock)] }
      return side.nodes.map { Bin(pool: pool, node: $0.name, room: min($0.count, stock)) }
    }
    // The walk from node to node takes each for a domain of its own, and fills each pool by itself.
    let names = bins.compactMap(\.node)
    guard Set(names).count == names.count,
      model.pools.allSatisfy({ side in
        !byNode || side.nodes.isEmpty || side.nodes.reduce(0) { $0 + $1.count } <= side.stock ?? .max
      })
    else { return nil }
    for pool in model.pools.indices {
      guard let own = contents(of: pool) else { return nil }
      contents.append(own)
    }
    let slices = model.pools.flatMap { pool in
      pool.table.kinds.map {
        pool.weight * Double(pool.table.product.profiles[$0].computeSlices) / Double(pool.table.product.computeSlices)
      }
    }
    var scaled = ascent.prices
    for (pool, stockPrice) in zip(model.pools, ascent.stockPrices) {
      for column in pool.columns { scaled[column] *= pool.weight / (pool.weight + stockPrice) }
    }
    for vector in [slices, scaled] {
      let rows = model.rates.indices.map { workload in
        model.columns.indices.compactMap { column -> (price: Double, capacity: Double)? in
          let capacity = model.capacities[workload * model.columns.count + column]
          return capacity > 0 ? (vector[column], capacity) : nil
        }
      }
      ratios.append(rows.map { $0.map { $0.price / $0.capacity }.min() ?? .infinity })
      cheapest.append(rows.map { $0.map(\.price).min() ?? .infinity })
    }
    contents = contents.map { own in
      own.map { (worth: worth($0), content: $0) }.sorted { a, b in
        a.worth != b.worth ? a.worth > b.worth : a.content.count.lexicographicallyPrecedes(b.content.count)
      }.map(\.content)
    }
  }

  mutating func run() -> Result {
    let count = model.rates.count
    descend(
      State(
        domains: [[Double]](repeating: [], count: count), sum: [Double](repeating: 0, count: count),
        count: [Int](repeating: 0, count: count), isOpen: [Bool](repeating: false, count: count)),
      bin: 0, room: bins.first?.room ?? 0, from: 0, spent: 0)
    return Result(layout: best?.layout, cost: best?.cost ?? .infinity, isComplete: !isCut)
  }

  private func worth(_ content: Content) -> Double {
    model.rates.indices.reduce(0) { $0 + min(content.capacity[$1], needed[$1]) * (ratios.last?[$1] ?? 0) }
  }

  // MARK: - Walk

  private mutating func descend(_ state: State, bin: Int, room: Int, from: Int, spent: Double) {
    if isDone(state) {
      best = (built, spent)
      ceiling = spent - 1e-9
      return
    }
    guard bin < bins.count, !isCut else { return }
    let pool = bins[bin].pool
    if room > 0, spent + model.pools[pool].weight <= ceiling + 1e-9 {
      for index in from..<contents[pool].count {
        steps -= 1
        if steps <= 0 || steps % 256 == 0 && context.shouldStop() { isCut = true }
        guard !isCut else { return }
        let content = contents[pool][index]
        guard isUseful(content, state), let next = after(content, state) else { continue }
        let cost = spent + model.pools[pool].weight
        guard cost <= ceiling + 1e-9,
          cost + least(next, bin: bin, room: room - 1, budget: ceiling - cost) <= ceiling + 1e-9
        else { continue }
        built.append(SpreadLayout.GPU(pool: pool, node: bins[bin].node, slots: content.slots))
        descend(next, bin: bin, room: room - 1, from: index, spent: cost)
        built.removeLast()
      }
    }
    guard bin + 1 < bins.count else { return }
    var closed = state
    for workload in closed.isOpen.indices { closed.isOpen[workload] = false }
    guard spent + least(closed, bin: bin + 1, room: bins[bin + 1].room, budget: ceiling - spent) <= ceiling + 1e-9
    else {
      return
    }
    descend(closed, bin: bin + 1, room: bins[bin + 1].room, from: 0, spent: spent)
  }

  private func carried(_ workload: Int, _ state: State) -> Double {
    let losses = rules[workload].losses
    guard losses > 0 else { return state.sum[workload] }
    return Survival(over: .gpu, losses: losses).remainder(of: state.domains[workload])
  }

  private func isSatisfied(_ workload: Int, _ state: State) -> Bool {
    carried(workload, state) >= needed[workload] && state.count[workload] >= rules[workload].atLeast
      && state.domains[workload].count >= model.spreads[workload]?.atLeast ?? 1
  }

  private func isDone(_ state: State) -> Bool { model.rates.indices.allSatisfy { isSatisfied($0, state) } }

  private func isUseful(_ content: Content, _ state: State) -> Bool {
    model.rates.indices.contains { content.count[$0] > 0 && !isSatisfied($0, state) }
  }

  private func after(_ content: Content, _ state: State) -> State? {
    var next = state
    for workload in content.count.indices where content.count[workload] > 0 {
      next.count[workload] += content.count[workload]
      guard next.count[workload] <= rules[workload].atMost else { return nil }
      next.sum[workload] += content.capacity[workload]
      if overNode[workload], next.isOpen[workload] {
        next.domains[workload][next.domains[workload].count - 1] += content.capacity[workload]
      } else {
        next.domains[workload].append(content.capacity[workload])
        next.isOpen[workload] = overNode[workload]
      }
    }
    return next
  }

  /// What is still to be spent at least.
  private func least(_ state: State, bin: Int, room: Int, budget: Double) -> Double {
    var sums = ratios.map { _ in 0.0 }
    var gpus = 0.0
    let cheapestGPU = bins[bin...].map { model.pools[$0.pool].weight }.min() ?? 0
    let affordable = Int(min(max(0, budget) / cheapestGPU + 1e-9, 1e6))
    let there = room + bins[(bin + 1)...].reduce(0) { $0 + $1.room }
    for workload in model.rates.indices {
      let rule = rules[workload]
      var lacking = max(0, needed[workload] - carried(workload, state))
      if rule.losses > 0 {
        let more =
          overNode[workload] ? min(affordable, bins.count - bin) : min(affordable, there)
        let most = state.domains[workload].count + more
        guard most > rule.losses else { return .infinity }
        let whole = needed[workload] * Double(most) / Double(most - rule.losses)
        if lacking > 0 { lacking = max(lacking, whole - state.sum[workload]) }
      }
      let count = Double(max(0, rule.atLeast - state.count[workload]))
      for vector in ratios.indices {
        sums[vector] += max(lacking > 0 ? lacking * ratios[vector][workload] : 0, count * cheapest[vector][workload])
      }
      let domains = (model.spreads[workload]?.atLeast ?? 1) - state.domains[workload].count
      gpus = max(gpus, Double(max(0, domains)) * cheapestGPU)
      if lacking > 0 { gpus = max(gpus, cheapestGPU) }
    }
    return max(sums.max() ?? 0, gpus) * (1 - 1e-12)
  }

  // MARK: - Contents of one GPU

  /// Every way to fill a GPU of a pool that no other beats; nil where there are too many.
  private func contents(of pool: Int) -> [Content]? {
    let side = model.pools[pool]
    let width = model.columns.count
    let limited = rules.contains { $0.atMost != .max }
    var found: [[Int]: Content] = [:]
    for cut in side.table.maximalCuts {
      // Per slot of the cut, those who may have it; kinds alike are split by number.
      var partial: [[Int]] = [[]]
      for (kind, column) in side.columns.enumerated() {
        let users = model.rates.indices.filter { model.capacities[$0 * width + column] > 0 }
        let splits = Self.splits(cut.counts[kind], users.count, mayLeave: limited || users.isEmpty)
        guard partial.count * splits.count <= 4 * Self.contentLimit else { return nil }
        let spread = splits.map { split -> [Int] in
          var counts = [Int](repeating: 0, count: model.rates.count)
          for (user, count) in zip(users, split) { counts[user] = count }
          return counts
        }
        partial = partial.flatMap { head in spread.map { head + $0 } }
      }
      for counts in partial where counts.contains(where: { $0 > 0 }) && found[counts] == nil {
        found[counts] = content(counts, cut, side)
      }
      guard found.count <= 4 * Self.contentLimit else { return nil }
    }
    let all = found.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    guard all.count <= Self.contentLimit else { return nil }
    return all.enumerated().filter { index, one in
      !all.enumerated().contains { other, rival in other != index && beats(rival, one, isFirst: other < index) }
    }.map(\.element)
  }

  /// Whether one content does for everybody what the other does.
  private func beats(_ a: Content, _ b: Content, isFirst: Bool) -> Bool {
    var isMore = isFirst
    for workload in model.rates.indices {
      guard a.capacity[workload] >= b.capacity[workload] else { return false }
      if a.capacity[workload] > b.capacity[workload] { isMore = true }
      if rules[workload].atMost != .max {
        guard a.count[workload] <= b.count[workload] else { return false }
        if a.count[workload] < b.count[workload] { isMore = true }
      }
      if rules[workload].atLeast > model.spreads[workload]?.atLeast ?? 1 {
        guard a.count[workload] >= b.count[workload] else { return false }
        if a.count[workload] > b.count[workload] { isMore = true }
      }
    }
    return isMore
  }

  /// Ways to share out some slots among users; all of them, unless some may be left.
  private static func splits(_ slots: Int, _ users: Int, mayLeave: Bool) -> [[Int]] {
    guard users > 0 else { return [[]] }
    var found: [[Int]] = []
    func extend(_ chosen: [Int], _ free: Int) {
      guard chosen.count < users else {
        if free == 0 || mayLeave { found.append(chosen) }
        return
      }
      for count in 0...free { extend(chosen + [count], free - count) }
    }
    extend([], slots)
    return found
  }

  private func content(_ counts: [Int], _ cut: Cut, _ side: PriceModel.PoolSide) -> Content {
    let users = model.rates.count
    var left = counts
    var content = Content(
      slots: [], capacity: [Double](repeating: 0, count: users), count: [Int](repeating: 0, count: users))
    for placement in cut.placements {
      guard let kind = side.table.kinds.firstIndex(of: placement.profile),
        let user = (0..<users).first(where: { left[kind * users + $0] > 0 })
      else { continue }
      left[kind * users + user] -= 1
      let column = side.columns.lowerBound + kind
      content.slots.append(SpreadLayout.Slot(start: placement.start, column: column, workload: user))
      content.capacity[user] += model.capacities[user * model.columns.count + column]
      content.count[user] += 1
    }
    return content
  }
}
