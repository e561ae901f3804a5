/// Places packed instances so that workloads which must be spread stand on enough failure domains.
///
/// The cuts are given; which workload gets which instance of a kind is open. Spread workloads choose first, each instance
/// on a domain that its workload does not hold yet; exchanges mend what that leaves; what still is not spread moves to
/// further GPUs, which then count.
struct SpreadLayout: Sendable {
  struct Slot: Sendable {
    var start: Int
    /// Column of the model.
    var column: Int
    /// Index into the model's workloads; nil while free.
    var workload: Int?
  }

  struct GPU: Sendable {
    /// Index into the model's pools.
    var pool: Int
    var node: String?
    var slots: [Slot]
  }

  var gpus: [GPU] = []
  /// GPUs with a segment, per pool of the model.
  private(set) var counts: [Int] = []
  /// Whether every workload is spread as it must be, and survives what it must.
  var isComplete = true

  let spreads: [Int: Spread]
  /// GPUs that each node has left, by pool and name.
  private var room: [[String: Int]] = []
  /// Number of each node; one that has GPUs of several pools is one domain.
  private(set) var nodeNumbers: [String: Int] = [:]
  /// Instances of each spread workload.
  private(set) var places: [Int: [Place]] = [:]
  /// Per column the slots in order of GPU, and how many at the front are taken.
  private var slots: [[Place]] = []
  private var heads: [Int] = []

  struct Place: Hashable {
    var gpu: Int
    var slot: Int
  }

  /// Instances and GPUs that exchanges and additions may still look at: many workloads would take all day.
  var patience = 2_000_000

  /// O(instances x domains of the spread workloads + instances), and a pass over the GPUs for each exchange and each addition, up to
  /// a fixed number of steps.
  init(_ assignment: CoverAssignment, _ packings: [CutPacking], _ model: PriceModel) {
    spreads = model.spreads
    for pool in model.pools {
      room.append([:])
      for node in pool.nodes {
        room[room.count - 1][node.name] = node.count
        nodeNumbers[node.name] = nodeNumbers[node.name] ?? nodeNumbers.count
      }
    }
    cut(packings, model)
    slots = [[Place]](repeating: [], count: model.columns.count)
    heads = [Int](repeating: 0, count: model.columns.count)
    for gpu in gpus.indices {
      for (slot, content) in gpus[gpu].slots.enumerated() { slots[content.column].append(Place(gpu: gpu, slot: slot)) }
    }
    let ranked = spreads.keys.map { (workload: $0, spare: spare($0, assignment, model)) }
    let order = ranked.sorted { ($0.spare, $0.workload) < ($1.spare, $1.workload) }.map(\.workload)
    for workload in order { choose(workload, assignment, model) }
    for workload in order where !isSpread(workload) { exchange(workload) }
    for workload in order where !isSpread(workload) {
      // GPUs that were opened for others may have what this one lacks.
      exchange(workload)
      extend(workload, model)
    }
    fill(assignment, model)
    if model.hasLosses { for workload in order { secure(workload, model) } }
    gpus = gpus.filter { $0.slots.contains { $0.workload != nil } }
    (slots, heads, places) = ([], [], [:])
    count(model)
  }

  /// A layout that is known to be right.
  init(_ gpus: [GPU], _ model: PriceModel) {
    self.gpus = gpus
    spreads = model.spreads
    count(model)
  }

  private mutating func count(_ model: PriceModel) {
    counts = [Int](repeating: 0, count: model.pools.count)
    for gpu in gpus { counts[gpu.pool] += 1 }
  }

  /// The layout in terms of the market.
  func draft(_ model: PriceModel) -> [DraftGPU] {
    gpus.map { gpu in
      DraftGPU(
        pool: model.pools[gpu.pool].marketPool, node: gpu.node,
        segments: gpu.slots.compactMap { slot in
          slot.workload.map {
            DraftSegment(workload: model.workloads[$0], column: model.columns[slot.column], start: slot.start)
          }
        })
    }
  }

  // MARK: - Domains

  private func atLeast(_ workload: Int) -> Int { spreads[workload]?.atLeast ?? 1 }

