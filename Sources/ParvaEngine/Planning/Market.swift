/// Everything the planners ask about demand and supply, worked out once per input: for each workload, what every
/// instance kind of every pool can do for it.
struct Market: Sendable {
  /// Its pools are the classes' merged ones.
  var input: PlanningInput
  /// Which of the pools that the user names are planned as one.
  let classes: PoolClasses
  /// One per pool.
  let cuts: [CutTable]
  /// All kinds of the first pool come first, then those of the second, and so on.
  let columns: [InstanceColumn]
  /// Columns of each pool.
  let poolColumns: [Range<Int>]
  /// Row-major: workload x column.
  var offers: [Offer]
  /// The same with no less than any point can be given; nil where the offers are the best there are.
  private(set) var ceilings: [Offer]?
  let support: ConstraintSupport

  /// O(workloads x columns x log points), and with rule `certified` the runs that its cache does not hold yet.
  ///
  /// - Parameter hurries: whether offers need not be the best there are where time is over.
  init(
    _ input: PlanningInput, support: ConstraintSupport = .pools, hurries: Bool = true, _ context: PlanningContext
  ) {
    classes = PoolClasses(input)
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
    var columns: [InstanceColumn] = []
    var ranges: [Range<Int>] = []
    for (pool, table) in cuts.enumerated() {
      let first = columns.count
      for (kind, profile) in table.kinds.enumerated() {
        let slices = table.product.profiles[profile].computeSlices
        columns.append(InstanceColumn(pool: pool, kind: kind, profile: profile, computeSlices: slices))
      }
      ranges.append(first..<columns.count)
    }
    self.columns = columns
    poolColumns = ranges
    let table = input.options.admission.offers(input, columns, hurries ? context : context.unhurried)
    offers = table.offers
    if !table.ceilings.isEmpty {
      var most = self
      for (index, ceiling) in table.ceilings.enumerated() { most.offers[index].capacity = ceiling }
      most.applyConstraints()
      most.leaveOutNegligible()
      ceilings = most.offers
    }
    applyConstraints()
    leaveOutNegligible()
  }

  /// Takes back offers of which a workload would need more than ``SegmentLimit/perWorkload``, where it has larger ones.
  private mutating func leaveOutNegligible() {
    for (workload, demand) in input.workloads.enumerated() {
      let least = demand.rate / Double(SegmentLimit.perWorkload)
      let row = workload * columns.count..<(workload + 1) * columns.count
      guard row.contains(where: { offers[$0].capacity > least }) else { continue }
      for index in row where offers[index].capacity > 0 && offers[index].capacity <= least { offers[index] = .none }
    }
  }

  /// The market in which every offer is no less than any point can be given: what is proven there is proven of any offers. Nil where
  /// the offers are the best there are.
  var generous: Market? {
    ceilings.map { ceilings in
      var market = self
      (market.offers, market.ceilings) = (ceilings, nil)
      return market
    }
  }

  /// The market of some of the workloads, at other rates and with other stocks, wherever their segments may then stand.
  /// O(workloads x columns).
  func part(_ workloads: [Int], rates: [Double], stock: [Int?]) -> Market {
    var part = self
    part.ceilings = nil
    part.input.workloads = workloads.map { input.workloads[$0] }
    for (index, rate) in rates.enumerated() {
      part.input.workloads[index].rate = rate
      part.input.workloads[index].constraints.spread = nil
      part.input.workloads[index].constraints.survive = nil
      part.input.workloads[index].constraints.replicas = nil
    }
    for (pool, count) in stock.enumerated() { part.input.pools[pool].count = count }
    part.offers = workloads.flatMap { offers[$0 * columns.count..<($0 + 1) * columns.count] }
    return part
  }

  /// ``Offer/none`` where no point is admissible. O(1).
  func offer(_ workload: Int, _ column: Int) -> Offer { offers[workload * columns.count + column] }

  /// Capacity in requests per second, 0 where no point is admissible. O(1).
  func capacity(_ workload: Int, _ column: Int) -> Double { offer(workload, column).capacity }

  /// Whether changing a segment of the plan in force has a price.
  var hasMoveCost: Bool {
    input.options.moveCost > 0 || input.workloads.contains { $0.moveCost ?? 0 > 0 }
  }

  /// Whether some workload asks for more than pools and a rate. O(workloads).
  var hasRules: Bool { input.workloads.contains { $0.needsEveryConstraint } }

  /// Where an instance of a column may start. O(1).
  func starts(_ column: Int) -> [Int] {
    cuts[columns[column].pool].product.profiles[columns[column].profile].starts
  }

  /// Why the workload cannot be served at all, or nil. O(columns).
  func refusal(_ workload: Int) -> Unserved? {
    let most = columns.indices.map { capacity(workload, $0) }.max() ?? 0
    let demand = input.workloads[workload]
    guard most > 0 else { return unserviceable(workload) }
    guard demand.rate / most < Double(SegmentLimit.perWorkload) else {
      return SegmentLimit.refusal(demand, throughput: most)
    }
    return replicaRefusal(demand, throughput: most)
  }
}
