/// Carries a current plan over to a new demand: a plan that costs no more than a given one and changes few segments.
///
/// What still serves stays where it is. Workloads that lack capacity get new segments in free room, then on GPUs that the
/// budget still allows. Where that is not enough, covers are exchanged for cheaper ones, as few as fit the budget, and
/// the GPUs with most room are cut anew. As a last resort the GPUs that are used worst are planned again together with
/// what lacks - first a few, then more, in the end all. On GPUs that are cut anew as much as possible of the old content
/// is found again in the new. Small demands are then searched for a plan with still fewer changes.
///
/// Where moving has a price, the same is done with more GPUs than the least, and what changes least of all is consolidated
/// as far as that pays; of all these plans the one whose GPUs and changes cost least is taken.
struct Keeping {
  let market: Market
  let weights: [Double]
  /// GPUs that may be used, per pool.
  let stock: [Int]
  let rates: [Double]
  let context: PlanningContext
  let prices: KeepingPrices
  let segmentsBefore: [Int]
  let rules: KeepingRules
  private(set) var allowedCost: Double
  private(set) var allowedCount: Int
  /// What a changed segment of each workload costs, in units of the objective.
  private let moveCosts: [Double]
  /// GPUs of the plan afresh, and what they cost.
  private let leastCount: Int
  private let leastCost: Double
  private let extra: Int
  private var state: KeepingState

  /// A plan for the same workloads as `fresh`, at most `extra` GPUs larger, near `current`; all may share GPUs. Nearly linear in the segments
  /// while little changes.
  ///
  /// `numbers` are those of the market; `prices` those that prove the cost of `fresh`, where they are known.
  static func plan(
    _ fresh: [DraftGPU], near current: Plan, _ market: Market, _ numbers: [String: Int], rates: [Double], stock: [Int],
    extra: Int,
    prices: [Double]? = nil, _ context: PlanningContext
  ) -> [DraftGPU] {
    guard !fresh.isEmpty, !current.gpus.isEmpty else { return fresh }
    var keeping = Keeping(
      fresh, current, market, numbers, rates: rates, stock: stock, extra: extra, prices: prices, context)
    return keeping.run(fresh)
  }

  private init(
    _ fresh: [DraftGPU], _ current: Plan, _ market: Market, _ numbers: [String: Int], rates: [Double], stock: [Int],
    extra: Int, prices: [Double]?, _ context: PlanningContext
  ) {
    self.market = market
    self.stock = stock
    weights = market.input.weights
    let weights = weights
    self.context = context
    var served = [Bool](repeating: false, count: rates.count)
    for gpu in fresh { for segment in gpu.segments { served[segment.workload] = true } }
    self.rates = zip(rates, served).map { $1 ? $0 : 0 }
    let there = CurrentSlots(current, market, numbers, isServed: served)
    segmentsBefore = market.segments(of: current, numbers)
    self.prices = KeepingPrices(market, rates: self.rates, weights: weights, proven: prices, context)
    self.extra = extra
    leastCount = fresh.count
    leastCost = fresh.reduce(0) { $0 + weights[$1.pool] }
    (allowedCost, allowedCount) = (leastCost, leastCount)
    let unit = weights.max() ?? 1
    moveCosts = market.input.workloads.map { ($0.moveCost ?? market.input.options.moveCost) * unit }
    rules = KeepingRules(market, rates: self.rates)
    state = KeepingState(there.slots, market, rates: self.rates, weights: weights, stock: stock, rules: rules)
  }

  private mutating func run(_ fresh: [DraftGPU]) -> [DraftGPU] {
    let untouched = state
    guard market.hasMoveCost else {
      return planned(fresh, untouched, extra: extra).map(drafted) ?? fresh
    }
    guard var best = planned(fresh, untouched, extra: 0) else { return fresh }
    var least = value(best)
    // The plan of least cost is asked first: what replaces it costs more, so it changes less.
    for candidate in calmer(fresh, untouched, than: least) {
      let value = value(candidate)
      guard value < least - 1e-9 * max(1, least) else { continue }
      (best, least) = (candidate, value)
    }
    return drafted(best)
  }

  /// Plans that may cost more than the least in favour of fewer changes.
  private mutating func calmer(_ fresh: [DraftGPU], _ untouched: KeepingState, than least: Double) -> [KeepingState] {
    var found: [KeepingState] = []
    let limit = extra > 0 ? leastCount + extra : .max
    var consolidation = Consolidation(
      untouched, prices, moveCosts: moveCosts, segmentsBefore: segmentsBefore, context)
    // What it allows itself may cost more than the least.
    if let state = consolidation.run(limit: limit), let settled = settled(state, from: untouched, within: state) {
      found.append(settled)
    }
    guard untouched.slots.count <= Keeping.severalLimit else { return found }
    // A plan that costs as much more as all changes together is never better.
    let unit = weights.max() ?? 1
    let most = min(limit == .max ? .max : extra, Int(min((least - leastCost) / unit, 1e6)))
    var more = 1
    while more <= most, more <= 16, !context.shouldStop() {
      if let state = planned(fresh, untouched, extra: more), isDone(state) { found.append(state) }
      more *= 2
    }
    return found
  }

