/// Everything the planners ask about demand and supply, worked out once per input: for each workload, what every
/// instance kind of every pool can do for it.
struct Market: Sendable {
  /// One instance kind of one pool. All kinds of the first pool come first, then those of the second, and so on.
  struct Column: Sendable {
    var pool: Int
    /// Index into the kinds of the pool's ``CutTable``.
    var kind: Int
    /// Index into the product's profiles.
    var profile: Int
    var computeSlices: Int
  }

  /// Its pools are the classes' merged ones.
  private(set) var input: PlanningInput
  /// Which of the pools that the user names are planned as one; each for itself where a planner uses the first alone.
  let classes: PoolClasses
  /// One per pool.
  let cuts: [CutTable]
  let columns: [Column]
  /// Columns of each pool.
  let poolColumns: [Range<Int>]
  /// Row-major: workload x column.
  var offers: [Offer]
  let support: PlacementSupport

  /// O(workloads x columns x log points), and with rule `certified` the runs that its cache does not hold yet.
  init(_ input: PlanningInput, support: PlacementSupport = .pools, _ context: PlanningContext) {
    classes = support == .everything ? PoolClasses(input) : PoolClasses(apart: input.pools)
    var input = input
    input.pools = classes.merged
    self.input = input
    self.support = support
    var tables: [String: CutTable] = [:]
    cuts = input.pools.map { pool in
      let table = tables[pool.product.name] ?? CutTable(pool.product)
      tables[pool.product.name] = table
      return table
    }
    var columns: [Column] = []
    var ranges: [Range<Int>] = []
    for (pool, table) in cuts.enumerated() {
      let first = columns.count
      for (kind, profile) in table.kinds.enumerated() {
        let slices = table.product.profiles[profile].computeSlices
        columns.append(Column(pool: pool, kind: kind, profile: profile, computeSlices: slices))
      }
      ranges.append(first..<columns.count)
    }
    self.columns = columns
    poolColumns = ranges
    offers = [Offer](repeating: .none, count: input.workloads.count * columns.count)
    switch input.options.admission {
    case .certified: offers = certifiedOffers(context)
    case .halfSLO: writeOffers()
    }
    applyPlacement()
  }

  private mutating func writeOffers() {
    var admissions: [String: [HalfSLOAdmission?]] = [:]
    for (index, workload) in input.workloads.enumerated() {
      let row: [HalfSLOAdmission?]
      if let known = admissions[workload.model] {
        row = known
      } else {
        row = input.pools.indices.map { pool in
          input.profiles.profile(model: workload.model, product: input.pools[pool].product.name).map {
            HalfSLOAdmission($0, kinds: cuts[pool].kinds, maxProcesses: input.options.maxProcesses)
          }
        }
        admissions[workload.model] = row
      }
      for (pool, admission) in row.enumerated() {
        admission?.writeOffers(
          sloLatencyMs: workload.sloLatencyMs, into: &offers, at: index * columns.count + poolColumns[pool].lowerBound)
      }
    }
  }

  /// The market of some of the workloads, at other rates and with other stocks, wherever their segments may then stand.
  /// O(workloads x columns).
  func part(_ workloads: [Int], rates: [Double], stock: [Int?]) -> Market {
    var part = self
    part.input.workloads = workloads.map { input.workloads[$0] }
    for (index, rate) in rates.enumerated() {
      part.input.workloads[index].rate = rate
      part.input.workloads[index].placement.spread = nil
    }
    for (pool, count) in stock.enumerated() { part.input.pools[pool].count = count }
    part.offers = workloads.flatMap { offers[$0 * columns.count..<($0 + 1) * columns.count] }
    return part
  }

  /// ``Offer/none`` where no point is admissible. O(1).
  func offer(_ workload: Int, _ column: Int) -> Offer { offers[workload * columns.count + column] }

  /// Capacity in requests per second, 0 where no point is admissible. O(1).
  func capacity(_ workload: Int, _ column: Int) -> Double { offer(workload, column).capacity }

  /// Why the workload cannot be served at all, or nil. O(columns).
  func refusal(_ workload: Int) -> Unplaced? {
    let most = columns.indices.map { capacity(workload, $0) }.max() ?? 0
    let demand = input.workloads[workload]
    guard most > 0 else { return unserviceable(workload) }
    guard demand.rate / most < Double(SegmentLimit.perWorkload) else {
      return SegmentLimit.refusal(demand, throughput: most)
    }
    return nil
  }
}
