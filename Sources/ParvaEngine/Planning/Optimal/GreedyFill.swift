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
  /// Per GPU its room, its number there and the number of its node, -1 where that is of no interest.
  private var seats: [(room: Room, number: Int, node: Int)] = []
  private var fits: [Room: TightestFit] = [:]
  /// Per room the number in `gpus` of each of its GPUs.
  private var numbers: [Room: [Int]] = [:]
  private var left: [Int?]
  private var nodes: [[PoolNode]]
  private let overNodes: Bool
  private let isThin: Bool
  /// Numbers of nodes; one that has GPUs of several pools is one domain.
  private var nodeNumbers: [String: Int] = [:]
  private var gpusOfNode: [[Int]] = []
  /// Nodes by how many GPUs they have in all, fewest first.
  private var scarcest: [Int] = []
  /// What workloads with rules about their segments have, in the order in which they got it.
  private var standings: [Int: [(gpu: Int, column: Int)]] = [:]

  /// `standing` is what stands already; `supply` is all there is, what stands included.
  ///
  /// - Parameter isThin: whether workloads that need several nodes begin with their smallest instances, on the nodes with fewest GPUs,
  ///   where what they all need is scarcest.
  init(
    _ market: Market, weights: [Double], _ supply: Supply, standing draft: [DraftGPU] = [], isThin: Bool = false
  ) {
    self.isThin = isThin
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
    if overNodes { number(nodes) }
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

  private mutating func number(_ pools: [[PoolNode]]) {
    var sizes: [Int] = []
    for node in pools.joined() {
      let number = nodeNumbers[node.name] ?? sizes.count
      if number == sizes.count {
        nodeNumbers[node.name] = number
        sizes.append(0)
      }
      sizes[number] += node.count
    }
    gpusOfNode = [[Int]](repeating: [], count: sizes.count)
    scarcest = sizes.indices.sorted { (sizes[$0], $0) < (sizes[$1], $1) }
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
    var (domains, scarce): (Set<Int>, Set<Int>) = ([], [])
    var lacking = spread?.atLeast ?? 0
    while rest > 0 || lacking > 0 {
      let held = lacking > 0 ? domains : []
      let isFirst = isThin && lacking > 1 && spread?.over == .node
      var place = isFirst ? putThinly(workload, all, outside: held) : nil
      if isFirst, let place { scarce.insert(seats[place.gpu].node) }
      // What others need is left to them.
      if !scarce.isEmpty, place == nil {
        place = put(workload, open(all, workload, rest), spread?.over, outside: held.union(scarce))
      }
      if place == nil { place = put(workload, open(all, workload, rest), spread?.over, outside: held) }
      guard let place else { break }
      places.append(place)
      rest -= market.capacity(workload, place.column)
      if let spread, domains.insert(domain(place.gpu, spread.over)).inserted { lacking -= 1 }
    }
    guard rest > 0 || lacking > 0 else { return true }
    take(places, of: workload)
    return false
  }

  /// Gives the workload what it lacks of a rate, of replicas, of domains and of capacity that survives losses, or nothing; whether
  /// it did. Of a workload that has nothing yet it is all. A step for each instance.
  mutating func complete(_ workload: Int, rate: Double) -> Bool {
    let (rules, rule) = (market.input.workloads[workload].constraints, market.rule(workload))
    let over = rules.domains?.over
    let ranked = columns(workload)
    let largest = ranked.map { market.capacity(workload, $0) }.max() ?? 0
    var held: [Int: Double] = [:]
    var (count, sum) = (0, 0.0)
    for (gpu, column) in standings[workload] ?? [] {
      let capacity = market.capacity(workload, column)
      if let over { held[domain(gpu, over), default: 0] += capacity }
      (count, sum) = (count + 1, sum + capacity)
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
      var place = isThin && lacking > 1 && over == .node ? putThinly(workload, wanted, outside: Set(held.keys)) : nil
      if place == nil { place = put(workload, wanted, over, outside: closed(held, lacking, rest, rule.losses)) }
      guard let place else { break }
      places.append(place)
      let capacity = market.capacity(workload, place.column)
      if let over { held[domain(place.gpu, over), default: 0] += capacity }
      (count, sum) = (count + 1, sum + capacity)
    }
    take(places, of: workload)
    return false
  }

  /// Domains on which more of a workload is of no use: all while there are too few, then those that may be lost.
  private func closed(_ held: [Int: Double], _ lacking: Int, _ rest: Double, _ losses: Int) -> Set<Int> {
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

  private func domain(_ gpu: Int, _ over: Spread.Domain) -> Int { over == .node ? seats[gpu].node : gpu }

  /// Numbers in a room of its GPUs that belong to some domains.
  private func numbers(_ domains: Set<Int>, _ over: Spread.Domain, in room: Room) -> [Int] {
    let there = over == .gpu ? domains.sorted() : domains.sorted().flatMap { $0 < 0 ? [] : gpusOfNode[$0] }
    return there.filter { seats[$0].room == room }.map { seats[$0].number }
  }

  /// An instance of the first column with room on GPUs in use, else of the first with a GPU in stock.
  private mutating func put(
    _ workload: Int, _ wanted: [Int], _ over: Spread.Domain?, outside held: Set<Int>
  ) -> Place? {
    let tenant = tenants.numbers[workload]
    for column in wanted {
      let room = Room(pool: market.columns[column].pool, tenant: tenant)
      guard full[room, default: 0] & bit(column) == 0, var fit = fits[room], let own = numbers[room] else { continue }
      // Taken out of the table so that it is changed in place.
      fits[room] = nil
      defer { fits[room] = fit }
      let closed = over.map { held.isEmpty ? [] : numbers(held, $0, in: room) } ?? []
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
      stand(DraftSegment(workload: workload, column: column, start: found.start), on: gpu)
      return Place(
        room: room, gpu: gpu, column: column, start: found.start, number: found.gpu, fullBefore: full[room, default: 0])
    }
    for column in wanted {
      let pool = market.columns[column].pool
      guard left[pool] ?? 1 > 0 else { continue }
      var node: String?
      if overNodes, !nodes[pool].isEmpty {
        node = freeNode(pool, outside: over == .node ? held : [])
        if node == nil { continue }
      }
      return opened(workload, column, node)
    }
    return nil
  }

  /// The smallest instance that fits anywhere on the node with fewest GPUs where one fits.
  private mutating func putThinly(_ workload: Int, _ columns: [Int], outside held: Set<Int>) -> Place? {
    let ranked = columns.sorted { (prices[$0], $0) < (prices[$1], $1) }
    for node in scarcest where !held.contains(node) {
      for column in ranked {
        let pool = market.columns[column].pool
        let room = Room(pool: pool, tenant: tenants.numbers[workload])
        let starts = market.cuts[pool].product.profiles[market.columns[column].profile].starts
        let own = gpusOfNode[node].filter { seats[$0].room == room }
        let found = fits[room]?.place(
          market.columns[column].profile, starts: starts, among: own.map { seats[$0].number })
        if let found, let gpu = numbers[room]?[found.gpu] {
          stand(DraftSegment(workload: workload, column: column, start: found.start), on: gpu)
          return Place(
            room: room, gpu: gpu, column: column, start: found.start, number: found.gpu,
            fullBefore: full[room, default: 0])
        }
        guard left[pool] ?? 1 > 0,
          let place = nodes[pool].firstIndex(where: { $0.count > 0 && nodeNumbers[$0.name] == node })
        else { continue }
        nodes[pool][place].count -= 1
        return opened(workload, column, nodes[pool][place].name)
      }
    }
    return nil
  }

  /// An instance on a GPU that is opened for it.
  private mutating func opened(_ workload: Int, _ column: Int, _ node: String?) -> Place {
    let room = Room(pool: market.columns[column].pool, tenant: tenants.numbers[workload])
    // From the back, where a small instance takes least away from large ones.
    let start = market.starts(column).last ?? 0
    open(
      room,
      DraftGPU(
        pool: room.pool, node: node, segments: [DraftSegment(workload: workload, column: column, start: start)]))
    return Place(
      room: room, gpu: gpus.count - 1, column: column, start: start, number: seats[gpus.count - 1].number,
      fullBefore: nil)
  }

  private mutating func stand(_ segment: DraftSegment, on gpu: Int) {
    gpus[gpu].segments.append(segment)
    note(segment, gpu)
  }

  private mutating func note(_ segment: DraftSegment, _ gpu: Int) {
    let rules = market.input.workloads[segment.workload].constraints
    guard rules.domains != nil || rules.replicas != nil else { return }
    standings[segment.workload, default: []].append((gpu, segment.column))
  }

  /// Takes a GPU of the node of a pool that has most left; nil where there is none.
  private mutating func freeNode(_ pool: Int, outside held: Set<Int> = []) -> String? {
    let free = nodes[pool].indices.filter { place in
      nodes[pool][place].count > 0
        && (held.isEmpty || !held.contains(nodeNumbers[nodes[pool][place].name] ?? -1))
    }
    guard let node = free.max(by: { (nodes[pool][$0].count, $1) < (nodes[pool][$1].count, $0) }) else { return nil }
    nodes[pool][node].count -= 1
    return nodes[pool][node].name
  }

  private func placements(_ gpu: Int) -> [Placement] {
    gpus[gpu].segments.map { Placement(profile: market.columns[$0.column].profile, start: $0.start) }
  }

  private mutating func open(_ room: Room, _ gpu: DraftGPU) {
    let node = overNodes ? gpu.node.flatMap { nodeNumbers[$0] } ?? -1 : -1
    if node >= 0 { gpusOfNode[node].append(gpus.count) }
    seats.append((room, numbers[room]?.count ?? 0, node))
    numbers[room, default: []].append(gpus.count)
    gpus.append(gpu)
    for segment in gpu.segments { note(segment, gpus.count - 1) }
    full[room] = nil
    if let stock = left[room.pool] { left[room.pool] = stock - 1 }
    var fit = fits[room] ?? TightestFit(market.cuts[room.pool].product)
    fits[room] = nil
    _ = fit.append(placements(gpus.count - 1))
    fits[room] = fit
  }

  /// Takes back what was put last. GPUs that become empty stay open for those who come next.
  private mutating func take(_ places: [Place], of workload: Int) {
    if standings[workload] != nil { standings[workload]?.removeLast(places.count) }
    for place in places.reversed() {
      gpus[place.gpu].segments.removeLast()
      // As it was before, what was found full since may have room again.
      full[place.room] = place.fullBefore
      fits[place.room]?.remove(market.columns[place.column].profile, start: place.start, gpu: place.number)
    }
    for place in places where place.fullBefore == nil { full[place.room] = nil }
  }
}
