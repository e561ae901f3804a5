/// Carries a current plan over to a new demand: a plan that costs no more than a given one and changes few segments.
///
/// What still serves stays where it is. Workloads that lack capacity get new segments in free room, then on GPUs that the
/// budget still allows. Where that is not enough, covers are exchanged for cheaper ones, as few as fit the budget, and
/// the GPUs with most room are cut anew. As a last resort the GPUs that are used worst are planned again together with
/// what lacks - first a few, then more, in the end all. On GPUs that are cut anew as much as possible of the old content
/// is found again in the new. Small demands are then searched for a plan with still fewer changes.
struct Keeping {
  let market: Market
  let weights: [Double]
  /// GPUs that may be used, per pool.
  let stock: [Int]
  private let rates: [Double]
  let context: PlanningContext
  let prices: KeepingPrices
  let segmentsBefore: [Int]
  let allowedCost: Double
  let allowedCount: Int
  private var state: KeepingState

  /// A plan for the same workloads as `fresh`, at most `extra` GPUs larger, near `current`; all may share GPUs. Nearly linear in the segments
  /// while little changes.
  static func plan(
    _ fresh: [DraftGPU], near current: Plan, _ market: Market, rates: [Double], stock: [Int], extra: Int,
    _ context: PlanningContext
  ) -> [DraftGPU] {
    guard !fresh.isEmpty, !current.gpus.isEmpty else { return fresh }
    var keeping = Keeping(fresh, current, market, rates: rates, stock: stock, extra: extra, context)
    return keeping.run(fresh)
  }

  private init(
    _ fresh: [DraftGPU], _ current: Plan, _ market: Market, rates: [Double], stock: [Int], extra: Int,
    _ context: PlanningContext
  ) {
    self.market = market
    self.stock = stock
    weights = market.input.weights
    let weights = weights
    self.context = context
    var served = [Bool](repeating: false, count: rates.count)
    for gpu in fresh { for segment in gpu.segments { served[segment.workload] = true } }
    self.rates = zip(rates, served).map { $1 ? $0 : 0 }
    let there = CurrentSlots(current, market, isServed: served)
    segmentsBefore = there.segmentsBefore
    prices = KeepingPrices(market, rates: self.rates, weights: weights, context)
    let cost = fresh.reduce(0) { $0 + weights[$1.pool] }
    allowedCost = cost + Double(extra) * (weights.max() ?? 1) + 1e-9
    allowedCount = extra > 0 || Set(weights).count == 1 ? fresh.count + extra : .max
    state = KeepingState(there.slots, market, rates: self.rates, weights: weights, stock: stock)
  }

  private mutating func run(_ fresh: [DraftGPU]) -> [DraftGPU] {
    let untouched = state
    fillRoom()
    if !isDone, let better = exchanged(untouched) { state = better }
    if !isDone { repack() }
    if !isDone {
      // Everything anew, with what happens to stand where it stood.
      state = untouched
      let all = Array(state.slots.indices)
      state = KeepingMatch.apply(fresh, to: all, of: state)
    }
    var search = KeepingSearch(
      state, allowedCost: allowedCost, allowedCount: allowedCount, segmentsBefore: segmentsBefore, context)
    if let better = search?.run(from: untouched) { state = better }
    return state.slots.filter { !$0.segments.isEmpty }
  }

  private var isDone: Bool { isAffordable(state) && state.lacking.isEmpty }

  func isAffordable(_ state: KeepingState) -> Bool {
    state.cost <= allowedCost && state.gpuCount <= allowedCount && state.isWithinStock
  }

  // MARK: - New segments in free room

  /// Gives lacking workloads, those with most need first, new segments where there is room, as few as possible. A small
  /// need that does not fit as a whole gets nothing.
  private mutating func fillRoom() {
    var room = KeepingRoom(state)
    // GPUs that count as used although nothing stands on them yet.
    var reserved: Set<Int> = []
    let needs = state.lacking.map { (workload: $0, covers: covers($0)) }
      .sorted { ($1.covers[0].price, $0.workload) < ($0.covers[0].price, $1.workload) }
    for need in needs {
      while !place(need.workload, need.covers, &room, &reserved) {
        guard let pool = affordablePool(need.workload, reserved) else { break }
        let slot = state.emptySlot(pool: pool, excluding: reserved)
        reserved.insert(slot)
        room.open(slot, DraftGPU(pool: pool, segments: []))
      }
    }
  }

