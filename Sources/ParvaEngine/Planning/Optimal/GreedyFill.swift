/// Adds workloads to a draft one by one, each where there is room and on further GPUs in stock, without moving anything.
///
/// What the searches find is never less than this: it gives the plan before any search, and it is asked again for whom a
/// search left out. Near linear in the instances: GPUs of a pool and tenant that are filled alike are one state.
struct GreedyFill {
  private struct Room: Hashable {
    var pool: Int
    var tenant: Int
  }

  private struct Place {
    var room: Room
    var gpu: Int
    var column: Int
    var start: Int
    /// Number of the GPU among those of its room.
    var number: Int
    /// What was known to be full there before; nil where a GPU was opened.
    var fullBefore: UInt64?
  }

  private let market: Market
  private let weights: [Double]
  private let tenants: Tenants
  /// Per column what an instance counts.
  private let prices: [Double]
  /// Kinds for which a room has no place left, until something there changes: a bit each.
  private var full: [Room: UInt64] = [:]
  private(set) var gpus: [DraftGPU] = []
  private var fits: [Room: TightestFit] = [:]
  /// Per room the number in `gpus` of each of its GPUs.
  private var numbers: [Room: [Int]] = [:]
  private var left: [Int?]
  private var nodes: [[PoolNode]]
  private let overNodes: Bool

  /// `standing` is what stands already; `supply` is all there is, what stands included.
  init(_ market: Market, weights: [Double], _ supply: Supply, standing draft: [DraftGPU] = []) {
    self.market = market
    self.weights = weights
    tenants = Tenants(market)
    // Slices at the pool's weight, or the part of the axis where that is more.
    prices = market.columns.map { column in
      let product = market.cuts[column.pool].product
      let profile = product.profiles[column.profile]
      return weights[column.pool]
        * max(
          Double(profile.computeSlices) / Double(product.computeSlices),
          Double(profile.placementSize) / Double(product.axisLength))
    }
    left = supply.counts
    nodes = supply.nodes
    overNodes = market.input.workloads.contains { $0.constraints.domains?.over == .node }
    let standing = draft.filter { !$0.segments.isEmpty }
    for gpu in standing where gpu.node != nil {
      if let place = nodes[gpu.pool].firstIndex(where: { $0.name == gpu.node }) { nodes[gpu.pool][place].count -= 1 }
    }
    for var gpu in standing {
      // Who needs several nodes has to know which one a GPU is on.
      if overNodes, gpu.node == nil { gpu.node = freeNode(gpu.pool) }
      open(Room(pool: gpu.pool, tenant: tenants.of(gpu)), gpu)
    }
  }

  /// Gives the workload all of a rate, or nothing; whether it did.
  mutating func insert(_ workload: Int, rate: Double) -> Bool {
    let demand = market.input.workloads[workload]
    if demand.constraints.survive != nil || demand.constraints.replicas != nil {
      return complete(workload, rate: rate)
    }
    let spread = demand.constraints.spread
    let all = columns(workload)
    var rest = rate * (1 - CoverSolver.slack)
    var places: [Place] = []
    var domains: Set<String> = []
    var lacking = spread?.atLeast ?? 0
    while rest > 0 || lacking > 0 {
      let wanted = open(all, workload, rest)
      let held = lacking > 0 ? domains : []
      guard let place = put(workload, wanted, spread?.over, outside: held) else { break }
      places.append(place)
      rest -= market.capacity(workload, place.column)
      if let spread, domains.insert(domain(place.gpu, spread.over)).inserted { lacking -= 1 }
    }
    guard rest > 0 || lacking > 0 else { return true }
    take(places)
    return false
  }

