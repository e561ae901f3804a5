/// What a demand changes of a plan in force when nothing else moves, and which GPUs are then worth emptying.
///
/// Workloads that lack capacity get new segments in free room, then in the room of segments that others can do without,
/// then on further GPUs. After that GPUs are emptied one by one where what stands on them finds room elsewhere and the
/// segments that change cost less than the GPU. Nothing else is touched, so few segments change.
struct Consolidation {
  private(set) var state: KeepingState
  private let market: Market
  private let prices: KeepingPrices
  /// What a changed segment of each workload costs, in units of the objective.
  private let moveCosts: [Double]
  private let segmentsBefore: [Int]
  private let context: PlanningContext
  private var room: KeepingRoom
  /// Segments of each workload in `state`, and those of them that stand as before.
  private var total: [Int]
  private var kept: [Int]
  /// What the changed segments of `state` cost.
  private var movePrice = 0.0
  private struct Place {
    var slot: Int
    var segment: DraftSegment
  }

  private struct Entry {
    var slot: Int
    /// What stood there before.
    var segments: [DraftSegment]
    /// What was put back there.
    var restored: DraftSegment?
  }

  /// What was changed last, to take it back.
  private var log: [Entry] = []
  /// Per workload the slots that hold a segment of it, or did.
  private var places: [[Int]]
  /// Segments that their workload can do without, taken away for their room.
  private var yielded: [Int: [Place]] = [:]
  /// GPUs that were emptied and stay so.
  private var closed: Set<Int> = []
  /// GPUs in addition to those in use, as long as nothing stands on them.
  private var opened: Set<Int> = []

  /// Up to this many GPUs the one that saves most is emptied first; of more, those used worst.
  private static let choosyLimit = 400
  /// Tries in vain after which no further GPU is looked at.
  private static let failureLimit = 300

  /// O(segments).
  init(
    _ start: KeepingState, _ prices: KeepingPrices, moveCosts: [Double], segmentsBefore: [Int],
    _ context: PlanningContext
  ) {
    state = start
    market = start.market
    self.prices = prices
    self.moveCosts = moveCosts
    self.segmentsBefore = segmentsBefore
    self.context = context
    room = KeepingRoom(start)
    total = [Int](repeating: 0, count: start.rates.count)
    kept = total
    places = [[Int]](repeating: [], count: start.rates.count)
    for (index, slot) in start.slots.enumerated() {
      for segment in slot.segments {
        total[segment.workload] += 1
        if segment.isKept { kept[segment.workload] += 1 }
        if places[segment.workload].last != index { places[segment.workload].append(index) }
      }
    }
    movePrice = total.indices.reduce(0) { $0 + price($1) }
  }

  /// The plan that results, or nil where the stock does not hold it or `limit` on the number of GPUs is not kept.
  /// Near linear in the segments.
  mutating func run(limit: Int) -> KeepingState? {
    let needs = state.lacking.map { (workload: $0, price: Self.covers($0, state, prices).first?.price ?? 0) }
      .sorted { ($1.price, $0.workload) < ($0.price, $1.workload) }
    var left: [Int] = []
    for need in needs where !cover(need.workload) { left.append(need.workload) }
    yieldSurplus()
    for workload in left where !cover(workload) {
      guard open(for: workload, limit: limit) else { return nil }
    }
    log = []
    consolidate()
    for workload in yielded.keys.sorted() { while restore(workload) {} }
    return state
  }

  // MARK: - Covering

