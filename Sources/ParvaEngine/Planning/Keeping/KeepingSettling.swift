/// Sees to it that workloads with rules stand apart where they have to: of those whose rule is broken, and of no others, as few
/// segments as possible move.
///
/// A segment that stands too near another of its workload changes places with an equal instance of somebody who may stand
/// there, or goes where there is room; only then more instances are added, in free room and on GPUs that the budget allows.
struct KeepingSettling {
  private struct Place: Hashable {
    var slot: Int
    var start: Int
  }

  private enum Step {
    case swap(Place)
    case move(KeepingPlace)
  }

  /// Where a segment of a workload would rather stand.
  private struct Wish {
    var workload: Int
    var over: Spread.Domain
    /// What the workload has on each domain, in requests per second.
    var held: [Int: Double]
    /// Whether it stands on too few domains, so that only further ones help.
    var lacksDomains: Bool
    /// Domain and capacity of the segment.
    var own = 0
    var capacity = 0.0
  }

  /// After so many workloads it is asked whether there is time left.
  private static let asking = 64

  private var state: KeepingState
  private let untouched: KeepingState
  private let market: Market
  private let rules: KeepingRules
  private let allowedCost: Double
  private let allowedCount: Int
  /// Number of each slot's node; nil where it has none.
  private var nodes: [Int?] = []
  private var slotsOfNode: [[Int]] = []
  /// Per workload with a rule where its segments stand.
  private var places: [[Place]]
  /// Per column where its instances stand: those that are new, and all; the latter only once somebody has asked.
  private var fresh: [[Place]]
  private var all: [[Place]] = []
  /// Per column how far the search among all has come, so that not everybody asks the same.
  private var cursors: [Int]
  private var room: KeepingRoom?

  /// `state` with all rules kept, within the budget; nil where that cannot be had or time is over. What stands in `untouched`
  /// counts as kept. O(segments), and O(instances of a column) at most for each segment that moves.
  static func run(
    _ state: KeepingState, from untouched: KeepingState, allowedCost: Double, allowedCount: Int,
    _ context: PlanningContext
  ) -> KeepingState? {
    var settling = KeepingSettling(state, untouched, allowedCost: allowedCost, allowedCount: allowedCount)
    var asked = 0
    var broken = settling.rules.workloads.filter { !settling.holds($0) }
    // Who finds nobody to change places with may do so once others stand where they are to.
    for mayAdd in [false, false, true] where !broken.isEmpty {
      var rest: [Int] = []
      for workload in broken {
        if asked % asking == asking - 1, context.shouldStop() { return nil }
        asked += 1
        if !settling.settle(workload, mayAdd: mayAdd) { rest.append(workload) }
      }
      broken = rest
    }
    return broken.isEmpty ? settling.state : nil
  }

  /// Whether all rules are kept as it stands. Nodes count only where slots have them. O(segments).
  static func holds(_ state: KeepingState) -> Bool {
    guard !state.rules.isEmpty else { return true }
    let settling = KeepingSettling(state, state, allowedCost: 0, allowedCount: 0, namesNodes: false)
    return settling.rules.workloads.allSatisfy(settling.holds)
  }

  private init(
    _ state: KeepingState, _ untouched: KeepingState, allowedCost: Double, allowedCount: Int, namesNodes: Bool = true
  ) {
    self.state = state
    self.untouched = untouched
    self.allowedCost = allowedCost
    self.allowedCount = allowedCount
    market = state.market
    rules = state.rules
    places = [[Place]](repeating: [], count: state.rules.workloads.count)
    fresh = [[Place]](repeating: [], count: state.market.columns.count)
    cursors = [Int](repeating: 0, count: fresh.count)
    if namesNodes { nameNodes() }
    var numbers: [String: Int] = [:]
    for (slot, gpu) in self.state.slots.enumerated() {
      var node: Int?
      if rules.overNodes, let name = gpu.node, !gpu.segments.isEmpty {
        let number = numbers[name, default: numbers.count]
        numbers[name] = number
        if number == slotsOfNode.count { slotsOfNode.append([]) }
        slotsOfNode[number].append(slot)
        node = number
      }
      nodes.append(node)
      for segment in gpu.segments {
        let place = Place(slot: slot, start: segment.start)
        if let number = rules.number(segment.workload) { places[number].append(place) }
        if !segment.isKept { fresh[segment.column].append(place) }
      }
    }
  }

  /// Gives the GPUs the nodes that they would get in the end. Not where tenants are planned apart: one might take another's.
  private mutating func nameNodes() {
    guard rules.overNodes, !market.input.workloads.contains(where: { $0.constraints.exclusive != nil }) else { return }
    let used = state.slots.indices.filter { !state.slots[$0].segments.isEmpty }
    let placed = NodeFilling.run(market.classes.sharedOut(used.map { state.slots[$0] }), market.classes.pools)
    for (slot, gpu) in zip(used, placed) { state.locate(slot, home: gpu.home, node: gpu.node) }
  }

  // MARK: - Rules

  private func constraints(_ workload: Int) -> Constraints { market.input.workloads[workload].constraints }

