/// The linear program of ``BranchSearch``: which mix of covers each workload of the core buys and how the GPUs are cut,
/// both divisible. Covers come in as they are needed.
///
/// Rows: the mix of each workload adds up to 1; per column what the cuts hold is what is bought; per side its cuts add
/// up to its GPUs; per pool with several sides its GPUs are in stock; for workloads on several failure domains there are
/// as many GPUs that can hold them.
struct BranchMaster {
  /// What the search has decided so far.
  struct Bounds: Sendable {
    /// GPUs per tier.
    var gpus: [ClosedRange<Int>]
    /// Uses of a cut, by its number among the cuts of all sides.
    var cuts: [Int: (low: Int, high: Int?)] = [:]
    /// Instances of a workload of the core, by column of its model.
    var covers: [Int: [Int: BoundedCover.Bounds]] = [:]
  }

  enum Relaxation {
    /// No such plan costs less; the mixes are those of the optimal divisible plan.
    case bounded(Double)
    case impossible
    /// Cut short; the bound is what was proven until then.
    case unknown(Double)
  }

  let problem: BranchProblem
  private(set) var program: BoundedProgram
  /// Per tier the column of its number of GPUs.
  private(set) var gpuColumns: [Int] = []
  /// Per cut of all sides its column.
  private(set) var cutColumns: [Int] = []
  private(set) var cutSides: [Int] = []
  /// Covers in the program, each with its workload of the core and its column.
  private(set) var covers: [(item: Int, cover: [Int32], column: Int)] = []
  private var known: [Set<[Int32]>]
  /// Row, number and factor of the right-hand sides that are not zero; without the convexity rows.
  private var fixedRows: [(row: Int, value: Double)] = []
  private var bounds: Bounds
  /// Row of the stock of each pool that several sides share.
  private var stockRows: [Int: Int] = [:]
  private let cutoff: Double
  /// Covers found at the prices of the last evaluation.
  private var solvers: [CoverSolver]

  private var kindRow: Int { problem.core.count }
  private static let priceTolerance = 1e-7
  private static let pivotLimit = 4000

  /// `cutoff` is a cost that no plan of interest exceeds.
  init(_ problem: BranchProblem, cutoff: Double) {
    self.problem = problem
    self.cutoff = cutoff
    known = [Set<[Int32]>](repeating: [], count: problem.core.count)
    solvers = problem.widths.map { CoverSolver(kinds: $0) }
    let core = problem.core.count
    let sideRow = core + problem.rowCount
    var rightHandSide = [Double](repeating: 1, count: core)
    var logicals = [(coefficient: Double, upper: Double)](repeating: (1, 0), count: core)
    for row in 0..<problem.rowCount {
      // A trace less than is bought, different for each, keeps the method from going in circles.
      rightHandSide.append(Double(problem.base[row]) - 1e-7 * (1 + Double(row &* 37 % 101) / 101))
      logicals.append((-1, .infinity))
      fixedRows.append((core + row, Double(problem.base[row])))
    }
    for _ in problem.sides {
      rightHandSide.append(0)
      logicals.append((1, 0))
    }
    let shared = Dictionary(grouping: problem.tiers.indices, by: { problem.tiers[$0].pool })
    for (pool, tiers) in shared.sorted(by: { $0.key < $1.key }) where tiers.count > 1 {
      guard let stock = problem.stock[pool] else { continue }
      stockRows[pool] = rightHandSide.count
      fixedRows.append((rightHandSide.count, Double(stock)))
      rightHandSide.append(Double(stock))
      logicals.append((1, .infinity))
    }
    // Per workload on several domains: the sides that serve it hold so many GPUs.
    var floors: [[Int]: Int] = [:]
    for (index, item) in problem.core.enumerated() where problem.leastGPUs(item) > 1 {
      let own = problem.capacities[index]
      let serving = problem.sides.indices.filter { number in
        let side = problem.sides[number]
        return side.model == item.model && side.rows.contains { own[$0 - problem.firstRow[item.model]] > 0 }
      }
      floors[serving] = max(floors[serving] ?? 0, problem.leastGPUs(item))
    }
    let floorRows = floors.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    let firstFloor = rightHandSide.count
    for (offset, floor) in floorRows.enumerated() {
      fixedRows.append((firstFloor + offset, Double(floor.value)))
      rightHandSide.append(Double(floor.value))
      logicals.append((-1, .infinity))
    }
    program = BoundedProgram(rightHandSide: rightHandSide, logicals: logicals)
    bounds = Bounds(gpus: [])
    for tier in problem.tiers {
      let most = max(0, min(problem.stock[tier.pool] ?? .max, Int(min(cutoff / tier.weight + 1e-9, 1e9))))
      bounds.gpus.append(0...most)
      var entries: [(row: Int, value: Double)] = [(sideRow + tier.side, -1)]
      if let row = stockRows[tier.pool] { entries.append((row, 1)) }
      for (offset, floor) in floorRows.enumerated() where floor.key.contains(tier.side) {
        entries.append((firstFloor + offset, 1))
      }
      gpuColumns.append(program.addColumn(cost: tier.weight, upper: Double(most), entries))
    }
    for (index, side) in problem.sides.enumerated() {
      for cut in side.table.maximalCuts {
        var entries = zip(side.rows, cut.counts).map { (row: core + $0, value: Double($1)) }
        entries.append((sideRow + index, 1))
        cutColumns.append(program.addColumn(cost: 0, entries))
        cutSides.append(index)
      }
    }
  }

