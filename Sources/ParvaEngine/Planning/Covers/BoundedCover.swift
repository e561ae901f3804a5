/// The cheapest cover of one workload within bounds on how many instances of each kind it may have: minimise p.x subject
/// to t.x >= r, low <= x <= high, x integer, with a least number of instances.
///
/// Branch and bound like ``CoverSolver``, of which this is the general case. A kind that another beats in price and
/// throughput is of use here once the other is used up.
struct BoundedCover {
  /// Bounds on the instances of one column.
  struct Bounds: Hashable, Sendable {
    var low: Int32 = 0
    var high: Int32 = .max
  }

  private static let nodeLimit = 20_000

  /// Not more than any such cover costs; equal to the cost of ``cover`` unless the node limit was hit.
  private(set) var lowerBound = Double.infinity
  /// Instances per column; empty where no cover keeps the bounds.
  private(set) var cover: [Int32] = []

  private var columns: [Int] = []
  private var prices: [Double] = []
  private var capacities: [Double] = []
  private var ratios: [Double] = []
  private var most: [Double] = []
  /// Per level the least price from there on, and the most that all columns from there on carry.
  private var cheapest: [Double] = []
  private var reach: [Double] = []
  private var chosen: [Double] = []
  private var best: [Double] = []
  private var bestCost = Double.infinity
  private var nodes = 0

  /// `bounds` holds those of the columns that have any, all others are free.
  init(capacities row: ArraySlice<Double>, rate: Double, prices all: [Double], rule: CoverRule, bounds: [Int: Bounds]) {
    guard rule.isCounted else {
      let ruled = RuledCover(capacities: row, rate: rate, prices: all, rule: rule, bounds: bounds)
      (lowerBound, cover) = (ruled.lowerBound, ruled.cover)
      return
    }
    var rest = rate * (1 - CoverSolver.slack)
    var lacking = rule.atLeast
    var fixedCost = 0.0
    var fixed = [Int32](repeating: 0, count: row.count)
    var free: [(column: Int, most: Double)] = []
    for column in 0..<row.count {
      let capacity = row[row.startIndex + column]
      let own = bounds[column] ?? Bounds()
      guard capacity > 0 else {
        if own.low > 0 { return }
        continue
      }
      guard own.low <= own.high else { return }
      fixed[column] = own.low
      rest -= Double(own.low) * capacity
      lacking -= Int(own.low)
      fixedCost += Double(own.low) * all[column]
      let more = own.high == .max ? Double.infinity : Double(own.high - own.low)
      if more > 0 { free.append((column, more)) }
    }
    if rest <= 0, lacking <= 0 {
      (lowerBound, cover) = (fixedCost, fixed)
      return
    }
    free.sort { a, b in
      (all[a.column] / row[row.startIndex + a.column], a.column) < (
        all[b.column] / row[row.startIndex + b.column], b.column
      )
    }
    columns = free.map(\.column)
    most = free.map(\.most)
    prices = columns.map { all[$0] }
    capacities = columns.map { row[row.startIndex + $0] }
    ratios = zip(prices, capacities).map { $0 / $1 }
    cheapest = [Double](repeating: .infinity, count: columns.count + 1)
    reach = [Double](repeating: 0, count: columns.count + 1)
    for level in columns.indices.reversed() {
      cheapest[level] = min(prices[level], cheapest[level + 1])
      reach[level] = reach[level + 1] + most[level] * capacities[level]
    }
    chosen = [Double](repeating: 0, count: columns.count)
    guard !columns.isEmpty else { return }
    let least = max(max(0, rest) * ratios[0], Double(max(0, lacking)) * cheapest[0])
    descend(0, rest, lacking, 0)
    guard bestCost < .infinity || nodes > BoundedCover.nodeLimit else { return }
    lowerBound = fixedCost + (nodes > BoundedCover.nodeLimit ? least : bestCost)
    guard bestCost < .infinity else { return }
    cover = fixed
    for (level, column) in columns.enumerated() { cover[column] += Int32(best[level]) }
  }

  private mutating func descend(_ level: Int, _ rest: Double, _ lacking: Int, _ cost: Double) {
    guard rest > 0 || lacking > 0 else {
      if cost < bestCost - 1e-12 {
        bestCost = cost
        best = chosen
        for index in level..<columns.count { best[index] = 0 }
      }
      return
    }
    guard level < columns.count, rest <= reach[level] else { return }
    let least = max(max(0, rest) * ratios[level], Double(max(0, lacking)) * cheapest[level])
    guard cost + least < bestCost - 1e-12 else { return }
    let full = rest > 0 ? (rest / capacities[level]).rounded(.up) : 0
    var count = min(max(full, Double(max(0, lacking))), most[level])
    while count >= 0, nodes <= BoundedCover.nodeLimit {
      nodes += 1
      chosen[level] = count
      let left = count >= full ? min(0, rest) : rest - count * capacities[level]
      // Fewer leave more to columns that are dearer per throughput.
      if left > 0,
        level + 1 == columns.count || cost + count * prices[level] + left * ratios[level + 1] >= bestCost - 1e-12
      {
        return
      }
      descend(level + 1, left, lacking - Int(count), cost + count * prices[level])
      count -= 1
    }
  }
}
