/// All minimal covers of one workload that cost little more than the cheapest.
///
/// A cover is minimal when no instance can be taken away. Any plan can be thinned to minimal covers without needing more
/// GPUs, so a search over these misses nothing.
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
  private var found: [(cost: Double, cover: [Int32])] = []
  private var nodes = 0

  /// Lists covers that cost at most `allowance` more than `least`, at most `limit` of them. Exponential in the kinds
  /// within the allowance; ends after a bounded number of steps.
  init(
    capacities row: ArraySlice<Double>, rate: Double, prices: [Double], least: Double, allowance: Double, limit: Int
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
    var chosen = [Int32](repeating: 0, count: ordered.count)
    descend(0, rate * (1 - CoverSolver.slack), 0, &chosen)
    for entry in found.sorted(by: {
      $0.cost != $1.cost ? $0.cost < $1.cost : $0.cover.lexicographicallyPrecedes($1.cover)
    }) {
      var cover = [Int32](repeating: 0, count: row.count)
      for (index, column) in columns.enumerated() { cover[column] = entry.cover[index] }
      covers.append(cover)
      excess.append(max(0, entry.cost - least))
    }
  }

  private mutating func descend(_ level: Int, _ rest: Double, _ cost: Double, _ chosen: inout [Int32]) {
    nodes += 1
    guard found.count < limit, nodes < 50 * limit else {
      isComplete = false
      return
    }
    guard rest > 0 else {
      // Minimal: without one of its instances the cover falls short.
      if (0..<level).allSatisfy({ chosen[$0] == 0 || rest + capacities[$0] > 0 }) { found.append((cost, chosen)) }
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