  /// Ways to cover what a workload lacks: fewest instances first, then cheapest.
  private func covers(_ workload: Int) -> [(columns: [Int], price: Double)] {
    var solver = CoverSolver(kinds: market.columns.count)
    let row = market.columns.indices.map { market.capacity(workload, $0) }
    let lack = state.lack(workload)
    _ = solver.solve(capacities: row[...], rate: lack, prices: prices.prices)
    let list = CoverAlternatives(
      capacities: row[...], rate: lack, prices: prices.prices, least: solver.lowerBound,
      allowance: 0.5 * (weights.max() ?? 1), limit: 24)
    var found = list.covers
    if found.isEmpty {
      var cover = [Int32](repeating: 0, count: row.count)
      solver.cover(into: &cover, at: 0)
      found = [cover]
    }
    return found.map { cover in
      let columns = cover.indices.reversed().flatMap { [Int](repeating: $0, count: Int(cover[$0])) }
      return (columns, columns.reduce(0) { $0 + prices.prices[$1] })
    }.sorted { ($0.columns.count, $0.price) < ($1.columns.count, $1.price) }
  }

  /// Places one of the covers with fewest instances; false, and nothing changed, where none fits.
  private mutating func place(
    _ workload: Int, _ covers: [(columns: [Int], price: Double)], _ room: inout KeepingRoom, _ reserved: inout Set<Int>
  ) -> Bool {
    for cover in covers where cover.columns.count == covers[0].columns.count {
      var places: [KeepingPlace] = []
      for column in cover.columns {
        guard let place = room.place(column) else { break }
        places.append(place)
      }
      guard places.count == cover.columns.count else {
        for place in places.reversed() { room.remove(place) }
        continue
      }
      for place in places {
        let segment = DraftSegment(workload: workload, column: place.column, start: place.start)
        state.set(place.slot, state.slots[place.slot].segments + [segment])
        reserved.remove(place.slot)
      }
      return true
    }
    return false
  }

  /// A pool in which one more GPU is within budget and stock and has an offer for the workload, the cheapest first.
  private func affordablePool(_ workload: Int, _ reserved: Set<Int>) -> Int? {
    guard state.gpuCount + reserved.count < allowedCount else { return nil }
    let cost = reserved.reduce(state.cost) { $0 + weights[state.slots[$1].pool] }
    return weights.indices.sorted { (weights[$0], $0) < (weights[$1], $1) }.first { pool in
      cost + weights[pool] <= allowedCost
        && state.used[pool] + reserved.count(where: { state.slots[$0].pool == pool }) < state.stock[pool]
        && market.poolColumns[pool].contains { market.capacity(workload, $0) > 0 }
    }
  }

  // MARK: - GPUs planned again

  /// Plans badly used GPUs again, more of them each time, until all fits into the budget or all GPUs were tried.
  private mutating func repack() {
    let waste = prices.waste(state)
    let order = state.slots.indices.filter { !state.slots[$0].segments.isEmpty }
      .sorted { (-waste[$0], $0) < (-waste[$1], $1) }
    let need = state.lacking.reduce(max(0, state.cost - allowedCost)) { $0 + (covers($1).map(\.price).min() ?? 0) }
    var count = 0
    var gained = max(0, allowedCost - state.cost)
    while count < order.count, gained < need {
      gained += max(0, waste[order[count]])
      count += 1
    }
    count = max(count, min(order.count, 1))
    while true {
      if let better = repacked(Array(order.prefix(count))) {
        state = better
        return
      }
      guard count < order.count, !context.shouldStop() else { return }
      count = min(order.count, max(count + 1, count * 3 / 2))
    }
  }

  /// The state with these slots planned again for what then lacks; nil where the budget does not allow it.
  private func repacked(_ slots: [Int]) -> KeepingState? {
    var rest = state
    for slot in slots { rest.set(slot, []) }
    let workloads = rest.lacking
    guard !workloads.isEmpty else { return isAffordable(rest) ? rest : nil }
    let left = stock.indices.map { pool in stock[pool] == .max ? nil : max(0, stock[pool] - rest.used[pool]) }
    let part = market.part(workloads, rates: workloads.map(rest.lack), stock: left)
    let optimizer = CoverOptimizer(part, weights: weights, context.limited(to: 60 + workloads.count / 4))
    let outcome = optimizer.solve(Array(workloads.indices), Supply(part.input))
    guard outcome.packed.fitsStock else { return nil }
    var draft = CutPlacement.place(outcome.packed, outcome.model, part)
    for gpu in draft.indices {
      for segment in draft[gpu].segments.indices {
        draft[gpu].segments[segment].workload = workloads[draft[gpu].segments[segment].workload]
      }
    }
    let next = KeepingMatch.apply(draft, to: slots, of: state)
    return isAffordable(next) && next.lacking.isEmpty ? next : nil
  }
}
