/// Fewer changes for plans that are too large to be searched as a whole: a few GPUs at a time are searched to the end while the
/// others stay as they are, as long as that leads to something.
struct KeepingWindows {
  /// GPUs up to which that is worth its time.
  private static let gpuLimit = 120
  /// Small windows are searched through quickly, large ones see more; in turn.
  private static let segmentLimits = [16, 24, 20, 24]
  private static let slotLimit = 6
  private static let searchLimit = 400
  private static let nodeLimit = 16_000
  /// Choices of other GPUs for each that changes, as long as none leads to anything.
  private static let choices = 8

  private let start: KeepingState
  private let allowedCost: Double
  private let allowedCount: Int
  private let segmentsBefore: [Int]
  private let context: PlanningContext
  private var best: KeepingState
  private var changes: Int

  /// `state` or a plan that changes fewer segments of `start` within the same budget. Of workloads with rules as much stays in a
  /// window as is there, and what breaks a rule does not count.
  static func improved(
    _ state: KeepingState, from start: KeepingState, allowedCost: Double, allowedCount: Int, segmentsBefore: [Int],
    _ context: PlanningContext
  ) -> KeepingState {
    guard state.gpuCount <= gpuLimit, state.lacking.isEmpty else { return state }
    var windows = KeepingWindows(
      start: start, allowedCost: allowedCost, allowedCount: allowedCount, segmentsBefore: segmentsBefore,
      context: context, best: state, changes: state.changes(segmentsBefore: segmentsBefore))
    windows.run()
    return windows.best
  }

  private mutating func run() {
    var searches = 0
    var turn = 0
    var failures = 0
    while changes > 0 {
      let changed = best.slots.indices.filter(isChanged)
      guard !changed.isEmpty, failures < Self.choices * changed.count else { return }
      let window = window(around: changed[turn % changed.count], turn / changed.count, changed)
      guard searches < Self.searchLimit, !context.shouldStop() else { return }
      searches += 1
      turn += 1
      failures = searchWindow(window) ? 0 : failures + 1
    }
  }

  private func before(_ slot: Int) -> [DraftSegment] {
    slot < start.slots.count ? start.slots[slot].segments : []
  }

  private func isChanged(_ slot: Int) -> Bool {
    let now = best.slots[slot].segments
    return now.count(where: \.isKept) < max(before(slot).count, now.count)
  }

  /// The slot with those that have segments of the workloads that change there, then others that change, then any; `turn` tells
  /// where among them to begin.
  private func window(around first: Int, _ turn: Int, _ changed: [Int]) -> [Int] {
    let moved = Set(
      best.slots[first].segments.filter { !$0.isKept }.map(\.workload)
        + before(first).filter { !best.slots[first].segments.contains($0) }.map(\.workload))
    func isRelated(_ slot: Int) -> Bool {
      best.slots[slot].segments.contains { moved.contains($0.workload) }
        || before(slot).contains { moved.contains($0.workload) }
    }
    func rotated(_ slots: [Int]) -> [Int] {
      let cut = slots.isEmpty ? 0 : turn * 2 % slots.count
      return Array(slots[cut...] + slots[..<cut])
    }
    let used = best.slots.indices.filter { $0 != first && !(best.slots[$0].segments.isEmpty && before($0).isEmpty) }
    let changing = Set(changed)
    let groups = [
      used.filter { changing.contains($0) && isRelated($0) }, used.filter { changing.contains($0) && !isRelated($0) },
      used.filter { !changing.contains($0) && isRelated($0) }, used.filter { !changing.contains($0) && !isRelated($0) },
    ]
    var window = [first]
    let most = Self.segmentLimits[turn % Self.segmentLimits.count]
    var segments = max(before(first).count, best.slots[first].segments.count)
    for slot in groups.flatMap(rotated) where window.count < Self.slotLimit {
      let more = max(before(slot).count, best.slots[slot].segments.count)
      guard segments + more <= most else { continue }
      segments += more
      window.append(slot)
    }
    return window
  }

  /// Searches the slots of a window; whether that led to fewer changes.
  private mutating func searchWindow(_ window: [Int]) -> Bool {
    let involved = Set(window.flatMap { before($0) + best.slots[$0].segments }.map(\.workload))
    var within = [Double](repeating: 0, count: best.rates.count)
    for slot in window {
      for segment in best.slots[slot].segments {
        within[segment.workload] += best.market.capacity(segment.workload, segment.column)
      }
    }
    var rates = [Double](repeating: 0, count: best.rates.count)
    var counts = [Int](repeating: 0, count: best.rates.count)
    for workload in involved {
      let isRuled = best.rules.number(workload) != nil
      let rest = isRuled ? within[workload] : best.rates[workload] - (best.capacity[workload] - within[workload])
      rates[workload] = rest > best.rates[workload] * CoverSolver.slack ? rest : 0
    }
    for slot in window { for segment in before(slot) { counts[segment.workload] += 1 } }
    var stock = best.stock
    for pool in stock.indices where stock[pool] != .max {
      stock[pool] -= best.used[pool] - window.count { best.slots[$0].pool == pool && !best.slots[$0].segments.isEmpty }
    }
    func state(_ contents: (Int) -> [DraftSegment]) -> KeepingState {
      KeepingState(
        window.map { slot in
          var gpu = best.slots[slot]
          gpu.segments = contents(slot)
          return gpu
        }, best.market, rates: rates, weights: best.weights, stock: stock)
    }
    let now = state { best.slots[$0].segments }
    var search = KeepingSearch(
      now, allowedCost: now.cost + max(0, allowedCost - best.cost),
      allowedCount: now.gpuCount + min(1000, max(0, allowedCount - best.gpuCount)), segmentsBefore: counts,
      nodeLimit: Self.nodeLimit, context)
    guard let found = search?.run(from: state(before)) else { return false }
    var next = best
    for (index, gpu) in found.slots.enumerated() {
      if index < window.count {
        next.set(window[index], gpu.segments)
      } else if !gpu.segments.isEmpty {
        next.append(gpu)
      }
    }
    let fewer = next.changes(segmentsBefore: segmentsBefore)
    guard fewer < changes, next.lacking.isEmpty, next.cost <= allowedCost, next.gpuCount <= allowedCount,
      next.isWithinStock, KeepingSettling.holds(next)
    else { return false }
    (best, changes) = (next, fewer)
    return true
  }
}
