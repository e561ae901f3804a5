/// Branch and price: the least cost of covers and cuts together, with a proof.
///
/// Each node of the tree is a ``BranchMaster`` under bounds on the GPUs of a side, the uses of a cut and the instances of
/// a workload; its bound is that of the divisible plan over the true covers. The node with the least bound is split
/// next, at first by the numbers of GPUs, since they alone cost anything. Every divisible plan is also rounded to a real
/// one, and the best of those stands when the work that may be done is done.
struct BranchSearch {
  struct Result {
    /// Covers of all workloads, per model; nil where no plan below the cutoff was found.
    var assignments: [CoverAssignment]?
    var cost: Double
    /// No plan costs less.
    var bound: Double
    /// Whether the bound may go beyond what the prices of the first divisible plan prove.
    var isExhaustive: Bool
    /// Prices and stock prices of the first divisible plan, per model; empty where it was not finished.
    var prices: [(columns: [Double], stock: [Double])] = []
    /// Prices of the columns, per model, at which the covers may be worth more than all GPUs; empty where there is a divisible plan.
    var shortage: [[Double]] = []
  }

  private struct Node {
    var bound: Double
    var depth: Int
    var bounds: BranchMaster.Bounds
    var basis: BoundedProgram.Basis
  }

  private let problem: BranchProblem
  private let lattice: ObjectiveLattice
  private let context: PlanningContext
  private var master: BranchMaster
  private var rounding: BranchRounding
  private var open: [Node] = []
  /// The least bound of what was cut short.
  private var unresolved = Double.infinity
  private var best: (covers: [[Int32]], cost: Double)?
  /// Cost that a plan of interest stays below.
  private var incumbent: Double
  private let nodeLimit: Int
  private static let leastNodes = 12
  /// Whether any plan will do.
  private let isFirstEnough: Bool

  /// `known` is the cost of the plan in hand, infinite without one; `covers` are covers worth a start, by workload of
  /// the core.
  init(
    _ problem: BranchProblem, known: Double, ceiling: Double, covers: [[[Int32]]], lattice: ObjectiveLattice,
    nodeLimit: Int, isFirstEnough: Bool = false, _ context: PlanningContext
  ) {
    self.problem = problem
    self.lattice = lattice
    self.context = context
    self.nodeLimit = nodeLimit
    self.isFirstEnough = isFirstEnough
    incumbent = known
    master = BranchMaster(problem, cutoff: min(known, ceiling))
    rounding = BranchRounding(problem)
    for (item, list) in covers.enumerated() { for cover in list { _ = master.add(cover, to: item) } }
  }

  mutating func run() -> Result {
    let root = master.initialBounds
    master.apply(root)
    guard let bound = evaluate(parent: -.infinity) else {
      var result = finish(-.infinity)
      if best == nil { result.shortage = problem.models.indices.map { master.modelPrices($0).columns } }
      return result
    }
    let prices = problem.models.indices.map { master.modelPrices($0) }
    let first = bound
    push(root, bound, depth: 0)
    if !isDone { dive(root) }
    var nodes = 0
    while let node = popLeast() {
      guard !isHopeless(node.bound) else { continue }
      guard nodes < reach, !isDone, !context.shouldStop() else {
        unresolved = min(unresolved, node.bound)
        break
      }
      nodes += 1
      master.apply(node.bounds)
      master.restore(node.basis)
      guard case .bounded = master.relax(context) else {
        unresolved = min(unresolved, node.bound)
        continue
      }
      guard let children = split(node.bounds) else {
        // Nothing is divided any more: the plan of this node is whole, and rounding has taken it, unless spreads or
        // rounding errors stand in its way.
        if !isHopeless(node.bound) { unresolved = min(unresolved, node.bound) }
        continue
      }
      let basis = master.program.currentBasis
      for child in children {
        master.apply(child)
        master.restore(basis)
        if let bound = evaluate(parent: node.bound) { push(child, bound, depth: node.depth + 1) }
      }
      if nodes.nonzeroBitCount == 1, let next = open.max(by: { ($1.bound, $0.depth) < ($0.bound, $1.depth) }) {
        master.apply(next.bounds)
        master.restore(next.basis)
        if case .bounded = master.relax(context) { dive(next.bounds) }
      }
    }
    var result = finish(first)
    result.prices = prices
    return result
  }

