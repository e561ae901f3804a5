/// The cheapest cover of one workload under a ``CoverRule``, within bounds on its instances.
///
/// Branch and bound over the columns, those of largest capacity first: the first instances are then those that may be lost,
/// and what comes after them has to carry the rate. Slower than ``CoverSolver``, which knows no losses and no upper limit.
struct RuledCover {
  private static let nodeLimit = 20_000

  /// Not more than any such cover costs; equal to the cost of ``cover`` unless the node limit was hit.
  private(set) var lowerBound = Double.infinity
  /// Instances per column; empty where no cover keeps the rule, or none was found.
  private(set) var cover: [Int32] = []

  private let rule: CoverRule
  private var columns: [Int] = []
  private var prices: [Double] = []
  private var capacities: [Double] = []
  private var lows: [Int] = []
  private var highs: [Int] = []
  /// Per level, of the columns from there on: the least price per capacity, the least price, the instances there must be and
  /// what they cost.
  private var ratios: [Double] = []
  private var cheapest: [Double] = []
  private var owed: [Int] = []
  private var owedCost: [Double] = []
  private var chosen: [Int] = []
  private var best: [Int] = []
  private var bestCost = Double.infinity
  private var nodes = 0

  /// What is still missing below a level.
  private struct Rest {
    /// Requests per second of the instances that are not lost, and of all.
    var carried: Double
    var whole: Double
    var losses: Int
    var count = 0
  }

  init(
    capacities row: ArraySlice<Double>, rate: Double, prices all: [Double], rule: CoverRule,
    bounds: [Int: BoundedCover.Bounds] = [:]
  ) {
    self.rule = rule
    let base = row.startIndex
    for column in 0..<row.count {
      let own = bounds[column] ?? BoundedCover.Bounds()
      guard row[base + column] > 0 else {
        if own.low > 0 { return }
        continue
      }
      guard own.low <= own.high else { return }
      if bounds.isEmpty, Self.isBeaten(column, row, all) { continue }
      columns.append(column)
    }
    guard !columns.isEmpty else { return }
    columns.sort { (-row[base + $0], all[$0], $0) < (-row[base + $1], all[$1], $1) }
    prices = columns.map { all[$0] }
    capacities = columns.map { row[base + $0] }
    lows = columns.map { Int(bounds[$0]?.low ?? 0) }
    highs = columns.map { bounds[$0]?.high == nil || bounds[$0]?.high == .max ? .max : Int(bounds[$0]?.high ?? 0) }
    ratios = [Double](repeating: .infinity, count: columns.count + 1)
    cheapest = ratios
    owed = [Int](repeating: 0, count: columns.count + 1)
    owedCost = [Double](repeating: 0, count: columns.count + 1)
    for level in columns.indices.reversed() {
      ratios[level] = min(prices[level] / capacities[level], ratios[level + 1])
      cheapest[level] = min(prices[level], cheapest[level + 1])
      owed[level] = owed[level + 1] + lows[level]
      owedCost[level] = owedCost[level + 1] + Double(lows[level]) * prices[level]
    }
    chosen = [Int](repeating: 0, count: columns.count)
    let needed = rate * (1 - CoverSolver.slack)
    let start = Rest(carried: needed, whole: needed * rule.whole, losses: rule.losses)
    descend(0, start, 0)
    if nodes > Self.nodeLimit {
      lowerBound = least(0, start)
    } else {
      lowerBound = bestCost
    }
    guard bestCost < .infinity else { return }
    cover = [Int32](repeating: 0, count: row.count)
    for (level, column) in columns.enumerated() { cover[column] = Int32(best[level]) }
  }

  /// Whether another column does as much for no more, so that this one is never needed.
  private static func isBeaten(_ column: Int, _ row: ArraySlice<Double>, _ prices: [Double]) -> Bool {
    let capacity = row[row.startIndex + column]
    return prices.indices.contains { other in
      let rival = row[row.startIndex + other]
      guard other != column, rival >= capacity, prices[other] <= prices[column] else { return false }
      return rival > capacity || prices[other] < prices[column] || other < column
    }
  }

  /// What the columns from a level on cost at least.
  private func least(_ level: Int, _ rest: Rest) -> Double {
    var least = owedCost[level]
    if rest.carried > 0 || rest.losses > 0 {
      let lost = rest.losses > 0 ? Double(rest.losses) * cheapest[level] : 0
      least = max(least, (rest.carried > 0 ? rest.carried * ratios[level] : 0) + lost)
    }
    if rest.whole > 0 { least = max(least, rest.whole * ratios[level]) }
    if rest.count < rule.atLeast { least = max(least, Double(rule.atLeast - rest.count) * cheapest[level]) }
    return least
  }

  private mutating func descend(_ level: Int, _ rest: Rest, _ cost: Double) {
    let isEnough = rest.carried <= 0 && rest.whole <= 0 && rest.losses == 0 && rest.count >= rule.atLeast
    if isEnough, owed[level] == 0 {
      if cost < bestCost - 1e-12 {
        bestCost = cost
        best = chosen
        for index in level..<columns.count { best[index] = 0 }
      }
      return
    }
    guard level < columns.count, cost + least(level, rest) < bestCost - 1e-12 else { return }
    // The largest of what is left need this many at least.
    let capacity = capacities[level]
    let forRate = rest.carried > 0 ? Self.whole(rest.carried / capacity) : 0
    let forWhole = rest.whole > 0 ? Self.whole(rest.whole / capacity) : 0
    let enough = max(rest.losses + forRate, forWhole, rule.atLeast - rest.count)
    guard max(rest.losses + forRate, forWhole, owed[level]) <= rule.atMost - rest.count else { return }
    var count = min(max(enough, lows[level]), highs[level], rule.atMost - rest.count - owed[level + 1])
    while count >= lows[level], nodes <= Self.nodeLimit {
      nodes += 1
      chosen[level] = count
      var next = rest
      let lost = min(count, rest.losses)
      next.losses -= lost
      next.count += count
      // As many as cover what is missing do so whatever the rounding.
      next.carried = count - lost >= forRate ? min(0, rest.carried) : rest.carried - Double(count - lost) * capacity
      next.whole = count >= forWhole ? min(0, rest.whole) : rest.whole - Double(count) * capacity
      descend(level + 1, next, cost + Double(count) * prices[level])
      count -= 1
    }
    chosen[level] = 0
  }

  private static func whole(_ count: Double) -> Int { Int(min(count.rounded(.up), 1e9)) }
}
