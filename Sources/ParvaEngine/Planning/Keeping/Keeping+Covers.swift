extension Keeping {
  /// Of more workloads too few of those that change can be chosen together to make sizes fill cuts.
  private static let balancedLimit = 20_000

  /// The plan in force with covers exchanged only as far as the budget asks for, then with as few GPUs cut anew as hold
  /// them; nil where that leads nowhere.
  ///
  /// Covers are exchanged in order of what they waste, at first just enough to fit divisibly and with a liking for
  /// covers near the old ones, then more of them and cheaper ones; in the end those that change anyway are chosen
  /// together so that their sizes fill cuts, or some return to what they have in `fresh`. O(workloads + segments) for each of a handful of tries.
  func exchanged(_ start: KeepingState, _ fresh: [DraftGPU]) -> KeepingState? {
    let isLarge = rates.count > Keeping.balancedLimit
    let afresh = ruledCovers(fresh)
    for penalty in [0.05, 0.002, 0] {
      let plan = CoverExchange(start, prices.prices, segmentsBefore, ruledAfresh: afresh, penalty: penalty)
      let slack = allowedCost - plan.least
      guard slack >= 0 else { continue }
      for share in [0, 0.5, 1] {
        guard !context.shouldStop() else { return nil }
        let (state, pending) = plan.exchange(plan.changes(downTo: allowedCost - share * slack))
        if canHold(state, pending), let found = placed(pending, state, from: start) { return found }
      }
      if isLarge, let found = mended(plan.changes(downTo: allowedCost), plan, fresh, start) { return found }
      for others in isLarge ? [] : [0, 300, 3000] {
        guard !context.shouldStop() else { return nil }
        guard let balanced = plan.balanced(gpus: balanceLimit, allowance: slack, others: others, context) else {
          continue
        }
        let (state, pending) = plan.exchange(balanced)
        if canHold(state, pending), let found = placed(pending, state, from: start) { return found }
      }
      if !isLarge, let found = mended(plan.changes(downTo: allowedCost), plan, fresh, start) { return found }
    }
    return nil
  }

  /// The plan in force with exchanges that fit divisibly, where as few workloads as need be take their covers from the plan afresh,
  /// which fits as a whole; nil where that leads nowhere. Near linear.
  private func mended(
    _ changes: [CoverExchange.Change], _ plan: CoverExchange, _ fresh: [DraftGPU], _ start: KeepingState
  ) -> KeepingState? {
    let chosen = Dictionary(changes.map { ($0.workload, $0) }, uniquingKeysWith: { first, _ in first })
    var covers = CoverReturn(start, fresh: fresh, preferred: chosen.mapValues(\.cover), segmentsBefore: segmentsBefore)
    guard let returned = covers.within(cost: allowedCost, count: allowedCount, context) else { return nil }
    let gone = Set(returned)
    let mended =
      changes.filter { !gone.contains($0.workload) }
      + returned.sorted().map {
        CoverExchange.Change(workload: $0, cover: covers.coverAfresh($0), saving: 0, changes: 0)
      }
    let (state, pending) = plan.exchange(mended)
    return placed(pending, state, from: start)
  }

  /// Instances per column that each workload with a rule has in a draft.
  private func ruledCovers(_ draft: [DraftGPU]) -> [Int: [Int]] {
    guard !rules.isEmpty else { return [:] }
    var covers: [Int: [Int]] = [:]
    for gpu in draft {
      for segment in gpu.segments where rules.number(segment.workload) != nil {
        covers[segment.workload, default: [Int](repeating: 0, count: rules.width)][segment.column] += 1
      }
    }
    return covers
  }

  /// GPUs that a plan may have where there is one pool; nil where there are several.
  private var balanceLimit: Int? {
    guard weights.count == 1 else { return nil }
    return min(allowedCount, Int(allowedCost / weights[0]), stock[0])
  }

  /// Whether the budget holds all segments, wherever they stand.
  private func canHold(_ state: KeepingState, _ pending: [DraftSegment]) -> Bool {
    var totals = [Int](repeating: 0, count: market.columns.count)
    for slot in state.slots { for segment in slot.segments { totals[segment.column] += 1 } }
    for segment in pending { totals[segment.column] += 1 }
    let counts = market.poolColumns.indices.map {
      CutPacking(Array(totals[market.poolColumns[$0]]), market.cuts[$0]).gpuCount
    }
    return zip(counts, weights).reduce(0) { $0 + Double($1.0) * $1.1 } <= allowedCost
      && counts.reduce(0, +) <= allowedCount && zip(counts, state.stock).allSatisfy { $0 <= $1 }
  }

  /// `state` with new segments in free room and on GPUs that the budget allows; where that is not enough, the GPUs with
  /// most room are cut anew for what stands on them and what is left. Nil where that leads nowhere.
  private func placed(
    _ pending: [DraftSegment], _ start: KeepingState, from untouched: KeepingState
  ) -> KeepingState? {
    var state = start
    var room = KeepingRoom(state)
    var reserved: Set<Int> = []
    var rest: [DraftSegment] = []
    // Those who have to stand apart look for other GPUs first.
    var holders = state.holders(of: Set(pending.map(\.workload).filter { rules.number($0) != nil }))
    for segment in pending.sorted(by: { size($0) != size($1) ? size($0) > size($1) : $0.workload < $1.workload }) {
      let held = holders[segment.workload] ?? []
      var place = room.place(segment.column, outside: held, state)
      if place == nil, !held.isEmpty { place = room.place(segment.column) }
      let pool = market.columns[segment.column].pool
      if place == nil, canAfford(pool, state, reserved) {
        let slot = state.emptySlot(pool: pool, excluding: reserved)
        reserved.insert(slot)
        room.open(slot, DraftGPU(pool: pool, segments: []))
        place = room.place(segment.column)
      }
      guard let place else {
        rest.append(segment)
        continue
      }
      var placed = segment
      placed.start = place.start
      state.set(place.slot, state.slots[place.slot].segments + [placed])
      reserved.remove(place.slot)
      if rules.number(segment.workload) != nil { holders[segment.workload, default: []].append(place.slot) }
    }
    let whole = rest.isEmpty && isAffordable(state) ? state : recut(rest, state)
    return rules.isEmpty ? whole : whole.flatMap { settled($0, from: untouched) }
  }

  private func size(_ segment: DraftSegment) -> Int {
    let column = market.columns[segment.column]
    return column.computeSlices + market.cuts[column.pool].product.profiles[column.profile].placementSize
  }

  private func canAfford(_ pool: Int, _ state: KeepingState, _ reserved: Set<Int>) -> Bool {
    let cost = reserved.reduce(state.cost) { $0 + weights[state.slots[$1].pool] }
    return state.gpuCount + reserved.count < allowedCount && cost + weights[pool] <= allowedCost
      && state.used[pool] + reserved.count(where: { state.slots[$0].pool == pool }) < state.stock[pool]
  }

  /// Cuts the GPUs with most room anew, more of them each time.
  private func recut(_ pending: [DraftSegment], _ state: KeepingState) -> KeepingState? {
    let roomy = prices.room(state)
    let order = state.slots.indices.filter { !state.slots[$0].segments.isEmpty }
      .sorted { (-roomy[$0], $0) < (-roomy[$1], $1) }
    let need = pending.reduce(max(0, state.cost - allowedCost)) { $0 + prices.prices[$1.column] }
    var (count, gained) = (0, max(0, allowedCost - state.cost))
    while count < order.count, gained < need || count < 1 {
      gained += max(0, roomy[order[count]])
      count += 1
    }
    while !context.shouldStop() {
      if let found = recut(Array(order.prefix(count)), pending, state) { return found }
      guard count < order.count else { return nil }
      count = min(order.count, max(count + 1, count * 5 / 4))
    }
    return nil
  }

  private func recut(_ slots: [Int], _ pending: [DraftSegment], _ state: KeepingState) -> KeepingState? {
    let segments = slots.flatMap { state.slots[$0].segments } + pending
    var draft: [DraftGPU] = []
    for (pool, range) in market.poolColumns.enumerated() {
      var waiting = range.map { column in segments.filter { $0.column == column } }
      guard waiting.contains(where: { !$0.isEmpty }) else { continue }
      let table = market.cuts[pool]
      let packing = CutPacking(waiting.map(\.count), table)
      for (cut, times) in zip(table.maximalCuts, packing.multiplicities) {
        for _ in 0..<times {
          let contents = cut.counts.enumerated().flatMap { kind, count in
            (0..<count).compactMap { _ in waiting[kind].popLast() }
          }
          if !contents.isEmpty { draft.append(DraftGPU(pool: pool, segments: contents)) }
        }
      }
      guard waiting.allSatisfy(\.isEmpty) else { return nil }
    }
    let freed = slots.reduce(0) { $0 + weights[state.slots[$1].pool] }
    guard state.cost - freed + draft.reduce(0, { $0 + weights[$1.pool] }) <= allowedCost,
      state.gpuCount - slots.count + draft.count <= allowedCount
    else { return nil }
    let next = KeepingMatch.apply(draft, to: slots, of: state)
    return isAffordable(next) && next.lacking.isEmpty ? next : nil
  }
}
