/// All minimal covers of one workload that cost little more than the cheapest.
///
/// A cover is minimal when no instance can be taken away. Any plan can be thinned to minimal covers without needing more
/// GPUs, so a search over these misses nothing. A workload that must stand on n failure domains may need instances for
/// that alone, fewer than n of them: a plan with more can be thinned without leaving a domain that counts.
struct CoverAlternatives {
  /// Whether every cover within the allowance is listed; false once the limit was reached.
  private(set) var isComplete = true
  /// Instances per column, cheapest first.
  private(set) var covers: [[Int32]] = []
  /// Price of each cover above the cheapest.
  private(set) var excess: [Double] = []

  private let columns: [Int]
  private let capacities: [Double]
  private let prices: [Double]
  private let ratios: [Double]
  private let ceiling: Double
  private let limit: Int
  private let atLeast: Int
  private let atMost: Int
  private let needed: Double
  private var found: [(cost: Double, cover: [Int32])] = []
  private var nodes = 0

  /// Lists covers that cost at most `allowance` more than `least`, at most `limit` of them. Exponential in the kinds
  /// within the allowance; ends after a bounded number of steps.
  init(
    capacities row: ArraySlice<Double>, rate: Double, prices: [Double], least: Double, allowance: Double, limit: Int,
    rule: CoverRule = .plain
  ) {
    let offered = row.indices.filter { row[$0] > 0 }.map { $0 - row.startIndex }
    let ordered = offered.sorted { a, b in
      let (x, y) = (prices[a] / row[row.startIndex + a], prices[b] / row[row.startIndex + b])
      return (x, a) < (y, b)
    }
    columns = ordered
    capacities = ordered.map { row[row.startIndex + $0] }
    self.prices = ordered.map { prices[$0] }
    ratios = zip(self.prices, self.capacities).map { $0 / $1 }
    ceiling = least + allowance + 1e-9
    self.limit = limit
    atLeast = rule.atLeast
    atMost = rule.atMost
    needed = rate * (1 - CoverSolver.slack)
    guard rule.losses == 0 else {
      // Where the instances stand decides which of them are needed, so covers alone are no list of what there is.
      isComplete = false
      let ruled = RuledCover(capacities: row, rate: rate, prices: prices, rule: rule)
      if !ruled.cover.isEmpty { (covers, excess) = ([ruled.cover], [0]) }
      return
    }
    var chosen = [Int32](repeating: 0, count: ordered.count)
    if atLeast > 1 { countedDescend(0, needed, atLeast, 0, &chosen) } else { descend(0, needed, 0, &chosen) }
    for entry in found.sorted(by: {
      $0.cost != $1.cost ? $0.cost < $1.cost : $0.cover.lexicographicallyPrecedes($1.cover)
    }) {
      var cover = [Int32](repeating: 0, count: row.count)
      for (index, column) in columns.enumerated() { cover[column] = entry.cover[index] }
      covers.append(cover)
      excess.append(max(0, entry.cost - least))
    }
  }

  private mutating func countedDescend(
    _ level: Int, _ rest: Double, _ lacking: Int, _ cost: Double, _ chosen: inout [Int32]
  ) {
    nodes += 1
    guard found.count < limit, nodes < 50 * limit else {
      isComplete = false
      return
    }
    guard level < columns.count else {
      if rest <= 0, lacking <= 0, removable(chosen) < atLeast, isAllowed(chosen) { found.append((cost, chosen)) }
      return
    }
    guard cost + max(0, rest) * ratios[level] <= ceiling else { return }
    let full = rest > 0 ? (rest / capacities[level]).rounded(.up) : 0
    for count in stride(from: full + Double(atLeast - 1), through: 0, by: -1) {
      let spent = cost + count * prices[level]
      guard spent <= ceiling else { continue }
      chosen[level] = Int32(count)
      let left = count >= full ? min(0, rest - count * capacities[level]) : rest - count * capacities[level]
      countedDescend(level + 1, left, lacking - Int(count), spent, &chosen)
      chosen[level] = 0
    }
  }

  private func isAllowed(_ chosen: [Int32]) -> Bool { atMost == .max || chosen.reduce(0) { $0 + Int($1) } <= atMost }

  /// The most instances that can be taken away together while the rest still covers the rate.
  private func removable(_ chosen: [Int32]) -> Int {
    var spare = zip(chosen, capacities).reduce(-needed) { $0 + Double($1.0) * $1.1 }
    var count = 0
    for kind in chosen.indices.sorted(by: { capacities[$0] < capacities[$1] }) where chosen[kind] > 0 {
      let fitting = min(Int(chosen[kind]), Int(max(0, spare / capacities[kind])))
      count += fitting
      spare -= Double(fitting) * capacities[kind]
    }
    return count
  }

  private mutating func descend(_ level: Int, _ rest: Double, _ cost: Double, _ chosen: inout [Int32]) {
    nodes += 1
    guard found.count < limit, nodes < 50 * limit else {
      isComplete = false
      return
    }
    guard rest > 0 else {
      // Minimal: without one of its instances the cover falls short.
      if (0..<level).allSatisfy({ chosen[$0] == 0 || rest + capacities[$0] > 0 }), isAllowed(chosen) {
        found.append((cost, chosen))
      }
      return
    }
    guard level < columns.count, cost + rest * ratios[level] <= ceiling else { return }
    let full = (rest / capacities[level]).rounded(.up)
    var count = full
    while count >= 0 {
      let left = rest - count * capacities[level]
      let spent = cost + count * prices[level]
      if left > 0, level + 1 == columns.count || spent + left * ratios[level + 1] > ceiling { break }
      if spent <= ceiling {
        chosen[level] = Int32(count)
        descend(level + 1, left, spent, &chosen)
        chosen[level] = 0
      }
      count -= 1
    }
  }
}
