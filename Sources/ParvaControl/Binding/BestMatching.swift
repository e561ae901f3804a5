/// Which column each row gets, so that the sum of weights is greatest (Kuhn 1955; Jonker and Volgenant 1987).
enum BestMatching {
  /// Row by row the index of its column; rows without one where there are fewer columns than rows.
  ///
  /// Equal sums are decided towards low columns. O(rows^2 x columns) time, O(columns) memory beside the weights.
  static func of(rows: Int, columns: Int, weight: (Int, Int) -> Int) -> [Int?] {
    guard rows > 0, columns > 0 else { return Array(repeating: nil, count: rows) }
    guard rows <= columns else {
      // Transposed, so that every row of the matrix is matched.
      let owner = of(rows: columns, columns: rows) { weight($1, $0) }
      var result = [Int?](repeating: nil, count: rows)
      for (column, row) in owner.enumerated() { if let row { result[row] = column } }
      return result
    }
    // Least cost with potentials; index 0 of the columns stands for none, rows count from 1.
    var rowPotential = [Int](repeating: 0, count: rows + 1)
    var columnPotential = [Int](repeating: 0, count: columns + 1)
    var rowOf = [Int](repeating: 0, count: columns + 1)
    var before = [Int](repeating: 0, count: columns + 1)
    for row in 1...rows {
      rowOf[0] = row
      var column = 0
      var slack = [Int](repeating: .max, count: columns + 1)
      var isDone = [Bool](repeating: false, count: columns + 1)
      repeat {
        isDone[column] = true
        let current = rowOf[column]
        var least = Int.max
        var next = 0
        for candidate in 1...columns where !isDone[candidate] {
          let reduced = -weight(current - 1, candidate - 1) - rowPotential[current] - columnPotential[candidate]
          if reduced < slack[candidate] {
            slack[candidate] = reduced
            before[candidate] = column
          }
          if slack[candidate] < least {
            least = slack[candidate]
            next = candidate
          }
        }
        for done in 0...columns {
          if isDone[done] {
            rowPotential[rowOf[done]] += least
            columnPotential[done] -= least
          } else if slack[done] != .max {
            slack[done] -= least
          }
        }
        column = next
      } while rowOf[column] != 0
      while column != 0 {
        rowOf[column] = rowOf[before[column]]
        column = before[column]
      }
    }
    var result = [Int?](repeating: nil, count: rows)
    for column in 1...columns where rowOf[column] != 0 { result[rowOf[column] - 1] = column - 1 }
    return result
  }
}