  /// Number of the failure domain that a slot is for a workload; GPUs whose node is not known are one.
  private func domain(_ slot: Int, _ over: Spread.Domain) -> Int { over == .gpu ? slot : nodes[slot] ?? -1 }

  private func segment(_ place: Place) -> DraftSegment? {
    state.slots[place.slot].segments.first { $0.start == place.start }
  }

  /// What a workload has on each domain it stands on, in requests per second.
  private func held(_ workload: Int, _ over: Spread.Domain) -> [Int: Double] {
    guard let number = rules.number(workload) else { return [:] }
    var held: [Int: Double] = [:]
    for place in places[number] {
      guard let segment = segment(place) else { continue }
      held[domain(place.slot, over), default: 0] += market.capacity(workload, segment.column)
    }
    return held
  }

  private func holds(_ workload: Int) -> Bool { missing(workload) == (0, 0) && isCounted(workload) }

  private func isCounted(_ workload: Int) -> Bool {
    let count = rules.number(workload).map { places[$0].count } ?? 0
    return constraints(workload).replicas?.allows(count) ?? true
  }

  /// Domains that a workload lacks, and requests per second once the domains are lost that it must survive.
  private func missing(_ workload: Int) -> (domains: Int, rate: Double) {
    let (constraints, rate) = (constraints(workload), state.rates[workload])
    var domains = 0
    var carried = state.capacity[workload]
    if let wanted = constraints.domains {
      let held = held(workload, wanted.over)
      domains = max(0, wanted.atLeast - held.keys.count { $0 >= 0 })
      if let survive = constraints.survive { carried = survive.remainder(of: held.values) }
    }
    return (domains, carried < rate * (1 - CoverSolver.slack) ? rate - carried : 0)
  }

  // MARK: - Steps

  private mutating func settle(_ workload: Int, mayAdd: Bool) -> Bool {
    guard let number = rules.number(workload) else { return true }
    if let over = constraints(workload).domains?.over {
      // Each step takes one segment away from others of its workload.
      for _ in places[number] where !holds(workload) && !part(workload, number, over) { break }
    }
    let most = constraints(workload).replicas?.most ?? SegmentLimit.perWorkload
    while !holds(workload) {
      guard mayAdd, places[number].count < most, add(workload, number) else { return false }
    }
    return true
  }

  /// Takes one segment to a domain where the workload has less; false where that cannot be had.
  private mutating func part(_ workload: Int, _ number: Int, _ over: Spread.Domain) -> Bool {
    let held = held(workload, over)
    let counts = places[number].reduce(into: [:]) { $0[domain($1.slot, over), default: 0] += 1 }
    let most = held.values.max() ?? 0
    let lacksDomains = missing(workload).domains > 0
    let crowded = places[number].filter { place in
      let own = domain(place.slot, over)
      return counts[own] ?? 0 > 1 && (lacksDomains || held[own] == most)
    }
    var ranked: [(place: Place, segment: DraftSegment)] = []
    for place in crowded { if let segment = segment(place) { ranked.append((place, segment)) } }
    ranked.sort { a, b in
      (a.segment.isKept ? 1 : 0, a.place.slot, a.place.start) < (b.segment.isKept ? 1 : 0, b.place.slot, b.place.start)
    }
    var wish = Wish(workload: workload, over: over, held: held, lacksDomains: lacksDomains)
    for (mine, segment) in ranked {
      wish.capacity = market.capacity(workload, segment.column)
      wish.own = domain(mine.slot, over)
      guard let step = step(mine, segment, wish) else { continue }
      apply(step, mine, segment)
      return true
    }
    return false
  }

  private func helps(_ slot: Int, _ wish: Wish) -> Bool {
    let target = domain(slot, wish.over)
    guard target >= 0, target != wish.own else { return false }
    if wish.lacksDomains { return wish.held[target] == nil }
    return (wish.held[target] ?? 0) + wish.capacity < (wish.held[wish.own] ?? 0) - 1e-12
  }

  /// The step that changes least: places of new segments, free room, then places of those that stand.
  private mutating func step(_ mine: Place, _ segment: DraftSegment, _ wish: Wish) -> Step? {
    let column = segment.column
    for place in fresh[column] where helps(place.slot, wish) && maySwap(mine, place, column, wish.workload) {
      return .swap(place)
    }
    if let place = freePlace(column, outside: wish.held, wish.over) { return .move(place) }
    if all.isEmpty {
      all = [[Place]](repeating: [], count: market.columns.count)
      for (slot, gpu) in state.slots.enumerated() {
        for segment in gpu.segments { all[segment.column].append(Place(slot: slot, start: segment.start)) }
      }
    }
    for offset in all[column].indices {
      let index = (cursors[column] + offset) % all[column].count
      let place = all[column][index]
      guard helps(place.slot, wish), maySwap(mine, place, column, wish.workload) else { continue }
      cursors[column] = index + 1
      return .swap(place)
    }
    return nil
  }