  /// What stands when the search ends; `first` is what the first divisible plan proves.
  private func finish(_ first: Double) -> Result {
    let left = min(unresolved, open.map(\.bound).min() ?? .infinity)
    let bound = min(left, incumbent)
    return Result(
      assignments: best.map { problem.assignments($0.covers) }, cost: incumbent, bound: bound,
      isExhaustive: bound > first + 1e-9)
  }

  /// Bound of the bounds applied last, with a plan rounded from it; nil where there is no plan below the incumbent.
  /// `parent` holds where the work was cut short.
  private mutating func evaluate(parent: Double) -> Double? {
    let bound: Double
    switch master.relax(context) {
    case .impossible: return nil
    case .unknown(let proven):
      bound = max(parent, proven)
      if !isHopeless(bound) { unresolved = min(unresolved, bound) }
      return nil
    case .bounded(let proven): bound = max(parent, proven)
    }
    guard !isHopeless(bound) else { return nil }
    round()
    return isHopeless(bound) ? nil : bound
  }

  /// Whether there is a plan, and any will do.
  private var isDone: Bool { isFirstEnough && best != nil }

  /// Where there is no plan yet there may be none.
  private var reach: Int { incumbent < .infinity ? nodeLimit : min(nodeLimit, max(Self.leastNodes, nodeLimit / 10)) }

  /// Whether nothing below the incumbent is left above a bound; without a bound nobody knows.
  private func isHopeless(_ bound: Double) -> Bool {
    bound > -.infinity && lattice.least(from: bound) + 1e-9 * max(1, bound.magnitude) >= incumbent
  }

  private mutating func round() {
    for covers in rounding.candidates(master) {
      guard let cost = rounding.cost(covers), cost + 1e-9 * max(1, cost) < incumbent else { continue }
      incumbent = cost
      best = (covers, cost)
    }
  }

  private mutating func push(_ bounds: BranchMaster.Bounds, _ bound: Double, depth: Int) {
    open.append(Node(bound: bound, depth: depth, bounds: bounds, basis: master.program.currentBasis))
  }

  /// The node with the least bound, the deepest of equals. O(open nodes).
  private mutating func popLeast() -> Node? {
    guard
      let index = open.indices.min(by: {
        (open[$0].bound, -open[$0].depth, $0) < (open[$1].bound, -open[$1].depth, $1)
      })
    else { return nil }
    return open.remove(at: index)
  }

  // MARK: - Branching

  /// Two ways to go on, or nil where the divisible plan is whole.
  private func split(_ bounds: BranchMaster.Bounds) -> [BranchMaster.Bounds]? {
    // A number that is fixed already is divided by rounding alone.
    let gpus = problem.tiers.indices.map { tier in
      bounds.gpus[tier].count == 1 ? Double(bounds.gpus[tier].lowerBound) : master.gpus(tier)
    }
    if let (tier, value) = mostDivided(gpus, { problem.tiers[$0].weight }) {
      let range = bounds.gpus[tier]
      var (less, more) = (bounds, bounds)
      let floor = max(range.lowerBound, min(range.upperBound - 1, Int(value.rounded(.down))))
      less.gpus[tier] = range.lowerBound...floor
      more.gpus[tier] = (floor + 1)...range.upperBound
      return [more, less]
    }
    if let children = splitCover(bounds) { return children }
    let cuts = master.cutColumns.indices.map { master.uses($0) }
    guard let (cut, value) = mostDivided(cuts, { _ in 1 }) else { return nil }
    let own = bounds.cuts[cut] ?? (0, nil)
    var (less, more) = (bounds, bounds)
    less.cuts[cut] = (own.low, Int(value.rounded(.down)))
    more.cuts[cut] = (Int(value.rounded(.down)) + 1, own.high)
    return [more, less]
  }

