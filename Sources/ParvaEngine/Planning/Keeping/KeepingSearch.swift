/// The fewest changes for small demands, by iterative deepening: is there a plan within the budget with one change less?
///
/// Per workload the choices are which of its segments stay and how the rest of its rate is covered; a complete choice
/// counts when its new instances find room beside what stays. Within its limits on size and work the result is the
/// least number of changes of any plan, a new GPU being as good as any other of its pool.
struct KeepingSearch {
  private struct Option {
    /// The workload's segments that stay, as (slot, index in the slot).
    var kept: [(slot: Int, index: Int)]
    /// Columns of the new ones, largest last.
    var added: [Int]
    var changes: Int
    /// At slice prices.
    var price: Double
  }

  private static let segmentLimit = 24
  private static let workloadLimit = 16
  private static let ownLimit = 6
  /// For a demand as a whole.
  static let nodeLimit = 60_000

  private let market: Market
  private let allowedCost: Double
  private let allowedCount: Int
  private let segmentsBefore: [Int]
  private let context: PlanningContext
  private let nodeLimit: Int
  private let prices: [Double]
  private let workloads: [Int]
  /// Changes of the plan to be beaten.
  private let known: Int
  private var options: [[Option]] = []
  private var leastChanges: [Int] = []
  private var leastPrice: [Double] = []
  private var chosen: [Int] = []
  private var nodes = 0

  /// Nil for demands beyond its size, and where `best` changes nothing.
  init?(
    _ best: KeepingState, allowedCost: Double, allowedCount: Int, segmentsBefore: [Int],
    nodeLimit: Int = KeepingSearch.nodeLimit, _ context: PlanningContext
  ) {
    market = best.market
    self.allowedCost = allowedCost
    self.allowedCount = allowedCount
    self.segmentsBefore = segmentsBefore
    self.context = context
    self.nodeLimit = nodeLimit
    known = best.changes(segmentsBefore: segmentsBefore)
    // Those that need nothing any more may keep what they have.
    workloads = best.rates.indices.filter { best.rates[$0] > 0 || segmentsBefore[$0] > 0 }
    prices = market.columns.map { column in
      best.weights[column.pool] * Double(column.computeSlices)
        / Double(best.market.cuts[column.pool].product.computeSlices)
    }
    guard known > 0, workloads.count <= KeepingSearch.workloadLimit,
      segmentsBefore.reduce(0, +) <= KeepingSearch.segmentLimit,
      segmentsBefore.allSatisfy({ $0 <= KeepingSearch.ownLimit })
    else { return nil }
  }

  /// A plan with fewer changes than the known one, or nil. `start` holds the segments that can stay.
  mutating func run(from start: KeepingState) -> KeepingState? {
    for workload in workloads {
      guard let list = list(workload, start) else { return nil }
      options.append(list)
    }
    leastChanges = [Int](repeating: 0, count: workloads.count + 1)
    leastPrice = [Double](repeating: 0, count: workloads.count + 1)
    for index in workloads.indices.reversed() {
      leastChanges[index] = leastChanges[index + 1] + (options[index].map(\.changes).min() ?? 0)
      leastPrice[index] = leastPrice[index + 1] + (options[index].map(\.price).min() ?? 0)
    }
    var limit = leastChanges[0]
    while limit < known, nodes < nodeLimit, !context.shouldStop() {
      chosen = []
      if let found = descend(0, changes: 0, price: 0, limit: limit, start) { return found }
      limit += 1
    }
    return nil
  }

  /// All sensible options of a workload, fewest changes first; nil when there are too many.
  private func list(_ workload: Int, _ start: KeepingState) -> [Option]? {
    var own: [(slot: Int, index: Int)] = []
    for (slot, gpu) in start.slots.enumerated() {
      for (index, segment) in gpu.segments.enumerated() where segment.workload == workload { own.append((slot, index)) }
    }
    let row = market.columns.indices.map { market.capacity(workload, $0) }
    var list: [Option] = []
    for subset in 0..<(1 << own.count) {
      let kept = own.indices.filter { subset >> $0 & 1 == 1 }.map { own[$0] }
      let columns = kept.map { start.slots[$0.slot].segments[$0.index].column }
      let rate = start.rates[workload]
      let rest = rate - columns.reduce(0) { $0 + row[$1] }
      let isRuled = start.rules.number(workload) != nil
      let price = columns.reduce(0) { $0 + prices[$1] }
      var covers = [[Int32](repeating: 0, count: row.count)]
      if rest > rate * CoverSolver.slack {
        let alternatives = CoverAlternatives(
          capacities: row[...], rate: rest, prices: prices, least: 0, allowance: allowedCost, limit: 200)
        guard alternatives.isComplete else { return nil }
        covers = alternatives.covers
      }
      if isRuled {
        covers = Array(Set(covers + Self.few(row))).sorted { $0.lexicographicallyPrecedes($1) }.filter { cover in
          var whole = cover.map(Int.init)
          for column in columns { whole[column] += 1 }
          return start.isEnough(whole, workload)
        }
      }
      for cover in covers {
        let added = cover.indices.flatMap { [Int](repeating: $0, count: Int(cover[$0])) }
        list.append(
          Option(
            kept: kept, added: added, changes: max(segmentsBefore[workload], kept.count + added.count) - kept.count,
            price: price + added.reduce(0) { $0 + prices[$1] }))
      }
    }
    return list.sorted { ($0.changes, $0.price) < ($1.changes, $1.price) }
  }