  /// Gives the workload what it lacks of a rate, of replicas, of domains and of capacity that survives losses, or nothing; whether
  /// it did. Of a workload that has nothing yet it is all. O(segments), and a step for each instance.
  mutating func complete(_ workload: Int, rate: Double) -> Bool {
    let (rules, rule) = (market.input.workloads[workload].constraints, market.rule(workload))
    let over = rules.domains?.over
    let ranked = columns(workload)
    let largest = ranked.map { market.capacity(workload, $0) }.max() ?? 0
    var held: [String: Double] = [:]
    var (count, sum) = (0, 0.0)
    for (index, gpu) in gpus.enumerated() {
      for segment in gpu.segments where segment.workload == workload {
        let capacity = market.capacity(workload, segment.column)
        if let over { held[domain(index, over), default: 0] += capacity }
        (count, sum) = (count + 1, sum + capacity)
      }
    }
    let needed = rate * (1 - CoverSolver.slack)
    var places: [Place] = []
    while true {
      let rest = needed - (rules.survive?.remainder(of: held.values) ?? sum)
      let lacking = (rules.domains?.atLeast ?? 0) - held.count
      guard rest > 0 || lacking > 0 || count < rule.atLeast else { return true }
      guard count < rule.atMost else { break }
      var wanted = ranked
      if rule.atMost != .max {
        // What is left must be within reach of the replicas after this one.
        let reach = Double(rule.atMost - count - 1) * largest
        let most = ranked.filter { rest - market.capacity(workload, $0) <= reach }
        wanted = most.isEmpty ? ranked.filter { market.capacity(workload, $0) == largest } : most
      }
      let ratios = Dictionary(
        uniqueKeysWithValues: wanted.map {
          ($0, prices[$0] / min(market.capacity(workload, $0), max(rest, 1e-12)))
        })
      wanted.sort { (ratios[$0] ?? 0, $0) < (ratios[$1] ?? 0, $1) }
      guard let place = put(workload, wanted, over, outside: closed(held, lacking, rest, rule.losses)) else { break }
      places.append(place)
      let capacity = market.capacity(workload, place.column)
      if let over { held[domain(place.gpu, over), default: 0] += capacity }
      (count, sum) = (count + 1, sum + capacity)
    }
    take(places)
    return false
  }

  /// Domains on which more of a workload is of no use: all while there are too few, then those that may be lost.
  private func closed(_ held: [String: Double], _ lacking: Int, _ rest: Double, _ losses: Int) -> Set<String> {
    if lacking > 0 { return Set(held.keys) }
    guard losses > 0, rest > 0 else { return [] }
    return Set(held.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(losses).map(\.key))
  }

  private func columns(_ workload: Int) -> [Int] {
    market.columns.indices.filter { market.capacity(workload, $0) > 0 }
  }

  /// Of columns in order those for which there may be room, or a GPU in stock; those first that cost least for what they carry of
  /// the rest.
  private func open(_ columns: [Int], _ workload: Int, _ rest: Double) -> [Int] {
    var ranked: [(column: Int, ratio: Double)] = []
    ranked.reserveCapacity(columns.count)
    var pool = -1
    var mask: UInt64 = 0
    for column in columns {
      if market.columns[column].pool != pool {
        pool = market.columns[column].pool
        let room = Room(pool: pool, tenant: tenants.numbers[workload])
        mask = left[pool] ?? 1 > 0 ? 0 : full[room] ?? (fits[room] == nil ? .max : 0)
      }
      guard mask & bit(column) == 0 else { continue }
      let ratio = prices[column] / min(market.capacity(workload, column), max(rest, 1e-12))
      var place = ranked.count
      ranked.append((column, ratio))
      while place > 0, ranked[place - 1].ratio > ratio {
        ranked[place] = ranked[place - 1]
        place -= 1
      }
      ranked[place] = (column, ratio)
    }
    return ranked.map(\.column)
  }

  private func bit(_ column: Int) -> UInt64 { 1 << UInt64(market.columns[column].kind & 63) }

  private func domain(_ gpu: Int, _ over: Spread.Domain) -> String {
    over == .node ? gpus[gpu].node ?? "" : "\(gpu)"
  }

