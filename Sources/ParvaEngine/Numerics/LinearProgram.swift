/// A tiny dense linear program: minimise c.x subject to A x = b, x >= 0, with b >= 0.
///
/// Meant for a handful of rows and at most some hundred columns, where a plain tableau in one flat array beats anything
/// clever. Two phases; the entering column is the most negative reduced cost until the objective stalls, then Bland's
/// rule, which cannot cycle.
struct LinearProgram {
  struct Solution {
    var value: Double
    /// One per column.
    var x: [Double]
    /// One per row: change of the optimal value per unit of b.
    var duals: [Double]
  }

  private let rows: Int
  private var rightHandSide: [Double]
  private(set) var costs: [Double] = []
  /// Column-major: entry (row, column) at `column * rows + row`.
  private var columns: [Double] = []

  /// `rightHandSide` must not be negative.
  init(rightHandSide: [Double]) {
    rows = rightHandSide.count
    self.rightHandSide = rightHandSide
  }

  /// Appends a column and returns its index. `entries` holds one value per row.
  @discardableResult
  mutating func addColumn(cost: Double, _ entries: [Double]) -> Int {
    costs.append(cost)
    columns.append(contentsOf: entries)
    return costs.count - 1
  }

  /// Solves from scratch; nil when there is no feasible point or no finite optimum. O(rows x columns) per pivot.
  func minimum() -> Solution? {
    var tableau = Tableau(rows: rows, columns: columns, rightHandSide: rightHandSide)
    let artificial = [Double](repeating: 0, count: costs.count) + [Double](repeating: 1, count: rows)
    guard tableau.optimise(artificial, entering: costs.count + rows), tableau.value(artificial) < 1e-9 else {
      return nil
    }
    tableau.driveOut(from: costs.count)
    let full = costs + [Double](repeating: 0, count: rows)
    guard tableau.optimise(full, entering: costs.count) else { return nil }
    var x = [Double](repeating: 0, count: costs.count)
    for (row, column) in tableau.basis.enumerated() where column < costs.count {
      x[column] = max(0, tableau.entry(row, tableau.width - 1))
    }
    let value = zip(costs, x).reduce(0) { $0 + $1.0 * $1.1 }
    return Solution(value: value, x: x, duals: tableau.duals(full, first: costs.count))
  }
}

/// Rows of [A | I | b] reduced to the current basis.
private struct Tableau {
  let rows: Int
  let width: Int
  private var cells: [Double]
  private(set) var basis: [Int]
  private static let epsilon = 1e-11

  init(rows: Int, columns: [Double], rightHandSide: [Double]) {
    self.rows = rows
    let count = rows == 0 ? 0 : columns.count / rows
    width = count + rows + 1
    cells = [Double](repeating: 0, count: rows * width)
    for row in 0..<rows {
      for column in 0..<count { cells[row * width + column] = columns[column * rows + row] }
      cells[row * width + count + row] = 1
      cells[row * width + width - 1] = rightHandSide[row]
    }
    basis = (0..<rows).map { count + $0 }
  }

  func entry(_ row: Int, _ column: Int) -> Double { cells[row * width + column] }

  func value(_ costs: [Double]) -> Double {
    (0..<rows).reduce(0) { $0 + costs[basis[$1]] * entry($1, width - 1) }
  }

  /// The identity block holds the basis inverse, so its reduced costs are the duals.
  func duals(_ costs: [Double], first: Int) -> [Double] {
    (0..<rows).map { row in (0..<rows).reduce(0) { $0 + costs[basis[$1]] * entry($1, first + row) } }
  }

  /// Pivots until no column below `entering` improves; false when the objective has no bound.
  mutating func optimise(_ costs: [Double], entering: Int) -> Bool {
    var stalled = 0
    var last = Double.infinity
    var reduced = [Double](repeating: 0, count: entering)
    for _ in 0..<(50 * (rows + entering)) {
      guard let column = enteringColumn(costs, entering, bland: stalled > 2 * rows, &reduced) else { return true }
      guard let row = leavingRow(column) else { return false }
      pivot(row, column)
      let now = value(costs)
      stalled = now < last - 1e-12 * max(1, last.magnitude) ? 0 : stalled + 1
      last = now
    }
    return true
  }

  /// Replaces basic columns from `first` on, all at zero after phase one, by real ones; a row that has none is
  /// redundant and keeps its artificial column at zero for good.
  mutating func driveOut(from first: Int) {
    for row in 0..<rows where basis[row] >= first {
      if let column = (0..<first).first(where: { entry(row, $0).magnitude > 1e-9 }) { pivot(row, column) }
    }
  }

  /// The column with the most negative reduced cost, or the first with a negative one. `reduced` is room to work in.
  private func enteringColumn(_ costs: [Double], _ limit: Int, bland: Bool, _ reduced: inout [Double]) -> Int? {
    // Row by row, as the cells lie.
    for column in 0..<limit { reduced[column] = costs[column] }
    cells.withUnsafeBufferPointer { cells in
      reduced.withUnsafeMutableBufferPointer { reduced in
        for row in 0..<rows where costs[basis[row]] != 0 {
          let cost = costs[basis[row]]
          let start = row * width
          for column in 0..<limit { reduced[column] -= cost * cells[start + column] }
        }
      }
    }
    var best: Int?
    var least = -1e-10
    for column in 0..<limit where reduced[column] < least {
      best = column
      if bland { return column }
      least = reduced[column]
    }
    return best
  }

  /// The smallest ratio; among ties the smallest basis index, as Bland's rule wants.
  private func leavingRow(_ column: Int) -> Int? {
    var best: Int?
    var least = Double.infinity
    for row in 0..<rows where entry(row, column) > Tableau.epsilon {
      let ratio = entry(row, width - 1) / entry(row, column)
      if ratio < least - 1e-12 || (ratio < least + 1e-12 && best.map { basis[row] < basis[$0] } ?? true) {
        least = min(least, ratio)
        best = row
      }
    }
    return best
  }

  private mutating func pivot(_ row: Int, _ column: Int) {
    let factor = 1 / entry(row, column)
    let (rows, width) = (rows, width)
    cells.withUnsafeMutableBufferPointer { cells in
      let base = row * width
      for index in 0..<width { cells[base + index] *= factor }
      for other in 0..<rows where other != row {
        let start = other * width
        let scale = cells[start + column]
        guard scale != 0 else { continue }
        for index in 0..<width { cells[start + index] -= scale * cells[base + index] }
      }
    }
    basis[row] = column
  }
}
