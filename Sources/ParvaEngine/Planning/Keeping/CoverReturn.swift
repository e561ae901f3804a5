/// Which workloads take the covers of a plan afresh, so that all covers together fit into its budget: as few as do.
///
/// At first every workload has what it has, or what it is to exchange that for. Where that takes too many GPUs,
/// the relaxation of the packing tells what each instance is worth there, and those workloads whose covers afresh are worth less
/// take them, most saved for each changed segment first, as many as the excess asks for; that is repeated with the prices of what is
/// then too much. The covers afresh fit as a whole, so with all of them taken there is an end.
struct CoverReturn {
  private static let rounds = 60

  private let state: KeepingState
  private let width: Int
  /// Row-major workload x column: what workloads have in the plan so far, and what afresh.
  private var now: [Int32]
  private var afresh: [Int32]
  /// Segments that change by taking the cover afresh, beyond those that change anyway; at least a tenth.
  private var changes: [Double]
  private var totals: [Int]

  /// `preferred` names covers that workloads are to have; the others have what stands in `state`.
  /// O(segments + workloads x columns).
  init(
    _ state: KeepingState, fresh: [DraftGPU], preferred: [Int: [Int]], segmentsBefore: [Int]
  ) {
    self.state = state
    width = state.market.columns.count
    var (standing, afresh) = (
      [Int32](repeating: 0, count: state.rates.count * width), [Int32](repeating: 0, count: state.rates.count * width)
    )
    for gpu in state.slots { for segment in gpu.segments { standing[segment.workload * width + segment.column] += 1 } }
    for gpu in fresh { for segment in gpu.segments { afresh[segment.workload * width + segment.column] += 1 } }
    var now = standing
    for (workload, cover) in preferred {
      for column in 0..<width { now[workload * width + column] = Int32(cover[column]) }
    }
    let width = width
    func changed(_ cover: [Int32], _ workload: Int) -> Int {
      var (count, kept) = (0, 0)
      for place in workload * width..<(workload + 1) * width {
        count += Int(cover[place])
        kept += Int(min(cover[place], standing[place]))
      }
      return max(segmentsBefore[workload], count) - kept
    }
    changes = state.rates.indices.map { workload in
      max(0.1, Double(changed(afresh, workload) - changed(now, workload)))
    }
    (self.now, self.afresh) = (now, afresh)
    totals = [Int](repeating: 0, count: width)
    for place in now.indices { totals[place % width] += Int(now[place]) }
  }

  /// Workloads that take their covers afresh within a budget; nil where that leads nowhere or time is over.
  /// O(workloads log workloads) a round.
  mutating func within(
    cost allowedCost: Double, count allowedCount: Int, _ context: PlanningContext
  ) -> [Int]? {
    var returned: [Int] = []
    var isReturned = [Bool](repeating: false, count: state.rates.count)
    let market = state.market
    for round in 0..<Self.rounds {
      guard round == 0 || !context.shouldStop() else { return nil }
      let packings = market.poolColumns.indices.map {
        CutPacking(Array(totals[market.poolColumns[$0]]), market.cuts[$0])
      }
      guard let excess = excess(packings, allowedCost, allowedCount) else { return returned }
      var saved = 0.0
      let ranked = savings(excess.prices, isReturned)
      guard !ranked.isEmpty else { return nil }
      // Rounding may leave a hair: a little more than what is too much.
      for (workload, saving) in ranked {
        isReturned[workload] = true
        returned.append(workload)
        for column in 0..<width {
          let place = workload * width + column
          totals[column] += Int(afresh[place]) - Int(now[place])
        }
        saved += saving
        if saved >= excess.value { break }
      }
    }
    return nil
  }

  /// Instances per column of the market that a workload has in the plan afresh.
  func coverAfresh(_ workload: Int) -> [Int] { afresh[workload * width..<(workload + 1) * width].map(Int.init) }

  /// What is too much and the prices that say so; nil where nothing is.
  private func excess(
    _ packings: [CutPacking], _ allowedCost: Double, _ allowedCount: Int
  ) -> (value: Double, prices: [Double])? {
    let market = state.market
    var prices = [Double](repeating: 0, count: width)
    func add(_ pool: Int, _ weight: Double) {
      for (column, price) in zip(market.poolColumns[pool], packings[pool].prices) { prices[column] += weight * price }
    }
    for (pool, packing) in packings.enumerated() where packing.gpuCount > state.stock[pool] {
      add(pool, 1)
      return (Self.atLeastSome(Double(packing.leastCount - state.stock[pool])), prices)
    }
    let count = packings.reduce(0) { $0 + $1.gpuCount }
    if count > allowedCount {
      for pool in packings.indices { add(pool, 1) }
      return (Self.atLeastSome(Double(packings.reduce(0) { $0 + $1.leastCount } - allowedCount)), prices)
    }
    let cost = zip(packings, state.weights).reduce(0) { $0 + Double($1.0.gpuCount) * $1.1 }
    guard cost > allowedCost else { return nil }
    for pool in packings.indices { add(pool, state.weights[pool]) }
    let least = zip(packings, state.weights).reduce(0) { $0 + Double($1.0.leastCount) * $1.1 }
    return (Self.atLeastSome(least - allowedCost), prices)
  }

  /// Where only whole GPUs are too many, a little less of what is dear.
  private static func atLeastSome(_ excess: Double) -> Double { max(excess, 0.05) }

  /// Workloads whose covers afresh are worth less, with by how much: most for each changed segment first.
  private func savings(_ prices: [Double], _ isReturned: [Bool]) -> [(workload: Int, saving: Double)] {
    var found: [(workload: Int, saving: Double)] = []
    for workload in isReturned.indices where !isReturned[workload] {
      var saving = 0.0
      for column in 0..<width {
        let place = workload * width + column
        saving += prices[column] * Double(now[place] - afresh[place])
      }
      if saving > 1e-9 { found.append((workload, saving)) }
    }
    return found.sorted { a, b in
      let (x, y) = (a.saving / changes[a.workload], b.saving / changes[b.workload])
      return x != y ? x > y : a.workload < b.workload
    }
  }
}
