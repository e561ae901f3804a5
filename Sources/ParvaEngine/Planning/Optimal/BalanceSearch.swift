/// Local search that exchanges covers of nearly equal price until their totals fit into given numbers of GPUs.
///
/// The totals of a pool fit n GPUs, divisibly, when no legal price vector values them above n. The search keeps the
/// price vectors that were violated so far and makes exchanges that lower the sum of squared violations; each new
/// packing that fails contributes the vector that proves it.
struct BalanceSearch {
  private struct Guard {
    var pool: Int
    /// Per column of the pool.
    var prices: [Double]
  }

  private let model: PriceModel
  private let alternatives: [(workload: Int, covers: [[Int32]])]
  /// GPUs allowed per pool.
  private let allowed: [Int]
  private var guards: [Guard] = []
  private var assignment: CoverAssignment
  private var random: UInt64

  /// `alternatives` lists, for workloads that have a choice, all covers worth considering.
  init(
    _ start: CoverAssignment, _ model: PriceModel, alternatives: [(workload: Int, covers: [[Int32]])], allowed: [Int],
    prices: [Double], seed: UInt64
  ) {
    self.model = model
    self.alternatives = alternatives
    self.allowed = allowed
    assignment = start
    random = seed
    for (index, pool) in model.pools.enumerated() {
      guards.append(Guard(pool: index, prices: pool.columns.map { prices[$0] / pool.weight }))
      guards.append(
        Guard(
          pool: index,
          prices: pool.table.kinds.map {
            Double(pool.table.product.profiles[$0].computeSlices) / Double(pool.table.product.computeSlices)
          }))
    }
  }

  /// The covers and their packing once every pool keeps within its allowance; nil when the search gives up after
  /// `rounds` packings.
  mutating func run(rounds: Int, _ context: PlanningContext) -> PackedCovers? {
    for round in 0..<rounds where !context.shouldStop() || round == 0 {
      descend()
      let packed = PackedCovers(assignment, model)
      if zip(packed.counts, allowed).allSatisfy({ $0 <= $1 }) { return packed }
      var isNew = false
      for (index, packing) in packed.packings.enumerated() where packing.leastCount > allowed[index] {
        guards.append(Guard(pool: index, prices: packing.prices))
        isNew = true
      }
      // Divisibly it fits, in whole GPUs it does not: look elsewhere among equals.
      if !isNew || violation() > 0 { shake() }
    }
    return nil
  }

  /// Exchanges covers as long as the violation falls.
  private mutating func descend() {
    var current = violation()
    var improved = true
    while improved, current > 0 {
      improved = false
      for choice in alternatives {
        for cover in choice.covers {
          let previous = exchange(choice.workload, cover)
          let now = violation()
          if now < current - 1e-12 {
            current = now
            improved = true
            if current == 0 { return }
          } else {
            _ = exchange(choice.workload, previous)
          }
        }
      }
    }
  }

  /// A few random exchanges.
  private mutating func shake() {
    guard !alternatives.isEmpty else { return }
    for _ in 0..<4 {
      let choice = alternatives[Int(next() % UInt64(alternatives.count))]
      _ = exchange(choice.workload, choice.covers[Int(next() % UInt64(choice.covers.count))])
    }
  }

  private mutating func exchange(_ workload: Int, _ cover: [Int32]) -> [Int32] {
    let row = workload * model.columns.count
    var previous = cover
    for column in cover.indices {
      previous[column] = assignment.covers[row + column]
      assignment.covers[row + column] = cover[column]
      assignment.totals[column] += Int(cover[column]) - Int(previous[column])
    }
    return previous
  }

  private func violation() -> Double {
    guards.reduce(0) { sum, entry in
      let columns = model.pools[entry.pool].columns
      var worth = -Double(allowed[entry.pool]) - 1e-7
      for (index, column) in columns.enumerated() { worth += entry.prices[index] * Double(assignment.totals[column]) }
      return worth > 0 ? sum + worth * worth : sum
    }
  }

  /// SplitMix64.
  private mutating func next() -> UInt64 {
    random &+= 0x9e37_79b9_7f4a_7c15
    var z = random
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