  private func spare(_ workload: Int, _ assignment: CoverAssignment, _ model: PriceModel) -> Int {
    let row = workload * model.columns.count
    return assignment.covers[row..<row + model.columns.count].reduce(0) { $0 + Int($1) } - atLeast(workload)
  }

  /// Number of the failure domain that a GPU is for a workload; nil where its node is not known.
  func domain(_ gpu: Int, _ workload: Int) -> Int? {
    spreads[workload]?.over == .node ? gpus[gpu].node.flatMap { nodeNumbers[$0] } : gpu
  }

  /// Instances of a spread workload by domain.
  private func domains(of workload: Int) -> [Int: [Place]] {
    var found: [Int: [Place]] = [:]
    for place in places[workload] ?? [] {
      if let domain = domain(place.gpu, workload) { found[domain, default: []].append(place) }
    }
    return found
  }

  private func isSpread(_ workload: Int) -> Bool { domains(of: workload).count >= atLeast(workload) }

  mutating func put(_ workload: Int, _ place: Place) {
    gpus[place.gpu].slots[place.slot].workload = workload
    if spreads[workload] != nil { places[workload, default: []].append(place) }
  }

  private mutating func clear(_ place: Place) {
    guard let workload = gpus[place.gpu].slots[place.slot].workload else { return }
    gpus[place.gpu].slots[place.slot].workload = nil
    places[workload]?.removeAll { $0 == place }
  }

  // MARK: - Steps

  /// The cut GPUs; where some workload is spread over nodes, the nodes take turns.
  private mutating func cut(_ packings: [CutPacking], _ model: PriceModel) {
    let byNode = spreads.values.contains { $0.over == .node }
    for (index, pool) in model.pools.enumerated() {
      for (cut, times) in zip(pool.table.maximalCuts, packings[index].multiplicities) {
        for _ in 0..<times {
          let slots = cut.placements.compactMap { placement in
            pool.table.kinds.firstIndex(of: placement.profile).map {
              Slot(start: placement.start, column: pool.columns.lowerBound + $0, workload: nil)
            }
          }
          let node = byNode ? takeNode(index, pool) : nil
          gpus.append(GPU(pool: index, node: node, slots: slots))
        }
      }
    }
  }

  /// The node with most room, the first of equals; its room shrinks by one.
  mutating func takeNode(
    _ pool: Int, _ side: PriceModel.PoolSide, outside: Set<String> = []
  ) -> String? {
    var best: String?
    for node in side.nodes where !outside.contains(node.name) && room[pool][node.name, default: 0] > 0 {
      if best.map({ room[pool][$0, default: 0] < room[pool][node.name, default: 0] }) ?? true { best = node.name }
    }
    if let best { room[pool][best, default: 0] -= 1 }
    return best
  }

  private mutating func choose(_ workload: Int, _ assignment: CoverAssignment, _ model: PriceModel) {
    let row = workload * model.columns.count
    var held: Set<Int> = []
    // Large instances have the fewest places.
    for column in model.columns.indices.reversed() {
      for _ in 0..<assignment.covers[row + column] {
        guard let place = freePlace(column, workload, outside: held) else { continue }
        put(workload, place)
        if let domain = domain(place.gpu, workload) { held.insert(domain) }
      }
    }
  }

  /// The first free slot of a column on a domain that is not held, else the first free one.
  private mutating func freePlace(_ column: Int, _ workload: Int, outside held: Set<Int>) -> Place? {
    while heads[column] < slots[column].count, isTaken(slots[column][heads[column]]) { heads[column] += 1 }
    var fallback: Place?
    for place in slots[column][heads[column]...] where !isTaken(place) {
      if let domain = domain(place.gpu, workload), !held.contains(domain) { return place }
      fallback = fallback ?? place
    }
    return fallback
  }

  private func isTaken(_ place: Place) -> Bool { gpus[place.gpu].slots[place.slot].workload != nil }

