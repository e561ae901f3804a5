/// The cheapest way to cover one workload's rate with instances at given prices: minimise p.x subject to t.x >= r,
/// x integer and not negative.
///
/// Depth-first branch and bound: kinds in order of price per throughput, most instances of the cheapest first. Fewer of a
/// kind leave more to dearer kinds, so the first count whose bound reaches the incumbent ends the level. About a
/// microsecond for a handful of instances; a node limit keeps ties among thousands of instances from exploding, and then
/// `lowerBound` falls back to the linear relaxation, which is still valid.
struct CoverSolver {
  static let nodeLimit = 20_000
  /// A rate counts as covered when this share of it is missing at most.
  static let slack = 1e-9

  private let kinds: Int
  private var order: [Int]
  private var price: [Double]
  private var throughput: [Double]
  private var ratio: [Double]
  private var chosen: [Int32]
  private var best: [Int32]
  private var bestCost = 0.0
  private var depth = 0
  private var nodes = 0
  /// Per level the least price from there on; only filled where instances are counted.
  private var cheapest: [Double] = []

  /// Lower bound of the last ``solve(capacities:rate:prices:)``: equal to its cost unless the node limit was hit.
  private(set) var lowerBound = 0.0

  init(kinds: Int) {
    self.kinds = kinds
    order = [Int](repeating: 0, count: kinds)
    price = [Double](repeating: 0, count: kinds)
    throughput = price
    ratio = price
    chosen = [Int32](repeating: 0, count: kinds)
    best = chosen
  }

  /// Returns the least cost, infinite when no kind has a capacity; ``cover(into:at:)`` then gives the instances.
  ///
  /// `capacities` holds requests per second per kind, 0 where the kind has no offer; `prices` are not negative;
  /// `rule` says what the instances must be beside enough.
  mutating func solve(
    capacities: ArraySlice<Double>, rate: Double, prices: [Double], rule: CoverRule = .plain
  ) -> Double {
    guard rule.isCounted else { return ruledSolve(capacities, rate, prices, rule) }
    let atLeast = rule.atLeast
    let needed = rate * (1 - CoverSolver.slack)
    gather(capacities, prices)
    guard depth > 0 else {
      lowerBound = .infinity
      return .infinity
    }
    bestCost = .infinity
    for level in 0..<depth {
      let count = (needed / throughput[level]).rounded(.up)
      if count * price[level] < bestCost {
        bestCost = count * price[level]
        for other in 0..<depth { best[other] = 0 }
        best[level] = Int32(count)
      }
    }
    nodes = 0
    descend(0, needed, 0)
    lowerBound = nodes > CoverSolver.nodeLimit ? needed * ratio[0] : bestCost
    if atLeast > 1, best[0..<depth].reduce(0, +) < atLeast { countedSolve(needed, atLeast) }
    return bestCost
  }

  /// Writes the instances of the last solution per kind at `offset`.
  func cover(into covers: inout [Int32], at offset: Int) {
    for kind in 0..<kinds { covers[offset + kind] = 0 }
    for level in 0..<depth { covers[offset + order[level]] = best[level] }
  }

  private mutating func ruledSolve(
    _ capacities: ArraySlice<Double>, _ rate: Double, _ prices: [Double], _ rule: CoverRule
  ) -> Double {
    let ruled = RuledCover(capacities: capacities, rate: rate, prices: prices, rule: rule)
    lowerBound = ruled.lowerBound
    depth = ruled.cover.isEmpty ? 0 : kinds
    bestCost = .infinity
    guard depth > 0 else { return bestCost }
    bestCost = zip(ruled.cover, prices).reduce(0) { $0 + Double($1.0) * $1.1 }
    for kind in 0..<kinds { (order[kind], best[kind]) = (kind, ruled.cover[kind]) }
    return bestCost
  }

  /// Keeps the kinds that no other beats in both price and throughput, by price per throughput.
  private mutating func gather(_ capacities: ArraySlice<Double>, _ prices: [Double]) {
    depth = 0
    let base = capacities.startIndex
    for kind in 0..<kinds {
      let capacity = capacities[base + kind]
      guard capacity > 0 else { continue }
      let cost = prices[kind]
      var dominated = false
      for other in 0..<kinds where other != kind {
        let rival = capacities[base + other]
        guard rival >= capacity, prices[other] <= cost else { continue }
        if rival > capacity || prices[other] < cost || other < kind {
          dominated = true
          break
        }
      }
      guard !dominated else { continue }
      let value = cost / capacity
      var place = depth
      while place > 0, ratio[place - 1] > value {
        ratio[place] = ratio[place - 1]
        price[place] = price[place - 1]
        throughput[place] = throughput[place - 1]
        order[place] = order[place - 1]
        place -= 1
      }
      ratio[place] = value
      price[place] = cost
      throughput[place] = capacity
      order[place] = kind
      depth += 1
    }
  }

  private mutating func descend(_ level: Int, _ rest: Double, _ cost: Double) {
    let full = (rest / throughput[level]).rounded(.up)
    if cost + full * price[level] < bestCost - 1e-12 {
      chosen[level] = Int32(full)
      record(level, cost + full * price[level])
    }
    guard level + 1 < depth else { return }
    var count = full - 1
    while count >= 0 {
      let left = rest - count * throughput[level]
      let spent = cost + count * price[level]
      guard spent + left * ratio[level + 1] < bestCost - 1e-12 else { break }
      nodes += 1
      guard nodes <= CoverSolver.nodeLimit else { break }
      chosen[level] = Int32(count)
      descend(level + 1, left, spent)
      count -= 1
    }
  }

  /// The same with a least number of instances, for the covers that have too few. A kind that another beats in price and
  /// throughput is of no use here either.
  private mutating func countedSolve(_ needed: Double, _ atLeast: Int) {
    cheapest = [Double](price[0..<depth])
    for level in (0..<depth - 1).reversed() { cheapest[level] = min(cheapest[level], cheapest[level + 1]) }
    bestCost = .infinity
    nodes = 0
    countedDescend(0, needed, atLeast, 0)
    lowerBound =
      nodes > CoverSolver.nodeLimit ? max(needed * ratio[0], Double(atLeast) * cheapest[0]) : bestCost
  }

  private mutating func countedDescend(_ level: Int, _ rest: Double, _ lacking: Int, _ cost: Double) {
    guard rest > 0 || lacking > 0 else {
      if cost < bestCost - 1e-12 { record(level - 1, cost) }
      return
    }
    guard level < depth else { return }
    let least = max(rest > 0 ? rest * ratio[level] : 0, Double(max(0, lacking)) * cheapest[level])
    guard cost + least < bestCost - 1e-12 else { return }
    let full = rest > 0 ? (rest / throughput[level]).rounded(.up) : 0
    var count = max(full, Double(lacking))
    while count >= 0, nodes <= CoverSolver.nodeLimit {
      nodes += 1
      chosen[level] = Int32(count)
      // As many as cover the rest do so whatever the rounding.
      let left = count >= full ? 0 : rest - count * throughput[level]
      countedDescend(level + 1, left, lacking - Int(count), cost + count * price[level])
      count -= 1
    }
  }

  private mutating func record(_ level: Int, _ cost: Double) {
    bestCost = cost
    for index in 0..<depth { best[index] = index <= level ? chosen[index] : 0 }
  }
}