  var initialBounds: Bounds { bounds }

  /// Offers a cover to a workload of the core.
  mutating func add(_ cover: [Int32], to item: Int) -> Bool {
    guard known[item].insert(cover).inserted else { return false }
    let first = kindRow + problem.firstRow[problem.core[item].model]
    var entries: [(row: Int, value: Double)] = [(item, 1)]
    for (column, count) in cover.enumerated() where count != 0 { entries.append((first + column, -Double(count))) }
    let allowed = isAllowed(cover, bounds.covers[item])
    let column = program.addColumn(cost: 0, upper: allowed ? .infinity : 0, entries)
    covers.append((item, cover, column))
    return true
  }

  private func isAllowed(_ cover: [Int32], _ bounds: [Int: BoundedCover.Bounds]?) -> Bool {
    guard let bounds else { return true }
    return bounds.allSatisfy { $1.low <= cover[$0] && cover[$0] <= $1.high }
  }

  mutating func apply(_ next: Bounds) {
    bounds = next
    for (tier, range) in next.gpus.enumerated() {
      program.setBounds(gpuColumns[tier], Double(range.lowerBound), Double(range.upperBound))
    }
    for (cut, column) in cutColumns.enumerated() {
      let own = next.cuts[cut]
      program.setBounds(column, Double(own?.low ?? 0), own?.high.map { Double($0) } ?? .infinity)
    }
    for entry in covers {
      program.setBounds(entry.column, 0, isAllowed(entry.cover, next.covers[entry.item]) ? .infinity : 0)
    }
  }

  mutating func restore(_ basis: BoundedProgram.Basis) { program.restore(basis) }

  /// Solves under the bounds applied last, with all covers that matter.
  mutating func relax(_ context: PlanningContext) -> Relaxation {
    var bound = -Double.infinity
    for round in 0..<400 {
      if round > 0, context.shouldStop() { return .unknown(bound) }
      let answer = program.solve(limit: BranchMaster.pivotLimit, shouldStop: context.shouldStop)
      switch answer {
      case .stopped: return .unknown(bound)
      case .infeasible, .optimal:
        var isNew = false
        var isExact = true
        var sum = 0.0
        for item in problem.core.indices {
          guard let best = cheapest(item) else { return .impossible }
          let limit = program.duals[item]
          sum += best.lowerBound
          if best.lowerBound < limit - BranchMaster.priceTolerance {
            if let cover = best.cover, add(cover, to: item) { isNew = true } else { isExact = false }
          }
        }
        if answer == .infeasible {
          guard isNew else { return isExact ? .impossible : .unknown(bound) }
          continue
        }
        bound = max(bound, sum + rest())
        if bound > cutoff + 1e-6 { return .bounded(bound) }
        guard isNew, bound < program.objective - 1e-7 * max(1, program.objective) else { return .bounded(bound) }
      }
    }
    return .unknown(bound)
  }

