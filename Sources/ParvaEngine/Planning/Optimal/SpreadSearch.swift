/// Exhaustive search for a layout that keeps every spread, for given covers and a ceiling of cost: GPU by GPU, node by
/// node, with every choice of what the GPU holds. Only for a few workloads and GPUs.
struct SpreadSearch {
  enum Answer {
    case found(SpreadLayout)
    case impossible
    case unknown
  }

  private struct Bin {
    var pool: Int
    var node: String?
    var room: Int
  }

  /// What decides whether the search can succeed from here on.
  private struct State: Hashable {
    /// Instances left, per spread workload and then for all others together, each by column.
    var left: [Int]
    /// Domains held so far per spread workload.
    var held: [Int]
    /// Whether the workload stands on the current node.
    var onNode: [Bool]
    var bin: Int
    var room: Int
  }

  private static let nodeLimit = 30_000

  /// Most ways to fill one GPU that are looked at.
  private static let contentLimit = 4000

  private let context: PlanningContext
  private let model: PriceModel
  private let ceiling: Double
  private let workloads: [Int]
  private let width: Int
  private let bins: [Bin]
  private let covers: [Int32]
  /// Least cost at which a state is known to fail.
  private var failed: [State: Double] = [:]
  private var nodes = 0
  private var built: [SpreadLayout.GPU] = []

  init(_ assignment: CoverAssignment, _ model: PriceModel, ceiling: Double, _ context: PlanningContext) {
    self.context = context
    self.model = model
    self.ceiling = ceiling
    width = model.columns.count
    workloads = model.spreads.keys.sorted()
    covers = assignment.covers
    let byNode = model.spreads.values.contains { $0.over == .node }
    bins = model.pools.indices.flatMap { pool -> [Bin] in
      let side = model.pools[pool]
      let stock = min(side.stock ?? .max, Int(ceiling / side.weight + 1e-9))
      guard byNode, !side.nodes.isEmpty else { return [Bin(pool: pool, node: nil, room: stock)] }
      return side.nodes.map { Bin(pool: pool, node: $0.name, room: min($0.count, stock)) }
    }
  }

  mutating func run() -> Answer {
    // The walk from node to node takes each for a domain of its own.
    let names = bins.compactMap(\.node)
    guard Set(names).count == names.count else { return .unknown }
    var left = [Int](repeating: 0, count: (workloads.count + 1) * width)
    for workload in model.rates.indices {
      let row = (workloads.firstIndex(of: workload) ?? workloads.count) * width
      for column in 0..<width { left[row + column] += Int(covers[workload * width + column]) }
    }
    let start = State(
      left: left, held: workloads.map { _ in 0 }, onNode: workloads.map { _ in false }, bin: 0, room: bins[0].room)
    if descend(start, 0) { return .found(SpreadLayout(named(), model)) }
    return nodes < SpreadSearch.nodeLimit ? .impossible : .unknown
  }

  private mutating func descend(_ state: State, _ spent: Double) -> Bool {
    guard state.left.contains(where: { $0 > 0 }) else {
      return zip(workloads, state.held).allSatisfy { (model.spreads[$0]?.atLeast ?? 1) <= $1 }
    }
    guard nodes < SpreadSearch.nodeLimit, spent < failed[state] ?? .infinity, spent + least(state) <= ceiling + 1e-9
    else { return false }
    nodes += 1
    if nodes % 16 == 0, context.shouldStop() { nodes = SpreadSearch.nodeLimit }
    let bin = bins[state.bin]
    if state.room > 0, spent + model.pools[bin.pool].weight <= ceiling + 1e-9 {
      for content in contents(state, bin.pool) {
        built.append(SpreadLayout.GPU(pool: bin.pool, node: bin.node, slots: content))
        if descend(after(content, state), spent + model.pools[bin.pool].weight) { return true }
        built.removeLast()
      }
    }
    if state.bin + 1 < bins.count {
      var next = state
      next.bin += 1
      next.room = bins[next.bin].room
      next.onNode = workloads.map { _ in false }
      if descend(next, spent) { return true }
    }
    if nodes < SpreadSearch.nodeLimit { failed[state] = min(failed[state] ?? .infinity, spent) }
    return false
  }