  /// Ways to cover what a workload lacks: fewest instances first, then cheapest. Empty where it has a rule that nothing more can
  /// fulfil.
  static func covers(
    _ workload: Int, _ state: KeepingState, _ prices: KeepingPrices
  ) -> [(columns: [Int], price: Double)] {
    let market = state.market
    var solver = CoverSolver(kinds: market.columns.count)
    let row = market.columns.indices.map { market.capacity(workload, $0) }
    if state.rules.number(workload) != nil { return state.completions(workload, prices: prices.prices) }
    let lack = state.lack(workload)
    _ = solver.solve(capacities: row[...], rate: lack, prices: prices.prices)
    let list = CoverAlternatives(
      capacities: row[...], rate: lack, prices: prices.prices, least: solver.lowerBound,
      allowance: 0.5 * (state.weights.max() ?? 1), limit: 24)
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

  /// Covers a workload in the room there is, with as few changed segments as that allows; false, and nothing changed,
  /// where there is none.
  private mutating func cover(_ workload: Int) -> Bool {
    while state.lack(workload) > 0, restore(workload) {}
    guard state.lack(workload) > 0 else { return true }
    let covers = Self.covers(workload, state, prices)
    for cover in covers where cover.columns.count == 1 { if place(workload, cover.columns) { return true } }
    if state.rules.number(workload) == nil, replace(workload) { return true }
    for cover in covers where cover.columns.count > 1 { if place(workload, cover.columns) { return true } }
    return false
  }

  private mutating func place(_ workload: Int, _ columns: [Int]) -> Bool {
    let mark = log.count
    for column in columns {
      let held = state.rules.number(workload) == nil ? [] : holders(workload)
      guard let place = room.place(column, outside: held, state) else {
        takeBack(to: mark)
        return false
      }
      record(
        place.slot,
        state.slots[place.slot].segments + [DraftSegment(workload: workload, column: column, start: place.start)])
    }
    return true
  }

  /// A larger instance, on the same GPU, in place of one that the workload has.
  private mutating func replace(_ workload: Int) -> Bool {
    let lack = state.lack(workload)
    for slot in holders(workload) {
      let segments = state.slots[slot].segments
      for (index, old) in segments.enumerated() where old.workload == workload {
        let needed = (lack + market.capacity(workload, old.column)) * (1 - CoverSolver.slack)
        let larger = market.poolColumns[state.slots[slot].pool]
          .filter { market.capacity(workload, $0) >= needed }
          .sorted { (prices.prices[$0], $0) < (prices.prices[$1], $1) }
        var rest = segments
        rest.remove(at: index)
        for column in larger {
          guard let start = market.starts(column).first(where: { fits(column, at: $0, beside: rest) }) else { continue }
          record(slot, rest + [DraftSegment(workload: workload, column: column, start: start)])
          room.offer(slot, state.slots[slot])
          return state.lack(workload) == 0
        }
      }
    }
    return false
  }

  /// Slots with a segment of the workload.
  private func holders(_ workload: Int) -> [Int] {
    places[workload].filter { slot in
      !closed.contains(slot) && state.slots[slot].segments.contains { $0.workload == workload }
    }
  }

  /// Whether one more instance of a column may stand at `start` beside others.
  private func fits(_ column: Int, at start: Int, beside segments: [DraftSegment]) -> Bool {
    let product = market.cuts[market.columns[column].pool].product
    let profile = product.profiles[market.columns[column].profile]
    var (taken, slices, alike): (UInt64, Int, Int) = (0, profile.computeSlices, 1)
    for segment in segments {
      let other = product.profiles[market.columns[segment.column].profile]
      taken |= other.mask(at: segment.start)
      slices += other.computeSlices
      if segment.column == column { alike += 1 }
    }
    return slices <= product.computeSlices && alike <= profile.maxInstances && profile.mask(at: start) & taken == 0
  }

  /// Covers a workload with the help of further GPUs, the cheapest that serve it.
  private mutating func open(for workload: Int, limit: Int) -> Bool {
    // At most one for each instance that a cover has on a pool: more of them would not help.
    var needed = state.weights.map { _ in 0 }
    for cover in Self.covers(workload, state, prices) {
      var own = needed.map { _ in 0 }
      for column in cover.columns { own[market.columns[column].pool] += 1 }
      for pool in own.indices { needed[pool] = max(needed[pool], own[pool]) }
    }
    let pools = state.weights.indices.filter { needed[$0] > 0 }.sorted {
      (state.weights[$0], $0) < (state.weights[$1], $1)
    }
    for step in 1... {
      let pool = pools.first { pool in
        needed[pool] > 0 && state.used[pool] + opened.count { state.slots[$0].pool == pool } < state.stock[pool]
      }
      guard let pool, state.gpuCount + opened.count < limit, step % 64 != 0 || !context.shouldStop() else {
        return false
      }
      needed[pool] -= 1
      let slot = state.emptySlot(pool: pool, excluding: opened)
      opened.insert(slot)
      room.offer(slot, state.slots[slot])
      let isCovered = cover(workload)
      opened = opened.filter { state.slots[$0].segments.isEmpty }
      if isCovered { return true }
    }
    return false
  }

  // MARK: - Surplus

  /// Takes away what workloads can do without, the instances that are worth most first.
  private mutating func yieldSurplus() {
    for workload in state.rates.indices where total[workload] > 1 && state.rules.number(workload) == nil {
      var spare = state.capacity[workload] - state.rates[workload]
      guard spare > 0 else { continue }
      let own = holders(workload).flatMap { slot in
        state.slots[slot].segments.filter { $0.workload == workload && $0.isKept }.map {
          Place(slot: slot, segment: $0)
        }
      }.sorted { a, b in
        let (x, y) = (prices.prices[a.segment.column], prices.prices[b.segment.column])
        return x != y ? x > y : (a.slot, a.segment.start) < (b.slot, b.segment.start)
      }
      for place in own {
        let capacity = market.capacity(workload, place.segment.column)
        guard capacity <= spare else { continue }
        spare -= capacity
        set(
          place.slot, state.slots[place.slot].segments.filter { $0.start != place.segment.start })
        room.offer(place.slot, state.slots[place.slot])
        yielded[workload, default: []].append(place)
      }
    }
  }

  /// Puts a segment back that was taken away, where its place is still free on a GPU in use; false where none is.
  private mutating func restore(_ workload: Int) -> Bool {
    guard let own = yielded[workload] else { return false }
    for (index, place) in own.enumerated() where !closed.contains(place.slot) {
      let segments = state.slots[place.slot].segments
      guard !segments.isEmpty, fits(place.segment.column, at: place.segment.start, beside: segments) else { continue }
      record(place.slot, segments + [place.segment], restored: place.segment)
      room.offer(place.slot, state.slots[place.slot])
      yielded[workload]?.remove(at: index)
      return true
    }
    return false
  }

  // MARK: - Emptying

  /// Empties GPUs as long as one is worth what it changes.
  private mutating func consolidate() {
    let waste = prices.waste(state)
    var candidates = state.slots.indices.filter { !state.slots[$0].segments.isEmpty }
      .sorted { (-waste[$0], $0) < (-waste[$1], $1) }
    guard candidates.count <= Self.choosyLimit else {
      var failures = 0
      for slot in candidates where failures < Self.failureLimit && !context.shouldStop() {
        let mark = log.count
        if let gain = empty(slot), gain > Tolerance.relative {
          failures = 0
          log = []
        } else {
          takeBack(to: mark)
          failures += 1
        }
      }
      return
    }
    while !context.shouldStop() {
      var best: (slot: Int, gain: Double)?
      for slot in candidates {
        let mark = log.count
        if let gain = empty(slot), gain > best?.gain ?? Tolerance.relative { best = (slot, gain) }
        takeBack(to: mark)
      }
      guard let best, empty(best.slot) != nil else { return }
      log = []
      candidates.removeAll { $0 == best.slot }
    }
  }

  /// Moves what stands on a GPU elsewhere; what that saves, or nil where not all of it finds room.
  private mutating func empty(_ slot: Int) -> Double? {
    let before = movePrice
    let gone = state.slots[slot].segments
    room.close(slot, state.slots[slot])
    closed.insert(slot)
    record(slot, [])
    var seen: Set<Int> = []
    for segment in gone where seen.insert(segment.workload).inserted && state.lack(segment.workload) > 0 {
      guard cover(segment.workload) else { return nil }
    }
    return state.weights[state.slots[slot].pool] - (movePrice - before)
  }

  // MARK: - Bookkeeping

  private mutating func record(_ slot: Int, _ segments: [DraftSegment], restored: DraftSegment? = nil) {
    log.append(Entry(slot: slot, segments: state.slots[slot].segments, restored: restored))
    set(slot, segments)
  }

  private mutating func takeBack(to mark: Int) {
    while log.count > mark, let entry = log.popLast() {
      set(entry.slot, entry.segments)
      closed.remove(entry.slot)
      room.offer(entry.slot, state.slots[entry.slot])
      if let segment = entry.restored {
        yielded[segment.workload, default: []].append(Place(slot: entry.slot, segment: segment))
      }
    }
  }

  private mutating func set(_ slot: Int, _ segments: [DraftSegment]) {
    count(state.slots[slot].segments, -1)
    state.set(slot, segments)
    count(segments, 1)
    for segment in segments where !places[segment.workload].contains(slot) { places[segment.workload].append(slot) }
  }

  private mutating func count(_ segments: [DraftSegment], _ sign: Int) {
    for segment in segments {
      let workload = segment.workload
      movePrice -= price(workload)
      total[workload] += sign
      if segment.isKept { kept[workload] += sign }
      movePrice += price(workload)
    }
  }

  /// What the changed segments of a workload cost.
  private func price(_ workload: Int) -> Double {
    moveCosts[workload] * Double(max(segmentsBefore[workload], total[workload]) - kept[workload])
  }
}
