/// Which workloads should buy other instances than they have, so that all covers together are worth no more than a
/// budget, with few of them changed.
struct CoverExchange {
  struct Change {
    var workload: Int
    /// Instances per column of the market.
    var cover: [Int]
    /// What it saves, in units of the objective.
    var saving: Double
    /// Segments that change with it.
    var changes: Int
  }

  private let state: KeepingState
  private let prices: [Double]
  private let segmentsBefore: [Int]
  /// What workloads with a rule have in the plan afresh.
  private let ruledAfresh: [Int: [Int]]
  /// (slot, index in the slot) of each workload's segments.
  private var places: [[(slot: Int, index: Int)]]
  /// For workloads that lack something, in order of the input.
  private var forced: [Change] = []
  /// For the others whose instances are dearer than need be, most saving per changed segment first.
  private var voluntary: [Change] = []
  /// What all covers are worth when only the forced exchanges are made, and when all are.
  private var worth = 0.0
  private(set) var least = 0.0

  /// `ruledAfresh` are covers that workloads with a rule have in the plan afresh; `penalty` is what a changed segment of a workload that lacks something counts, in GPUs; for the others it counts a
  /// tenth. O(workloads x covers + segments).
  init(
    _ state: KeepingState, _ prices: [Double], _ segmentsBefore: [Int], ruledAfresh: [Int: [Int]] = [:], penalty: Double
  ) {
    self.ruledAfresh = ruledAfresh
    self.state = state
    self.prices = prices
    self.segmentsBefore = segmentsBefore
    places = [[(slot: Int, index: Int)]](repeating: [], count: state.rates.count)
    for (slot, gpu) in state.slots.enumerated() {
      for (index, segment) in gpu.segments.enumerated() { places[segment.workload].append((slot, index)) }
    }
    var solver = CoverSolver(kinds: prices.count)
    for workload in state.rates.indices where state.rates[workload] > 0 {
      let row = prices.indices.map { state.market.capacity(workload, $0) }
      _ = solver.solve(
        capacities: row[...], rate: state.rates[workload], prices: prices, rule: state.rules.rule(workload))
      let cheapest = solver.lowerBound
      let now = counts(workload)
      let price = value(now)
      let isLacking = state.lack(workload) > 0
      guard isLacking || price > cheapest + 1e-6 else {
        worth += price
        least += price
        continue
      }
      let change = change(workload, row, now, cheapest, penalty: isLacking ? penalty : penalty / 10)
      if isLacking {
        forced.append(change)
        worth += price - change.saving
        least += price - change.saving
      } else {
        worth += price
        least += price - max(0, change.saving)
        if change.saving > 1e-6 { voluntary.append(change) }
      }
    }
    voluntary.sort { a, b in
      let (x, y) = (a.saving / Double(max(1, a.changes)), b.saving / Double(max(1, b.changes)))
      return x != y ? x > y : a.workload < b.workload
    }
  }

  /// The forced exchanges and as many others as leave all covers worth at most `budget`, or all there are.
  func changes(downTo budget: Double) -> [Change] {
    var left = worth
    return forced
      + voluntary.prefix { change in
        guard left > budget else { return false }
        left -= change.saving
        return true
      }
  }

  /// The state without the segments that go, and the segments that come.
  func exchange(_ changes: [Change]) -> (state: KeepingState, pending: [DraftSegment]) {
    var next = state
    var pending: [DraftSegment] = []
    for change in changes { apply(change, &next, &pending) }
    return (next, pending)
  }

  /// All exchanges, with covers chosen together so that all instances fit into a number of GPUs of one pool; nil where
  /// the search finds no such choice or there are several pools. Up to `others` of the workloads that need not change may
  /// do so where that makes sizes fit.
  func balanced(gpus limit: Int?, allowance: Double, others: Int, _ context: PlanningContext) -> [Change]? {
    let changes = forced + voluntary + unchanged(others)
    guard let limit, !changes.isEmpty else { return nil }
    let market = state.market
    let workloads = changes.map(\.workload)
    let part = market.part(workloads, rates: workloads.map { state.rates[$0] }, stock: [nil])
    let model = PriceModel(
      part, workloads: Array(workloads.indices), weights: state.weights, supply: Supply(part.input))
    var rest = [Int](repeating: 0, count: market.columns.count)
    for slot in state.slots { for segment in slot.segments { rest[segment.column] += 1 } }
    for workload in workloads { for (column, count) in counts(workload).enumerated() { rest[column] -= count } }
    guard rest.indices.allSatisfy({ rest[$0] == 0 || model.columns.contains($0) }) else { return nil }
    var covers: [Int32] = []
    var totals = model.columns.map { rest[$0] }
    for change in changes {
      for (index, column) in model.columns.enumerated() {
        covers.append(Int32(change.cover[column]))
        totals[index] += change.cover[column]
      }
    }
    let ownPrices = model.columns.map { prices[$0] }
    var solver = CoverSolver(kinds: ownPrices.count)
    var alternatives: [(workload: Int, covers: [[Int32]])] = []
    for index in workloads.indices.prefix(3000) where state.rules.number(workloads[index]) == nil {
      let row = model.capacities[index * ownPrices.count..<(index + 1) * ownPrices.count]
      _ = solver.solve(capacities: row, rate: model.rates[index], prices: ownPrices)
      let list = CoverAlternatives(
        capacities: row, rate: model.rates[index], prices: ownPrices, least: solver.lowerBound,
        allowance: min(allowance, 0.1 * (state.weights.min() ?? 1)), limit: 24)
      if list.covers.count > 1 { alternatives.append((index, list.covers)) }
    }
    var search = BalanceSearch(
      CoverAssignment(covers: covers, totals: totals), model, alternatives: alternatives, allowed: [limit],
      prices: ownPrices, seed: 1)
    guard let packed = search.run(rounds: 40, context) else { return nil }
    return changes.enumerated().map { index, change in
      var balanced = change
      for (offset, column) in model.columns.enumerated() {
        balanced.cover[column] = Int(packed.assignment.covers[index * model.columns.count + offset])
      }
      return balanced
    }
  }