  /// Trades instances that stand beside another of the workload against equal ones elsewhere, as long as no other
  /// workload loses a domain that it needs.
  private mutating func exchange(_ workload: Int) {
    while !isSpread(workload) {
      let held = domains(of: workload)
      let crowded = held.values.filter { $0.count > 1 }.flatMap(\.self).sorted {
        ($0.gpu, $0.slot) < ($1.gpu, $1.slot)
      }
      guard crowded.contains(where: { trade($0, workload, held) }) else { return }
    }
  }

  private mutating func trade(_ mine: Place, _ workload: Int, _ held: [Int: [Place]]) -> Bool {
    for place in slots[gpus[mine.gpu].slots[mine.slot].column] {
      patience -= 1
      guard patience > 0 else { return false }
      guard let domain = domain(place.gpu, workload), held[domain] == nil else { continue }
      patience -= 8
      let other = gpus[place.gpu].slots[place.slot].workload
      let before = other.map { domains(of: $0).count }
      swap(mine, place)
      guard let other, let before, domains(of: other).count < min(before, atLeast(other)) else { return true }
      swap(mine, place)
    }
    return false
  }

  private mutating func swap(_ a: Place, _ b: Place) {
    let (first, second) = (gpus[a.gpu].slots[a.slot].workload, gpus[b.gpu].slots[b.slot].workload)
    clear(a)
    clear(b)
    if let first { put(first, b) }
    if let second { put(second, a) }
  }

  /// Moves instances that stand beside another of the workload to further GPUs until it is spread.
  private mutating func extend(_ workload: Int, _ model: PriceModel) {
    while true {
      let held = domains(of: workload)
      guard held.count < atLeast(workload) else { return }
      let crowded = held.values.filter { $0.count > 1 }.flatMap(\.self)
      guard let mine = crowded.min(by: { ($0.gpu, $0.slot) < ($1.gpu, $1.slot) }) else { break }
      let pool = model.pools[gpus[mine.gpu].pool]
      let column = gpus[mine.gpu].slots[mine.slot].column
      let names = held.keys.compactMap { number in nodeNumbers.first { $0.value == number }?.key }
      let outside = spreads[workload]?.over == .node ? Set(names) : []
      // Where no workload is spread over nodes any will do, and one that names a node might take it from another tenant.
      let byNode = !pool.nodes.isEmpty && spreads.values.contains { $0.over == .node }
      let node = byNode ? takeNode(gpus[mine.gpu].pool, pool, outside: outside) : nil
      guard spreads[workload]?.over == .gpu || node != nil else { break }
      let cut = SpreadLayout.emptyCut(holding: column, pool)
      guard let own = cut.firstIndex(where: { $0.column == column }) else { break }
      gpus.append(GPU(pool: gpus[mine.gpu].pool, node: node, slots: cut))
      for (slot, content) in cut.enumerated() {
        slots[content.column].append(Place(gpu: gpus.count - 1, slot: slot))
      }
      clear(mine)
      put(workload, Place(gpu: gpus.count - 1, slot: own))
    }
    isComplete = false
  }

  /// The slots of the cut with most instances among those that hold one of `column`.
  static func emptyCut(holding column: Int, _ pool: PriceModel.PoolSide) -> [Slot] {
    let kind = column - pool.columns.lowerBound
    let cuts = pool.table.maximalCuts.filter { $0.counts[kind] > 0 }
    guard let cut = cuts.max(by: { $0.placements.count < $1.placements.count }) else { return [] }
    return cut.placements.compactMap { placement in
      pool.table.kinds.firstIndex(of: placement.profile).map {
        Slot(start: placement.start, column: pool.columns.lowerBound + $0, workload: nil)
      }
    }
  }

  /// Everyone else, in order of workload.
  private mutating func fill(_ assignment: CoverAssignment, _ model: PriceModel) {
    let width = model.columns.count
    let free = slots.map { $0.filter { !isTaken($0) } }
    var taken = [Int](repeating: 0, count: width)
    for workload in model.rates.indices where spreads[workload] == nil {
      for column in 0..<width {
        for _ in 0..<assignment.covers[workload * width + column] where taken[column] < free[column].count {
          put(workload, free[column][taken[column]])
          taken[column] += 1
        }
      }
    }
  }
}