  /// Up to this many GPUs several budgets are tried.
  private static let severalLimit = 600

  /// What GPUs and changed segments cost together.
  private func value(_ state: KeepingState) -> Double {
    state.cost + state.changeCost(moveCosts, segmentsBefore: segmentsBefore)
  }

  private func drafted(_ state: KeepingState) -> [DraftGPU] { state.slots.filter { !$0.segments.isEmpty } }

  /// The plan within a budget of so many GPUs more than the least; nil where what is kept breaks a rule whatever is tried.
  private mutating func planned(_ fresh: [DraftGPU], _ untouched: KeepingState, extra: Int) -> KeepingState? {
    allowedCost = leastCost + Double(extra) * (weights.max() ?? 1) + 1e-9
    allowedCount = extra > 0 || Set(weights).count == 1 ? leastCount + extra : .max
    state = untouched
    fillRoom()
    var found = settled(state, from: untouched)
    if found == nil { found = exchanged(untouched, fresh) }
    if found == nil {
      repack()
      found = settled(state, from: untouched)
    }
    if found == nil {
      // Everything anew, with what happens to stand where it stood.
      let all = KeepingMatch.apply(fresh, to: Array(untouched.slots.indices), of: untouched)
      found = rules.isEmpty ? all : settled(all, from: untouched)
    }
    guard let found else { return nil }
    state = found
    var search = KeepingSearch(
      state, allowedCost: allowedCost, allowedCount: allowedCount, segmentsBefore: segmentsBefore, context)
    // With a price for moving, too, the plan of least cost is the one without a price; dearer ones are compared with it.
    if search == nil, !market.hasMoveCost || extra == 0, isDone(state) {
      return KeepingWindows.improved(
        state, from: untouched, allowedCost: allowedCost, allowedCount: allowedCount, segmentsBefore: segmentsBefore,
        context)
    }
    if let better = search?.run(from: untouched), let settled = settled(better, from: untouched),
      settled.changes(segmentsBefore: segmentsBefore) <= state.changes(segmentsBefore: segmentsBefore)
    {
      state = settled
    }
    return state
  }

  private func isDone(_ state: KeepingState) -> Bool { isAffordable(state) && state.lacking.isEmpty }

  /// A state that covers all within the budget, with those apart who have to be; nil where that cannot be had. O(workloads), and
  /// O(segments) where there are rules.
  func settled(
    _ state: KeepingState, from untouched: KeepingState, within limits: KeepingState? = nil
  ) -> KeepingState? {
    guard limits != nil || isAffordable(state), state.lacking.isEmpty else { return nil }
    guard !rules.isEmpty else { return state }
    return KeepingSettling.run(
      state, from: untouched, allowedCost: limits?.cost ?? allowedCost, allowedCount: limits?.gpuCount ?? allowedCount,
      context)
  }

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
    let lacking = state.lacking
    var holders = state.holders(of: Set(lacking.filter { rules.number($0) != nil }))
    let needs = lacking.map { (workload: $0, covers: covers($0)) }.filter { !$0.covers.isEmpty }
      .sorted { ($1.covers[0].price, $0.workload) < ($0.covers[0].price, $1.workload) }
    for need in needs {
      while !place(need.workload, need.covers, &room, &reserved, &holders) {
        guard let pool = affordablePool(need.workload, reserved) else { break }
        let slot = state.emptySlot(pool: pool, excluding: reserved)
        reserved.insert(slot)
        room.open(slot, DraftGPU(pool: pool, segments: []))
      }
    }
  }

  private func covers(_ workload: Int) -> [(columns: [Int], price: Double)] {
    Consolidation.covers(workload, state, prices)
  }

  /// Places one of the covers with fewest instances; false, and nothing changed, where none fits.
  private mutating func place(
    _ workload: Int, _ covers: [(columns: [Int], price: Double)], _ room: inout KeepingRoom, _ reserved: inout Set<Int>,
    _ holders: inout [Int: [Int]]
  ) -> Bool {
    for cover in covers where cover.columns.count == covers[0].columns.count {
      var held = holders[workload] ?? []
      var places: [KeepingPlace] = []
      for column in cover.columns {
        guard let place = room.place(column, outside: held, state) else { break }
        let segment = DraftSegment(workload: workload, column: place.column, start: place.start)
        state.set(place.slot, state.slots[place.slot].segments + [segment])
        places.append(place)
        if rules.number(workload) != nil { held.append(place.slot) }
      }
      guard places.count == cover.columns.count else {
        for place in places.reversed() {
          state.set(place.slot, Array(state.slots[place.slot].segments.dropLast()))
          room.remove(place)
        }
        continue
      }
      for place in places { reserved.remove(place.slot) }
      if rules.number(workload) != nil { holders[workload] = held }
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
    // The first try of many GPUs takes its time.
    guard state.gpuCount <= Keeping.severalLimit || !context.shouldStop() else { return }
    // What is planned again knows no rules.
    guard !state.lacking.contains(where: { rules.number($0) != nil }) else { return }
    let waste = prices.waste(state)
    let order = state.slots.indices.filter { slot in
      !state.slots[slot].segments.isEmpty && !state.slots[slot].segments.contains { rules.number($0.workload) != nil }
    }
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
