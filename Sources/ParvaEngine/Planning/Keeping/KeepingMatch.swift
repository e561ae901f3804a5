/// Lays a draft out on GPUs that already hold something, so that much of it is found where it stands.
///
/// Which instances of a draft stand together on a GPU is given; which workload uses which of equal instances, and which
/// GPU is cut in which way, is free. Slots choose cuts greedily, those that can keep most first.
struct KeepingMatch {
  private struct Pattern: Hashable {
    var pool: Int
    /// Instances per column of the market, ascending by column.
    var columns: [Int]
  }

  private struct Fixed: Hashable {
    var pattern: Int
    var places: [Place]
  }

  private struct Place: Hashable {
    var column: Int
    var start: Int
  }

  private struct Choice {
    var pattern: Int
    var kept: [DraftSegment]
    var rest: [Place]
  }

  private let market: Market
  private var patterns: [Pattern] = []
  /// GPUs of the draft that are still to be laid out, per pattern.
  private var remaining: [Int] = []
  /// Instances that the draft gives each workload, by workload x column, less those already laid out.
  private var needs: [Int: Int] = [:]
  private var layouts: [Fixed: [Place]?] = [:]

  /// `state` with the contents of `slots` replaced by `draft`; further slots are opened where there are too few.
  /// O(slots x patterns) for the handful of patterns that a draft has.
  static func apply(_ draft: [DraftGPU], to slots: [Int], of state: KeepingState) -> KeepingState {
    var match = KeepingMatch(draft, state.market)
    return match.lay(on: slots, of: state)
  }

  private init(_ draft: [DraftGPU], _ market: Market) {
    self.market = market
    var numbers: [Pattern: Int] = [:]
    for gpu in draft where !gpu.segments.isEmpty {
      let pattern = Pattern(pool: gpu.pool, columns: gpu.segments.map(\.column).sorted())
      let number = numbers[pattern] ?? patterns.count
      if number == patterns.count {
        numbers[pattern] = number
        patterns.append(pattern)
        remaining.append(0)
      }
      remaining[number] += 1
      for segment in gpu.segments { needs[key(segment), default: 0] += 1 }
    }
  }

  private func key(_ segment: DraftSegment) -> Int { segment.workload * market.columns.count + segment.column }

  private mutating func lay(on slots: [Int], of old: KeepingState) -> KeepingState {
    var state = old
    let before = slots.map { slot in old.slots[slot].segments.filter(\.isKept) }
    for slot in slots { state.set(slot, []) }
    var contents = [Choice?](repeating: nil, count: slots.count)
    // Buckets by the most that a slot may keep; what it can keep shrinks while others choose.
    var buckets = [[Int]](repeating: [], count: 1 + (before.map(\.count).max() ?? 0))
    for index in slots.indices.reversed() { buckets[before[index].count].append(index) }
    for value in buckets.indices.reversed() where value > 0 {
      while let index = buckets[value].popLast() {
        guard let choice = best(for: before[index], pool: old.slots[slots[index]].pool), !choice.kept.isEmpty else {
          continue
        }
        if choice.kept.count < value {
          buckets[choice.kept.count].append(index)
          continue
        }
        contents[index] = choice
        remaining[choice.pattern] -= 1
        for segment in choice.kept { needs[key(segment), default: 0] -= 1 }
      }
    }
    var supply = WorkloadSupply(needs, columns: market.columns.count)
    for (index, choice) in contents.enumerated() {
      if let choice { state.set(slots[index], supply.fill(choice.kept, choice.rest.map { ($0.column, $0.start) })) }
    }
    var free = slots.indices.filter { contents[$0] == nil }.map { slots[$0] }[...]
    for pattern in patterns.indices {
      for _ in 0..<remaining[pattern] {
        guard let layout = layout(pattern, []) else { continue }
        let pool = patterns[pattern].pool
        let slot: Int
        if let next = free.firstIndex(where: { old.slots[$0].pool == pool }) {
          slot = free.remove(at: next)
        } else {
          slot = state.emptySlot(pool: pool)
        }
        state.set(slot, supply.fill([], layout.map { ($0.column, $0.start) }))
      }
    }
    return state
  }

  /// The pattern and the segments to keep for a slot: most kept, then least else on the GPU.
  private mutating func best(for before: [DraftSegment], pool: Int) -> Choice? {
    let wanted = before.filter { needs[key($0)] ?? 0 > 0 }
    guard !wanted.isEmpty else { return nil }
    var found: Choice?
    let subsets = (1..<(1 << wanted.count)).sorted { ($1.nonzeroBitCount, $0) < ($0.nonzeroBitCount, $1) }
    for subset in subsets {
      if let found, subset.nonzeroBitCount < found.kept.count { break }
      let kept = wanted.indices.filter { subset >> $0 & 1 == 1 }.map { wanted[$0] }
      guard isNeeded(kept) else { continue }
      for pattern in patterns.indices where remaining[pattern] > 0 && patterns[pattern].pool == pool {
        if let found, patterns[pattern].columns.count >= patterns[found.pattern].columns.count { continue }
        guard let rest = layout(pattern, kept) else { continue }
        found = Choice(pattern: pattern, kept: kept, rest: rest)
      }
    }
    return found
  }

  /// Whether the draft has a use for all of them at once.
  private func isNeeded(_ segments: [DraftSegment]) -> Bool {
    segments.allSatisfy { segment in
      segments.count { $0.workload == segment.workload && $0.column == segment.column } <= needs[key(segment)] ?? 0
    }
  }

  /// Places for the instances of a pattern beside those that are fixed; nil where there are none.
  private mutating func layout(_ pattern: Int, _ kept: [DraftSegment]) -> [Place]? {
    let fixed = Fixed(pattern: pattern, places: kept.map { Place(column: $0.column, start: $0.start) })
    if let known = layouts[fixed] { return known }
    var rest = patterns[pattern].columns
    var taken: UInt64 = 0
    let product = market.cuts[patterns[pattern].pool].product
    for place in fixed.places {
      guard let index = rest.firstIndex(of: place.column) else {
        layouts[fixed] = .some(nil)
        return nil
      }
      rest.remove(at: index)
      taken |= product.profiles[market.columns[place.column].profile].mask(at: place.start)
    }
    var places: [Place] = []
    func descend(_ index: Int, _ taken: UInt64) -> Bool {
      guard index >= 0 else { return true }
      let profile = product.profiles[market.columns[rest[index]].profile]
      for start in profile.starts where profile.mask(at: start) & taken == 0 {
        places.append(Place(column: rest[index], start: start))
        if descend(index - 1, taken | profile.mask(at: start)) { return true }
        places.removeLast()
      }
      return false
    }
    let found = descend(rest.count - 1, taken) ? places : nil
    layouts[fixed] = .some(found)
    return found
  }
}

/// The workloads that still wait for an instance, per column.
private struct WorkloadSupply {
  private var waiting: [[Int]]

  init(_ needs: [Int: Int], columns: Int) {
    waiting = [[Int]](repeating: [], count: columns)
    for (key, count) in needs.sorted(by: { $0.key > $1.key }) where count > 0 {
      waiting[key % columns] += [Int](repeating: key / columns, count: count)
    }
  }

  /// `kept` and new segments at these places.
  mutating func fill(_ kept: [DraftSegment], _ places: [(column: Int, start: Int)]) -> [DraftSegment] {
    kept
      + places.compactMap { place in
        waiting[place.column].popLast().map {
          DraftSegment(workload: $0, column: place.column, start: place.start)
        }
      }
  }
}
