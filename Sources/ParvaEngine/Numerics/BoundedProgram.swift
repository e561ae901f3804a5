/// A linear program that is solved again and again: minimise c.x subject to A x = b, l <= x <= u.
///
/// Revised simplex method with bounds, the inverse of the basis held as a dense matrix. Columns may be added and bounds
/// changed between solves; each solve starts from the basis of the last one, whether that is still feasible or not: the
/// first phase lowers the sum of what basic variables exceed their bounds by. Meant for some hundred rows and a few
/// thousand sparse columns of which few have a cost.
struct BoundedProgram {
  enum Answer {
    case optimal
    /// ``duals`` are those of the sum of infeasibilities: no column with a positive reduced cost there can help.
    case infeasible
    /// The limit on pivots was reached or rounding got the better of it.
    case stopped
  }

  /// A basis to return to.
  struct Basis {
    fileprivate var basis: [Int]
    fileprivate var atUpper: [Int]
  }

  let rows: Int
  private var rightHandSide: [Double]
  private var costs: [Double] = []
  private var lower: [Double] = []
  private var upper: [Double] = []
  /// Entries of column j at `starts[j]..<starts[j + 1]`.
  private var starts: [Int] = [0]
  private var entryRows: [Int] = []
  private var entryValues: [Double] = []
  /// Column that is basic in each row.
  private var basis: [Int] = []
  /// Row in which a column is basic; -1 for one at its lower bound, -2 at its upper bound.
  private var place: [Int] = []
  /// Row-major inverse of the basis.
  private var inverse: [Double] = []
  /// Value of the basic column of each row.
  private var values: [Double] = []
  private(set) var duals: [Double]
  private(set) var pivots = 0
  private var pivotsSinceRefactor = 0

  private static let boundTolerance = 1e-9
  private static let priceTolerance = 1e-9
  private static let refactorEvery = 100

  /// `logicals` tells for each row the coefficient and the upper bound of the variable, from 0 on, that takes up what
  /// the others leave: -1 and infinity for "at least", 1 and infinity for "at most", 1 and 0 for "equal".
  init(rightHandSide: [Double], logicals: [(coefficient: Double, upper: Double)]) {
    rows = rightHandSide.count
    self.rightHandSide = rightHandSide
    duals = [Double](repeating: 0, count: rows)
    inverse = [Double](repeating: 0, count: rows * rows)
    values = [Double](repeating: 0, count: rows)
    for row in 0..<rows {
      addColumn(cost: 0, upper: logicals[row].upper, [(row, logicals[row].coefficient)])
      basis.append(row)
      place[row] = row
    }
    refactor()
  }

  @discardableResult
  mutating func addColumn(
    cost: Double, lower: Double = 0, upper: Double = .infinity, _ entries: [(row: Int, value: Double)]
  ) -> Int {
    costs.append(cost)
    self.lower.append(lower)
    self.upper.append(upper)
    for entry in entries where entry.value != 0 {
      entryRows.append(entry.row)
      entryValues.append(entry.value)
    }
    starts.append(entryRows.count)
    place.append(-1)
    return costs.count - 1
  }

  mutating func setBounds(_ column: Int, _ low: Double, _ high: Double) {
    lower[column] = low
    upper[column] = high
    if place[column] == -2, high == .infinity { place[column] = -1 }
  }

  func bounds(_ column: Int) -> (lower: Double, upper: Double) { (lower[column], upper[column]) }

  func value(_ column: Int) -> Double {
    switch place[column] {
    case -1: lower[column]
    case -2: upper[column]
    default: values[place[column]]
    }
  }

  func reducedCost(_ column: Int) -> Double { costs[column] - dot(column) }

  func cost(_ column: Int) -> Double { costs[column] }

  var objective: Double {
    var sum = 0.0
    for column in costs.indices where costs[column] != 0 { sum += costs[column] * value(column) }
    return sum
  }

  var currentBasis: Basis {
    Basis(basis: basis, atUpper: place.indices.filter { place[$0] == -2 })
  }