  /// An instance of the first column with room on GPUs in use, else of the first with a GPU in stock.
  private mutating func put(
    _ workload: Int, _ wanted: [Int], _ over: Spread.Domain?, outside held: Set<String>
  ) -> Place? {
    let tenant = tenants.numbers[workload]
    for column in wanted {
      let room = Room(pool: market.columns[column].pool, tenant: tenant)
      guard full[room, default: 0] & bit(column) == 0, var fit = fits[room], let own = numbers[room] else { continue }
      // Taken out of the table so that it is changed in place.
      fits[room] = nil
      defer { fits[room] = fit }
      let closed =
        over.map { over in
          held.isEmpty ? [] : own.indices.filter { held.contains(domain(own[$0], over)) }
        } ?? []
      for index in closed { fit.close(index) }
      let profile = market.columns[column].profile
      let starts = market.cuts[room.pool].product.profiles[profile].starts
      let found = fit.place(profile, starts: starts, opening: false)
      for index in closed { fit.reopen(index, with: placements(own[index])) }
      guard let found else {
        if closed.isEmpty { full[room, default: 0] |= bit(column) }
        continue
      }
      let gpu = own[found.gpu]
      gpus[gpu].segments.append(DraftSegment(workload: workload, column: column, start: found.start))
      return Place(
        room: room, gpu: gpu, column: column, start: found.start, number: found.gpu, fullBefore: full[room, default: 0])
    }
    for column in wanted {
      let pool = market.columns[column].pool
      guard left[pool] ?? 1 > 0 else { continue }
      var gpu = DraftGPU(pool: pool, segments: [])
      if overNodes, !nodes[pool].isEmpty {
        guard let node = freeNode(pool, outside: held) else { continue }
        gpu.node = node
      }
      let starts = market.cuts[pool].product.profiles[market.columns[column].profile].starts
      // From the back, where a small instance takes least away from large ones.
      guard let start = starts.last else { continue }
      gpu.segments = [DraftSegment(workload: workload, column: column, start: start)]
      let room = Room(pool: pool, tenant: tenant)
      open(room, gpu)
      return Place(
        room: room, gpu: gpus.count - 1, column: column, start: start, number: (numbers[room]?.count ?? 1) - 1,
        fullBefore: nil)
    }
    return nil
  }

  /// Takes a GPU of the node of a pool that has most left; nil where there is none.
  private mutating func freeNode(_ pool: Int, outside held: Set<String> = []) -> String? {
    let free = nodes[pool].indices.filter { nodes[pool][$0].count > 0 && !held.contains(nodes[pool][$0].name) }
    guard let node = free.max(by: { (nodes[pool][$0].count, $1) < (nodes[pool][$1].count, $0) }) else { return nil }
    nodes[pool][node].count -= 1
    return nodes[pool][node].name
  }

  private func placements(_ gpu: Int) -> [Placement] {
    gpus[gpu].segments.map { Placement(profile: market.columns[$0.column].profile, start: $0.start) }
  }

  private mutating func open(_ room: Room, _ gpu: DraftGPU) {
    gpus.append(gpu)
    full[room] = nil
    numbers[room, default: []].append(gpus.count - 1)
    if let stock = left[room.pool] { left[room.pool] = stock - 1 }
    var fit = fits[room] ?? TightestFit(market.cuts[room.pool].product)
    fits[room] = nil
    _ = fit.append(placements(gpus.count - 1))
    fits[room] = fit
  }

  /// Takes back what was put last. GPUs that become empty stay open for those who come next.
  private mutating func take(_ places: [Place]) {
    for place in places.reversed() {
      gpus[place.gpu].segments.removeLast()
      // As it was before, what was found full since may have room again.
      full[place.room] = place.fullBefore
      fits[place.room]?.remove(market.columns[place.column].profile, start: place.start, gpu: place.number)
    }
    for place in places where place.fullBefore == nil { full[place.room] = nil }
  }
}