  private func mostDivided(_ values: [Double], _ weight: (Int) -> Double) -> (Int, Double)? {
    var found: (Int, Double)?
    var most = 0.0
    for (index, value) in values.enumerated() {
      let off = (value - value.rounded()).magnitude
      guard off > 1e-5 * max(1, value.magnitude * 1e-3), off * weight(index) > most else { continue }
      most = off * weight(index)
      found = (index, value)
    }
    return found
  }

  /// Splits by the instances of one workload and column, where they are most divided.
  private func splitCover(_ bounds: BranchMaster.Bounds) -> [BranchMaster.Bounds]? {
    var found: (item: Int, column: Int, value: Double)?
    var most = 0.0
    let prices = problem.models.indices.map { master.prices($0) }
    for (item, mix) in master.mixes().enumerated() where mix.count > 1 {
      let own = prices[problem.core[item].model]
      for column in own.indices {
        let value = mix.reduce(0) { $0 + $1.share * Double($1.cover[column]) }
        let off = (value - value.rounded()).magnitude
        guard off > 1e-5, off * (own[column] + 1e-6) > most else { continue }
        most = off * (own[column] + 1e-6)
        found = (item, column, value)
      }
    }
    guard let (item, column, value) = found else { return nil }
    let own = bounds.covers[item]?[column] ?? BoundedCover.Bounds()
    var (less, more) = (bounds, bounds)
    less.covers[item, default: [:]][column] = BoundedCover.Bounds(low: own.low, high: Int32(value.rounded(.down)))
    more.covers[item, default: [:]][column] = BoundedCover.Bounds(
      low: Int32(value.rounded(.down)) + 1, high: own.high)
    return [more, less]
  }

  /// Fixes the covers of workload after workload, those least divided first, and rounds what each step gives.
  private mutating func dive(_ start: BranchMaster.Bounds) {
    var bounds = start
    for _ in 0..<(2 * problem.core.count + 8) {
      guard !isDone, !context.shouldStop() else { return }
      let mixes = master.mixes()
      var isFixed = false
      var next: (item: Int, share: Double)?
      for (item, mix) in mixes.enumerated() {
        guard let largest = mix.max(by: { $0.share < $1.share }) else { continue }
        if largest.share > 1 - 1e-6 {
          continue
        } else if largest.share > next?.share ?? 0 {
          next = (item, largest.share)
        }
      }
      guard let next, let largest = mixes[next.item].max(by: { $0.share < $1.share }) else { return }
      let total = largest.cover.reduce(0, +)
      if total <= 12 || largest.share > 0.9 {
        bounds.covers[next.item] = Dictionary(
          uniqueKeysWithValues: largest.cover.indices.map {
            ($0, BoundedCover.Bounds(low: largest.cover[$0], high: largest.cover[$0]))
          })
        isFixed = true
      } else {
        // A workload of many instances: one column of it at a time.
        for column in largest.cover.indices {
          let own = bounds.covers[next.item]?[column] ?? BoundedCover.Bounds()
          let value = mixes[next.item].reduce(0) { $0 + $1.share * Double($1.cover[column]) }
          guard own.low < own.high, (value - value.rounded()).magnitude > 1e-5 else { continue }
          let whole = Int32(value.rounded())
          bounds.covers[next.item, default: [:]][column] = BoundedCover.Bounds(low: whole, high: whole)
          isFixed = true
          break
        }
      }
      guard isFixed else { return }
      master.apply(bounds)
      guard case .bounded(let bound) = master.relax(context), !isHopeless(bound) else { return }
      round()
      if isHopeless(bound) { return }
    }
  }
}