  /// Columns that came later stay at their lower bound.
  mutating func restore(_ saved: Basis) {
    for column in place.indices { place[column] = -1 }
    for column in saved.atUpper where upper[column] < .infinity { place[column] = -2 }
    basis = saved.basis
    for (row, column) in basis.enumerated() { place[column] = row }
    refactor()
  }

  /// O(rows x (rows + columns)) per pivot at most.
  mutating func solve(limit: Int, shouldStop: () -> Bool = { false }) -> Answer {
    computeValues()
    let last = pivots + limit
    var stalled = 0
    var best = Double.infinity
    var wasFeasible = false
    while pivots < last {
      if pivots % 64 == 63, shouldStop() { return .stopped }
      if pivotsSinceRefactor >= BoundedProgram.refactorEvery { refactor() }
      let infeasibility = price()
      let isFeasible = infeasibility == 0
      if isFeasible != wasFeasible {
        (wasFeasible, best, stalled) = (isFeasible, .infinity, 0)
      }
      let measure = isFeasible ? objective : infeasibility
      if best == .infinity || measure < best - 1e-10 * max(1, best.magnitude) {
        (best, stalled) = (measure, 0)
      } else {
        stalled += 1
      }
      guard stalled < 40 + 8 * rows else { return .stopped }
      guard let entering = enteringColumn(isFeasible: isFeasible, first: stalled > 40 + rows) else {
        return isFeasible ? .optimal : .infeasible
      }
      guard step(entering, isFeasible) else { return .stopped }
      pivots += 1
    }
    return .stopped
  }

  // MARK: - Steps

  private func dot(_ column: Int) -> Double {
    var sum = 0.0
    for index in starts[column]..<starts[column + 1] { sum += duals[entryRows[index]] * entryValues[index] }
    return sum
  }

  /// Sets the duals of the phase and returns the sum of infeasibilities.
  private mutating func price() -> Double {
    for row in 0..<rows { duals[row] = 0 }
    var infeasibility = 0.0
    for row in 0..<rows {
      let (column, value) = (basis[row], values[row])
      let tolerance = BoundedProgram.boundTolerance * max(1, value.magnitude)
      if value < lower[column] - tolerance {
        infeasibility += lower[column] - value
        add(row, -1)
      } else if value > upper[column] + tolerance {
        infeasibility += value - upper[column]
        add(row, 1)
      }
    }
    guard infeasibility == 0 else { return infeasibility }
    for row in 0..<rows where costs[basis[row]] != 0 { add(row, costs[basis[row]]) }
    return 0
  }

  private mutating func add(_ row: Int, _ factor: Double) {
    let base = row * rows
    for other in 0..<rows { duals[other] += factor * inverse[base + other] }
  }

  private func enteringColumn(isFeasible: Bool, first: Bool) -> Int? {
    var best: Int?
    var most = BoundedProgram.priceTolerance
    for column in costs.indices {
      let state = place[column]
      guard state < 0, upper[column] > lower[column] else { continue }
      let reduced = (isFeasible ? costs[column] : 0) - dot(column)
      let gain = state == -1 ? -reduced : reduced
      guard gain > most else { continue }
      best = column
      if first { return column }
      most = gain
    }
    return best
  }