  /// Up to two instances, which a rule may ask for where the rate does not.
  private static func few(_ row: [Double]) -> [[Int32]] {
    let none = [Int32](repeating: 0, count: row.count)
    let one = row.indices.filter { row[$0] > 0 }.map { column in
      var cover = none
      cover[column] = 1
      return cover
    }
    return [none] + one + one.flatMap { first in one.map { second in zip(first, second).map { $0 + $1 } } }
  }

  private mutating func descend(
    _ depth: Int, changes: Int, price: Double, limit: Int, _ start: KeepingState
  ) -> KeepingState? {
    guard depth < workloads.count else { return complete(start) }
    for (index, option) in options[depth].enumerated() {
      let sum = changes + option.changes
      guard sum + leastChanges[depth + 1] <= limit else { return nil }
      // The last workload must use up the limit: fewer changes were tried before.
      guard price + option.price + leastPrice[depth + 1] <= allowedCost + 1e-9 else { continue }
      nodes += 1
      guard nodes < nodeLimit, nodes % 256 != 0 || !context.shouldStop() else { return nil }
      chosen.append(index)
      if let found = descend(depth + 1, changes: sum, price: price + option.price, limit: limit, start) {
        return found
      }
      chosen.removeLast()
    }
    return nil
  }

  /// The chosen options as a plan, where their new instances find room.
  private mutating func complete(_ start: KeepingState) -> KeepingState? {
    var state = start
    var kept = [[DraftSegment]](repeating: [], count: start.slots.count)
    var added: [DraftSegment] = []
    for (depth, index) in chosen.enumerated() {
      let option = options[depth][index]
      for place in option.kept { kept[place.slot].append(start.slots[place.slot].segments[place.index]) }
      added += option.added.map { DraftSegment(workload: workloads[depth], column: $0, start: 0) }
    }
    for slot in kept.indices { state.set(slot, kept[slot]) }
    guard state.cost <= allowedCost, state.gpuCount <= allowedCount, state.isWithinStock else { return nil }
    // Units first: what needs most room has fewest places.
    added.sort {
      let (a, b) = (market.columns[$0.column], market.columns[$1.column])
      return (size(b), a.pool, a.profile, $0.workload) < (size(a), b.pool, b.profile, $1.workload)
    }
    return place(added[...], after: (0, 0), state)
  }

  private func size(_ column: InstanceColumn) -> Int {
    market.cuts[column.pool].product.profiles[column.profile].placementSize
  }

  private mutating func place(
    _ rest: ArraySlice<DraftSegment>, after: (slot: Int, start: Int), _ state: KeepingState
  ) -> KeepingState? {
    guard let next = rest.first else { return state.rules.overNodes || KeepingSettling.holds(state) ? state : nil }
    let column = market.columns[next.column]
    let product = market.cuts[column.pool].product
    let profile = product.profiles[column.profile]
    var triedEmpty = false
    for slot in state.slots.indices where state.slots[slot].pool == column.pool && slot >= after.slot {
      let gpu = state.slots[slot]
      if gpu.segments.isEmpty {
        guard !triedEmpty else { continue }
        triedEmpty = true
      }
      var taken: UInt64 = 0
      var slices = profile.computeSlices
      for segment in gpu.segments {
        let other = market.columns[segment.column]
        taken |= product.profiles[other.profile].mask(at: segment.start)
        slices += other.computeSlices
      }
      guard slices <= product.computeSlices else { continue }
      for start in profile.starts
      where profile.mask(at: start) & taken == 0 && (slot > after.slot || start >= after.start) {
        nodes += 1
        guard nodes < nodeLimit else { return nil }
        if let found = put(next, rest.dropFirst(), slot, start, state) { return found }
        // On an empty GPU the first start that leads nowhere does not speak for the others; on to the next.
      }
    }
    guard !triedEmpty, let start = profile.starts.first else { return nil }
    var larger = state
    larger.append(DraftGPU(pool: column.pool, segments: []))
    return put(next, rest.dropFirst(), larger.slots.count - 1, start, larger)
  }

  private mutating func put(
    _ segment: DraftSegment, _ rest: ArraySlice<DraftSegment>, _ slot: Int, _ start: Int, _ state: KeepingState
  ) -> KeepingState? {
    var next = state
    var placed = segment
    placed.start = start
    next.set(slot, state.slots[slot].segments + [placed])
    guard next.cost <= allowedCost, next.gpuCount <= allowedCount, next.isWithinStock else { return nil }
    // Equal instances are interchangeable, so they are placed in order.
    let isEqual = rest.first?.column == segment.column
    return place(rest, after: isEqual ? (slot, start) : (0, 0), next)
  }
}
