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
  /// Empty ones may be taken into use; they keep their identity.
  private(set) var slots: [DraftGPU]
  private(set) var capacity: [Double]
  /// Non-empty slots per pool.
  private(set) var used: [Int]

  init(_ slots: [DraftGPU], _ market: Market, rates: [Double], weights: [Double], stock: [Int]) {
    self.market = market
    self.rates = rates
    self.weights = weights
    self.slots = slots
    self.stock = stock
    capacity = [Double](repeating: 0, count: rates.count)
    used = [Int](repeating: 0, count: stock.count)
    for slot in slots { count(slot, sign: 1) }
  }

  var cost: Double { zip(used, weights).reduce(0) { $0 + Double($1.0) * $1.1 } }
  var gpuCount: Int { used.reduce(0, +) }
  var isWithinStock: Bool { zip(used, stock).allSatisfy { $0 <= $1 } }

  /// Rate that a workload still lacks; 0 where it is covered.
  func lack(_ workload: Int) -> Double {
    let lack = rates[workload] - capacity[workload]
    return lack > rates[workload] * CoverSolver.slack ? lack : 0
  }

  /// Workloads that lack something. O(workloads).
  var lacking: [Int] { rates.indices.filter { lack($0) > 0 } }

  /// Replaces what stands on a slot. O(segments of the slot).
  mutating func set(_ slot: Int, _ segments: [DraftSegment]) {
    count(slots[slot], sign: -1)
    slots[slot].segments = segments
    count(slots[slot], sign: 1)
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
    }
  }
}