  /// Moves the entering column as far as it goes; false where nothing stops it.
  private mutating func step(_ entering: Int, _ isFeasible: Bool) -> Bool {
    var direction = [Double](repeating: 0, count: rows)
    for index in starts[entering]..<starts[entering + 1] {
      let (source, value) = (entryRows[index], entryValues[index])
      for row in 0..<rows { direction[row] += inverse[row * rows + source] * value }
    }
    let sign: Double = place[entering] == -1 ? 1 : -1
    var reach = upper[entering] - lower[entering]
    var leaving: Int?
    var leavesAtUpper = false
    for row in 0..<rows {
      let slope = sign * direction[row]
      guard slope.magnitude > 1e-9 else { continue }
      let (column, value) = (basis[row], values[row])
      let tolerance = BoundedProgram.boundTolerance * max(1, value.magnitude)
      let target: Double
      if slope > 0 {
        if value > upper[column] + tolerance {
          target = upper[column]
        } else if value >= lower[column] - tolerance {
          target = lower[column]
        } else {
          continue
        }
      } else if value < lower[column] - tolerance {
        target = lower[column]
      } else if value <= upper[column] + tolerance, upper[column] < .infinity {
        target = upper[column]
      } else {
        continue
      }
      let distance = max(0, (value - target) / slope)
      let isCloser = distance < reach - 1e-11
      let isSteeper = distance < reach + 1e-11 && leaving.map { slope.magnitude > (direction[$0]).magnitude } ?? false
      guard isCloser || isSteeper else { continue }
      reach = min(reach, distance)
      leaving = row
      leavesAtUpper = target == upper[column] && !(target == lower[column] && slope > 0)
    }
    guard reach < .infinity else { return false }
    for row in 0..<rows where direction[row] != 0 { values[row] -= sign * reach * direction[row] }
    guard let leaving else {
      place[entering] = place[entering] == -1 ? -2 : -1
      return true
    }
    let value = (place[entering] == -1 ? lower[entering] : upper[entering]) + sign * reach
    place[basis[leaving]] = leavesAtUpper ? -2 : -1
    basis[leaving] = entering
    place[entering] = leaving
    values[leaving] = value
    eliminate(leaving, direction)
    pivotsSinceRefactor += 1
    return true
  }

  private mutating func eliminate(_ pivot: Int, _ direction: [Double]) {
    let count = rows
    let factor = 1 / direction[pivot]
    inverse.withUnsafeMutableBufferPointer { cells in
      let base = pivot * count
      for column in 0..<count { cells[base + column] *= factor }
      for row in 0..<count where row != pivot && direction[row] != 0 {
        let scale = direction[row]
        let start = row * count
        for column in 0..<count { cells[start + column] -= scale * cells[base + column] }
      }
    }
  }

  /// Inverts the basis afresh; a column that has become dependent gives way to its row's logical one. O(rows^3) at most.
  private mutating func refactor() {
    pivotsSinceRefactor = 0
    for index in inverse.indices { inverse[index] = 0 }
    for row in 0..<rows { inverse[row * rows + row] = 1 }
    let wanted = basis
    var isTaken = [Bool](repeating: false, count: rows)
    var dropped: [Int] = []
    // Logical columns first: they have one entry each.
    let order = wanted.indices.sorted {
      (starts[wanted[$0] + 1] - starts[wanted[$0]], $0) < (starts[wanted[$1] + 1] - starts[wanted[$1]], $1)
    }
    for source in order {
      let column = wanted[source]
      var direction = [Double](repeating: 0, count: rows)
      for index in starts[column]..<starts[column + 1] {
        let (entry, value) = (entryRows[index], entryValues[index])
        for row in 0..<rows { direction[row] += inverse[row * rows + entry] * value }
      }
      var best: Int?
      for row in 0..<rows
      where !isTaken[row] && direction[row].magnitude > (best.map { direction[$0].magnitude } ?? 1e-9) {
        best = row
      }
      guard let best else {
        dropped.append(column)
        continue
      }
      isTaken[best] = true
      basis[best] = column
      place[column] = best
      eliminate(best, direction)
    }
    for column in dropped { place[column] = -1 }
    for row in 0..<rows where !isTaken[row] {
      for logical in 0..<rows where place[logical] < 0 {
        let (entry, value) = (entryRows[starts[logical]], entryValues[starts[logical]])
        let direction = (0..<rows).map { inverse[$0 * rows + entry] * value }
        guard direction[row].magnitude > 1e-9 else { continue }
        basis[row] = logical
        place[logical] = row
        eliminate(row, direction)
        break
      }
    }
    computeValues()
  }

  private mutating func computeValues() {
    var rest = rightHandSide
    for column in costs.indices where place[column] < 0 {
      let value = place[column] == -1 ? lower[column] : upper[column]
      guard value != 0 else { continue }
      for index in starts[column]..<starts[column + 1] { rest[entryRows[index]] -= entryValues[index] * value }
    }
    for row in 0..<rows {
      var sum = 0.0
      let base = row * rows
      for other in 0..<rows { sum += inverse[base + other] * rest[other] }
      values[row] = sum
    }
  }
}