  /// An even share of the workloads that need not change, with the covers they have.
  private func unchanged(_ count: Int) -> [Change] {
    guard count > 0 else { return [] }
    var isChanged = [Bool](repeating: false, count: state.rates.count)
    for change in forced { isChanged[change.workload] = true }
    for change in voluntary { isChanged[change.workload] = true }
    let rest = state.rates.indices.filter {
      state.rates[$0] > 0 && !isChanged[$0] && state.rules.number($0) == nil
    }
    return stride(from: 0, to: rest.count, by: max(1, rest.count / count)).map {
      Change(workload: rest[$0], cover: counts(rest[$0]), saving: 0, changes: 0)
    }
  }

  private func counts(_ workload: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: prices.count)
    for place in places[workload] { counts[state.slots[place.slot].segments[place.index].column] += 1 }
    return counts
  }

  private func value(_ cover: [Int]) -> Double { zip(cover, prices).reduce(0) { $0 + Double($1.0) * $1.1 } }

  /// A cover that is cheap and near the present one: each changed segment counts as `penalty` GPUs.
  private func change(
    _ workload: Int, _ row: [Double], _ now: [Int], _ cheapest: Double, penalty: Double
  ) -> Change {
    let unit = state.weights.min() ?? 1
    let list = CoverAlternatives(
      capacities: row[...], rate: state.rates[workload], prices: prices, least: cheapest, allowance: 0.15 * unit,
      limit: 32, rule: state.rules.rule(workload))
    var best: (cover: [Int], changes: Int, value: Double)?
    var covers = list.covers.map { $0.map(Int.init) }
    covers.append(completed(workload, row, now))
    if state.rules.number(workload) != nil {
      if let afresh = ruledAfresh[workload] { covers.append(afresh) }
      covers = covers.filter { state.isEnough($0, workload) }
    }
    for cover in covers {
      let kept = zip(cover, now).reduce(0) { $0 + min($1.0, $1.1) }
      let changes = max(segmentsBefore[workload], cover.reduce(0, +)) - kept
      let value = value(cover)
      if value + penalty * unit * Double(changes) < best.map({ $0.value + penalty * unit * Double($0.changes) })
        ?? .infinity
      {
        best = (cover, changes, value)
      }
    }
    return Change(
      workload: workload, cover: best?.cover ?? now, saving: value(now) - (best?.value ?? value(now)),
      changes: best?.changes ?? 0)
  }

  /// The present instances and the cheapest cover of what they leave over.
  private func completed(_ workload: Int, _ row: [Double], _ now: [Int]) -> [Int] {
    let lack = state.lack(workload)
    guard lack > 0 else { return now }
    if state.rules.number(workload) != nil { return state.completed(workload, now, prices: prices) ?? now }
    var solver = CoverSolver(kinds: prices.count)
    _ = solver.solve(capacities: row[...], rate: lack, prices: prices)
    var cover = [Int32](repeating: 0, count: row.count)
    solver.cover(into: &cover, at: 0)
    return zip(now, cover).map { $0 + Int($1) }
  }

  private func apply(_ change: Change, _ next: inout KeepingState, _ pending: inout [DraftSegment]) {
    var wanted = change.cover
    var gone: Set<Int> = []
    for place in places[change.workload] {
      let column = state.slots[place.slot].segments[place.index].column
      if wanted[column] > 0 { wanted[column] -= 1 } else { gone.insert(place.slot) }
    }
    if !gone.isEmpty {
      wanted = change.cover
      for slot in Set(places[change.workload].map(\.slot)).sorted() {
        next.set(
          slot,
          next.slots[slot].segments.filter { segment in
            guard segment.workload == change.workload else { return true }
            wanted[segment.column] -= 1
            return wanted[segment.column] >= 0
          })
      }
      wanted = wanted.map { max(0, $0) }
    }
    for (column, count) in wanted.enumerated() {
      pending += [DraftSegment](
        repeating: DraftSegment(workload: change.workload, column: column, start: 0), count: count)
    }
  }
}