  /// What the instances left cost at least: compute slices are legal prices.
  private func least(_ state: State) -> Double {
    var worth = 0.0
    for pool in model.pools {
      let product = pool.table.product
      for (kind, column) in pool.columns.enumerated() {
        let slices = Double(product.profiles[pool.table.kinds[kind]].computeSlices) / Double(product.computeSlices)
        for row in 0...workloads.count { worth += Double(state.left[row * width + column]) * slices * pool.weight }
      }
    }
    return worth
  }

  private func after(_ content: [SpreadLayout.Slot], _ state: State) -> State {
    var next = state
    next.room -= 1
    var here: Set<Int> = []
    for slot in content {
      // Slots name the row of the state, not yet a workload.
      let row = slot.workload ?? workloads.count
      next.left[row * width + slot.column] -= 1
      here.insert(row)
    }
    for row in here where row < workloads.count {
      if model.spreads[workloads[row]]?.over == .node {
        if !next.onNode[row] { next.held[row] += 1 }
        next.onNode[row] = true
      } else {
        next.held[row] += 1
      }
      next.held[row] = min(next.held[row], model.spreads[workloads[row]]?.atLeast ?? 1)
    }
    return next
  }

  // MARK: - Contents of one GPU

  /// Every way to fill a GPU: the spread workloads take any of the slots of a cut, the others all that is left of them.
  /// Beyond the limit the search is over, with nothing shown.
  private mutating func contents(_ state: State, _ pool: Int) -> [[SpreadLayout.Slot]] {
    let side = model.pools[pool]
    var seen: Set<[Int]> = []
    var found: [[SpreadLayout.Slot]] = []
    for cut in side.table.maximalCuts {
      // Per kind: all splits of its slots among the rows of the state.
      var partial: [[Int]] = [[]]
      for (kind, column) in side.columns.enumerated() {
        let splits = splits(cut.counts[kind], column, state)
        guard partial.count * splits.count <= SpreadSearch.contentLimit else {
          nodes = SpreadSearch.nodeLimit
          return found
        }
        partial = partial.flatMap { head in splits.map { head + $0 } }
      }
      for counts in partial where counts.contains(where: { $0 > 0 }) && seen.insert(counts).inserted {
        found.append(slots(counts, cut, side))
      }
    }
    return found
  }

  private func splits(_ slots: Int, _ column: Int, _ state: State) -> [[Int]] {
    var found: [[Int]] = []
    func extend(_ chosen: [Int], _ free: Int) {
      guard found.count <= SpreadSearch.contentLimit else { return }
      guard chosen.count < workloads.count else {
        found.append(chosen + [min(free, state.left[workloads.count * width + column])])
        return
      }
      for count in (0...min(free, state.left[chosen.count * width + column])).reversed() {
        extend(chosen + [count], free - count)
      }
    }
    extend([], slots)
    return found
  }

  private func slots(_ counts: [Int], _ cut: Cut, _ side: PriceModel.PoolSide) -> [SpreadLayout.Slot] {
    let rows = workloads.count + 1
    var left = counts
    return cut.placements.compactMap { placement in
      guard let kind = side.table.kinds.firstIndex(of: placement.profile),
        let row = (0..<rows).first(where: { left[kind * rows + $0] > 0 })
      else { return nil }
      left[kind * rows + row] -= 1
      return SpreadLayout.Slot(start: placement.start, column: side.columns.lowerBound + kind, workload: row)
    }
  }

  /// The GPUs built, with rows turned into workloads; the others take their instances in order.
  private func named() -> [SpreadLayout.GPU] {
    var waiting = [[Int]](repeating: [], count: width)
    for workload in model.rates.indices where model.spreads[workload] == nil {
      for column in 0..<width {
        waiting[column] += [Int](repeating: workload, count: Int(covers[workload * width + column]))
      }
    }
    return built.map { gpu in
      var gpu = gpu
      for slot in gpu.slots.indices {
        let row = gpu.slots[slot].workload ?? workloads.count
        let column = gpu.slots[slot].column
        gpu.slots[slot].workload = row < workloads.count ? workloads[row] : waiting[column].removeFirst()
      }
      return gpu
    }
  }
}