  /// Prices of the columns of a model at the last solution, and per pool what one more GPU of its stock would save.
  func modelPrices(_ model: Int) -> (columns: [Double], stock: [Double]) {
    let own = prices(model)
    var columns = [Double](repeating: 0, count: problem.models[model].columns.count)
    var stock = [Double](repeating: 0, count: problem.models[model].pools.count)
    for (index, tier) in problem.tiers.enumerated() where problem.sides[tier.side].model == model {
      for (row, column) in zip(problem.sides[tier.side].rows, tier.columns) {
        columns[column] = own[row - problem.firstRow[model]]
      }
      guard let pool = problem.models[model].pools.firstIndex(where: { $0.marketPool == tier.pool }) else { continue }
      let shared = stockRows[tier.pool].map { max(0, -program.duals[$0]) } ?? 0
      stock[pool] = shared + max(0, -program.reducedCost(gpuColumns[index]))
    }
    return (columns, stock)
  }

  /// Prices of the rows of a model at the last solution.
  func prices(_ model: Int) -> [Double] {
    let first = kindRow + problem.firstRow[model]
    return (0..<problem.widths[model]).map { max(0, program.duals[first + $0]) }
  }

  private mutating func cheapest(_ index: Int) -> (lowerBound: Double, cover: [Int32]?)? {
    let item = problem.core[index]
    let prices = prices(item.model)
    if let own = bounds.covers[index] {
      let best = BoundedCover(
        capacities: problem.capacities[index][...], rate: problem.rate(item), prices: prices,
        rule: problem.rule(item),
        bounds: own)
      guard best.lowerBound < .infinity else { return nil }
      return (best.lowerBound, best.cover.isEmpty ? nil : best.cover)
    }
    let cost = solvers[item.model].solve(
      capacities: problem.capacities[index][...], rate: problem.rate(item), prices: prices,
      rule: problem.rule(item))
    guard cost < .infinity else { return nil }
    var cover = [Int32](repeating: 0, count: prices.count)
    solvers[item.model].cover(into: &cover, at: 0)
    return (solvers[item.model].lowerBound, cover)
  }

  /// What the duals prove beside the covers: right-hand sides, and every other column at its better bound.
  private func rest() -> Double {
    var sum = fixedRows.reduce(0) { $0 + $1.value * program.duals[$1.row] }
    // Rounding may leave a cut a hair below zero; no plan of interest cuts more GPUs so than its side may have.
    var worst = [Double](repeating: 0, count: problem.sides.count)
    for (cut, column) in cutColumns.enumerated() {
      let reduced = program.reducedCost(column)
      let own = program.bounds(column)
      if reduced >= 0 {
        sum += reduced * own.lower
      } else if own.upper < .infinity {
        sum += reduced * own.upper
      } else {
        worst[cutSides[cut]] = min(worst[cutSides[cut]], reduced)
      }
    }
    for (tier, column) in gpuColumns.enumerated() {
      let reduced = program.reducedCost(column)
      let own = program.bounds(column)
      sum += worst[problem.tiers[tier].side] * own.upper
      sum += reduced < 0 ? reduced * own.upper : reduced * own.lower
    }
    return sum
  }

  // MARK: - The divisible plan

  func gpus(_ tier: Int) -> Double { program.value(gpuColumns[tier]) }

  func uses(_ cut: Int) -> Double { program.value(cutColumns[cut]) }

  /// Per workload of the core the covers in its mix with their shares.
  func mixes() -> [[(cover: [Int32], share: Double)]] {
    var mixes = [[(cover: [Int32], share: Double)]](repeating: [], count: problem.core.count)
    for entry in covers {
      let share = program.value(entry.column)
      if share > 1e-7 { mixes[entry.item].append((entry.cover, share)) }
    }
    return mixes
  }
}
