/// A plan between the current one and the next: GPUs with segments that stay and segments that are new, what each
/// workload gets from them, and what the GPUs cost.
struct KeepingState {
  let market: Market
  /// Requests per second that each workload must get, 0 for those that are not served.
  let rates: [Double]
  /// Objective per GPU of each pool.
  let weights: [Double]
  /// GPUs there may be per pool.
  let stock: [Int]
  let rules: KeepingRules
  /// Empty ones may be taken into use; they keep their identity.
  private(set) var slots: [DraftGPU]
  private(set) var capacity: [Double]
  /// Non-empty slots per pool.
  private(set) var used: [Int]
  /// Instances of the workloads with rules, in rows of ``KeepingRules/width``.
  private var covers: [Int32]

  init(
    _ slots: [DraftGPU], _ market: Market, rates: [Double], weights: [Double], stock: [Int],
    rules: KeepingRules = .none
  ) {
    self.market = market
    self.rates = rates
    self.weights = weights
    self.slots = slots
    self.stock = stock
    self.rules = rules
    covers = [Int32](repeating: 0, count: rules.workloads.count * rules.width)
    capacity = [Double](repeating: 0, count: rates.count)
    used = [Int](repeating: 0, count: stock.count)
    for slot in slots { count(slot, sign: 1) }
  }

  var cost: Double { zip(used, weights).reduce(0) { $0 + Double($1.0) * $1.1 } }
  var gpuCount: Int { used.reduce(0, +) }
  var isWithinStock: Bool { zip(used, stock).allSatisfy { $0 <= $1 } }

  /// Rate that a workload still lacks; 0 where it is covered. Of one with a rule see ``KeepingRules``.
  func lack(_ workload: Int) -> Double {
    if let number = rules.number(workload) {
      let row = covers[number * rules.width..<(number + 1) * rules.width]
      return rules.lack(of: row, workload, rate: rates[workload]) { market.capacity(workload, $0) }
    }
    let lack = rates[workload] - capacity[workload]
    return lack > rates[workload] * CoverSolver.slack ? lack : 0
  }

  /// Instances per column of a workload that has a rule.
  func ruledCover(_ workload: Int) -> [Int] {
    rules.number(workload).map { covers[$0 * rules.width..<($0 + 1) * rules.width].map(Int.init) } ?? []
  }

  /// Whether a cover would be enough for the workload, under its rule where it has one.
  func isEnough(_ cover: [Int], _ workload: Int) -> Bool {
    rules.lack(of: cover.map(Int32.init)[...], workload, rate: rates[workload]) { market.capacity(workload, $0) } == 0
  }

  /// Slots that hold a segment of each of some workloads, in order. O(segments).
  func holders(of workloads: Set<Int>) -> [Int: [Int]] {
    var found: [Int: [Int]] = [:]
    guard !workloads.isEmpty else { return found }
    for (index, slot) in slots.enumerated() {
      for segment in slot.segments where workloads.contains(segment.workload) {
        if found[segment.workload]?.last != index { found[segment.workload, default: []].append(index) }
      }
    }
    return found
  }

  /// Workloads that lack something. O(workloads).
  var lacking: [Int] { rates.indices.filter { lack($0) > 0 } }

  /// Replaces what stands on a slot. O(segments of the slot).
  mutating func set(_ slot: Int, _ segments: [DraftSegment]) {
    count(slots[slot], sign: -1)
    slots[slot].segments = segments
    count(slots[slot], sign: 1)
  }

  /// Says where a slot's GPU is.
  mutating func locate(_ slot: Int, home: Int?, node: String?) {
    (slots[slot].home, slots[slot].node) = (home, node)
  }

  mutating func append(_ gpu: DraftGPU) {
    slots.append(gpu)
    count(gpu, sign: 1)
  }

  /// The first empty slot of a pool that is not `excluded`, or a new one behind the others; the stock is the caller's to
  /// mind. O(slots).
  mutating func emptySlot(pool: Int, excluding excluded: Set<Int> = []) -> Int {
    let empty = slots.indices.first {
      slots[$0].pool == pool && slots[$0].segments.isEmpty && !excluded.contains($0)
    }
    if let empty { return empty }
    slots.append(DraftGPU(pool: pool, segments: []))
    return slots.count - 1
  }

  /// Segments that a diff against the current plan would show as changed: per workload the larger number of segments
  /// before and after, less those kept. O(segments).
  func changes(segmentsBefore: [Int]) -> Int { changesByWorkload(segmentsBefore).reduce(0, +) }

  private func changesByWorkload(_ segmentsBefore: [Int]) -> [Int] {
    var now = [Int](repeating: 0, count: rates.count)
    var kept = now
    for slot in slots {
      for segment in slot.segments {
        now[segment.workload] += 1
        if segment.isKept { kept[segment.workload] += 1 }
      }
    }
    return rates.indices.map { max(segmentsBefore[$0], now[$0]) - kept[$0] }
  }

  /// What the changed segments cost, at the price that each workload has for one of its own. O(segments).
  func changeCost(_ prices: [Double], segmentsBefore: [Int]) -> Double {
    let changes = changesByWorkload(segmentsBefore)
    return changes.indices.reduce(0) { $0 + prices[$1] * Double(changes[$1]) }
  }

  private mutating func count(_ slot: DraftGPU, sign: Double) {
    guard !slot.segments.isEmpty else { return }
    used[slot.pool] += Int(sign)
    for segment in slot.segments {
      capacity[segment.workload] += sign * market.capacity(segment.workload, segment.column)
      if let number = rules.number(segment.workload) { covers[number * rules.width + segment.column] += Int32(sign) }
    }
  }
}

extension KeepingState {
  /// The cheapest cover of a workload with a rule that contains what it has; nil where there is none.
  func completed(_ workload: Int, _ now: [Int], prices: [Double]) -> [Int]? {
    let row = prices.indices.map { market.capacity(workload, $0) }
    var bounds: [Int: BoundedCover.Bounds] = [:]
    for (column, count) in now.enumerated() where count > 0 { bounds[column] = BoundedCover.Bounds(low: Int32(count)) }
    let whole = BoundedCover(
      capacities: row[...], rate: rates[workload], prices: prices, rule: rules.rule(workload), bounds: bounds)
    let cover = whole.cover.map(Int.init)
    return !cover.isEmpty && isEnough(cover, workload) ? cover : nil
  }

  /// Instances that would make up what a workload with a rule lacks: fewest first, then cheapest.
  func completions(_ workload: Int, prices: [Double]) -> [(columns: [Int], price: Double)] {
    let now = ruledCover(workload)
    var found: [[Int]] = []
    for column in now.indices where market.capacity(workload, column) > 0 {
      var cover = now
      cover[column] += 1
      if isEnough(cover, workload) { found.append([column]) }
    }
    if found.isEmpty, let cover = completed(workload, now, prices: prices) {
      found.append(cover.indices.reversed().flatMap { [Int](repeating: $0, count: cover[$0] - now[$0]) })
    }
    return found.filter { !$0.isEmpty }.map { columns in (columns, columns.reduce(0) { $0 + prices[$1] }) }
      .sorted { ($0.columns.count, $0.price) < ($1.columns.count, $1.price) }
  }
}