  /// Whether an equal instance of somebody else stands there, who would lack no more at the other place.
  private mutating func maySwap(_ mine: Place, _ theirs: Place, _ column: Int, _ workload: Int) -> Bool {
    guard let other = segment(theirs), other.column == column, other.workload != workload else { return false }
    guard let number = rules.number(other.workload) else { return true }
    guard let index = places[number].firstIndex(of: theirs) else { return false }
    let before = missing(other.workload)
    places[number][index] = mine
    // The instance is the same, only its domain is another.
    let after = missing(other.workload)
    places[number][index] = theirs
    return after.domains <= before.domains && after.rate <= before.rate
  }

  /// Room on a GPU in use on none of the domains that are held; it is taken.
  private mutating func freePlace(_ column: Int, outside held: [Int: Double], _ over: Spread.Domain) -> KeepingPlace? {
    var room = self.room ?? KeepingRoom(state)
    self.room = nil
    defer { self.room = room }
    // Where a node is not known, it cannot be told from those that are held.
    let closed = over == .gpu ? Array(held.keys) : held.keys.filter { $0 >= 0 }.flatMap { slotsOfNode[$0] }
    let place = room.place(column, outside: closed, state)
    guard let found = place, over == .node, nodes[found.slot] == nil else { return place }
    room.remove(found)
    return nil
  }

  private mutating func apply(_ step: Step, _ mine: Place, _ segment: DraftSegment) {
    switch step {
    case .swap(let theirs):
      guard let other = self.segment(theirs) else { return }
      replace(mine, segment.workload, with: other.workload, segment.column)
      replace(theirs, other.workload, with: segment.workload, segment.column)
    case .move(let place):
      let target = Place(slot: place.slot, start: place.start)
      set(mine.slot, state.slots[mine.slot].segments.filter { $0.start != mine.start })
      set(
        target.slot, state.slots[target.slot].segments + [standing(target, segment.workload, segment.column)])
      moved(segment.workload, from: mine, to: target)
    }
  }

  private mutating func replace(_ place: Place, _ old: Int, with new: Int, _ column: Int) {
    let next = standing(place, new, column)
    state.set(place.slot, state.slots[place.slot].segments.map { $0.start == place.start ? next : $0 })
    if let number = rules.number(old), let index = places[number].firstIndex(of: place) {
      places[number].remove(at: index)
    }
    if let number = rules.number(new) { places[number].append(place) }
    if !next.isKept { fresh[column].append(place) }
  }

  private mutating func moved(_ workload: Int, from old: Place, to new: Place) {
    guard let number = rules.number(workload) else { return }
    places[number].removeAll { $0 == old }
    places[number].append(new)
  }

  /// A segment at a place: the one that stood there before, where it is that.
  private func standing(_ place: Place, _ workload: Int, _ column: Int) -> DraftSegment {
    let new = DraftSegment(workload: workload, column: column, start: place.start)
    guard place.slot < untouched.slots.count else { return new }
    return untouched.slots[place.slot].segments.first {
      $0.workload == workload && $0.column == column && $0.start == place.start
    } ?? new
  }

  private mutating func set(_ slot: Int, _ segments: [DraftSegment]) {
    state.set(slot, segments)
    if segments.isEmpty { room?.close(slot, state.slots[slot]) } else { room?.offer(slot, state.slots[slot]) }
  }

  // MARK: - More instances

  /// One more instance where it helps, the cheapest that is enough or the largest; false where there is no room.
  private mutating func add(_ workload: Int, _ number: Int) -> Bool {
    let over = constraints(workload).domains?.over ?? .gpu
    let (held, missing) = (held(workload, over), missing(workload))
    var closed = held
    if missing.domains == 0 {
      // Then only domains that may be lost are of no use.
      let losses = constraints(workload).survive?.losses ?? 0
      closed = [:]
      for (domain, capacity) in held.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(losses) {
        closed[domain] = capacity
      }
    }
    let columns = market.columns.indices.filter { market.capacity(workload, $0) > 0 }
    func rank(_ column: Int) -> (Int, Double, Int) {
      let capacity = market.capacity(workload, column)
      return capacity >= missing.rate
        ? (0, Double(market.columns[column].computeSlices), column) : (1, -capacity, column)
    }
    for column in columns.sorted(by: { rank($0) < rank($1) }) {
      guard let place = freePlace(column, outside: closed, over) ?? open(column, over) else { continue }
      let target = Place(slot: place.slot, start: place.start)
      set(target.slot, state.slots[target.slot].segments + [standing(target, workload, column)])
      places[number].append(target)
      return true
    }
    return false
  }

  /// A place on a further GPU within the budget. Which node that is on is not known, so it is none for those who ask.
  private mutating func open(_ column: Int, _ over: Spread.Domain) -> KeepingPlace? {
    let pool = market.columns[column].pool
    guard over == .gpu, state.gpuCount < allowedCount, state.cost + state.weights[pool] <= allowedCost,
      state.used[pool] < state.stock[pool]
    else { return nil }
    let slot = state.emptySlot(pool: pool)
    while nodes.count < state.slots.count { nodes.append(nil) }
    room?.offer(slot, state.slots[slot])
    var only = room ?? KeepingRoom(state)
    if room == nil { only.open(slot, state.slots[slot]) }
    let place = only.place(column)
    room = only
    return place
  }
}
