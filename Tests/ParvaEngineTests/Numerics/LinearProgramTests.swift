import ParvaTestSupport
import Testing

@testable import ParvaEngine

@Suite struct LinearProgramTests {
  private struct Program {
    var rows: Int
    var costs: [Double]
    var columns: [[Double]]
    var right: [Double]

    init(_ seed: UInt64) {
      var random = SeededGenerator(seed: seed)
      rows = Int.random(in: 1...4, using: &random)
      let count = Int.random(in: 1...7, using: &random)
      let rows = rows
      // Small whole numbers make ties and degenerate corners likely.
      costs = (0..<count).map { _ in Double(Int.random(in: -3...6, using: &random)) }
      columns = (0..<count).map { _ in (0..<rows).map { _ in Double(Int.random(in: -3...4, using: &random)) } }
      right = (0..<rows).map { _ in Double(Int.random(in: 0...5, using: &random)) }
    }

    /// Least value over all corners: every choice of as many independent columns as the rank.
    var leastCorner: Double? {
      var best: Double?
      for mask in 0..<(1 << costs.count) where mask.nonzeroBitCount <= rows {
        let chosen = costs.indices.filter { mask >> $0 & 1 == 1 }
        guard let x = solve(chosen), x.allSatisfy({ $0 >= -1e-9 }) else { continue }
        best = min(best ?? .infinity, zip(chosen, x).reduce(0) { $0 + costs[$1.0] * $1.1 })
      }
      return best
    }

    /// The one solution in these columns alone; nil where there is none or more than one. Gaussian elimination.
    private func solve(_ chosen: [Int]) -> [Double]? {
      var table = (0..<rows).map { row in chosen.map { columns[$0][row] } + [right[row]] }
      for (place, _) in chosen.enumerated() {
        guard
          let pivot = (place..<rows).max(by: { table[$0][place].magnitude < table[$1][place].magnitude }),
          table[pivot][place].magnitude > 1e-9
        else { return nil }
        table.swapAt(place, pivot)
        for row in 0..<rows where row != place {
          let factor = table[row][place] / table[place][place]
          for index in table[row].indices { table[row][index] -= factor * table[place][index] }
        }
      }
      guard (chosen.count..<rows).allSatisfy({ table[$0][chosen.count].magnitude < 1e-9 }) else { return nil }
      return chosen.indices.map { table[$0][chosen.count] / table[$0][$0] }
    }
  }

  @Test("finds the least corner, and duals that prove it")
  func corners() throws {
    var solved = 0
    for seed in UInt64(0)..<3000 {
      let program = Program(seed)
      var linear = LinearProgram(rightHandSide: program.right)
      for (cost, column) in zip(program.costs, program.columns) { linear.addColumn(cost: cost, column) }
      guard let solution = linear.minimum() else { continue }
      solved += 1
      let expected = try #require(program.leastCorner, "seed \(seed): a solution where there is no corner")
      #expect((solution.value - expected).magnitude < 1e-7, "seed \(seed)")
      for row in 0..<program.rows {
        let sum = zip(program.columns, solution.x).reduce(0) { $0 + $1.0[row] * $1.1 }
        #expect((sum - program.right[row]).magnitude < 1e-7, "seed \(seed)")
      }
      let dual = zip(solution.duals, program.right).reduce(0) { $0 + $1.0 * $1.1 }
      #expect((dual - expected).magnitude < 1e-6, "seed \(seed): duals worth \(dual)")
      for (cost, column) in zip(program.costs, program.columns) {
        let worth = zip(solution.duals, column).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(worth <= cost + 1e-6, "seed \(seed)")
      }
    }
    #expect(solved > 300)
  }

  @Test("has no answer only where there is no corner or no bound")
  func refusals() {
    for seed in UInt64(0)..<3000 {
      let program = Program(seed)
      guard program.costs.allSatisfy({ $0 >= 0 }), program.leastCorner != nil else { continue }
      var linear = LinearProgram(rightHandSide: program.right)
      for (cost, column) in zip(program.costs, program.columns) { linear.addColumn(cost: cost, column) }
      #expect(linear.minimum() != nil, "seed \(seed): costs from 0 on have a bound")
    }
  }
}
