import ParvaTestSupport
import Testing

@testable import ParvaEngine

@Suite struct BoundedProgramTests {
  @Test("what improves at every step is solved to the end, however many steps that takes")
  func longWay() {
    // A knapsack without whole numbers: all that is worth more than the last that fits in part.
    let count = 400
    var random = SeededGenerator(seed: 5)
    let worths = (0..<count).map { _ in Double.random(in: 1...9, using: &random) }
    var program = BoundedProgram(rightHandSide: [250], logicals: [(1, .infinity)])
    for worth in worths { program.addColumn(cost: -worth, upper: 1, [(0, 1)]) }
    guard case .optimal = program.solve(limit: 4000) else {
      Issue.record("stopped before the end")
      return
    }
    let most = worths.sorted(by: >).prefix(250).reduce(0, +)
    #expect((program.objective + most).magnitude < 1e-6)
  }

  @Test("least values are those of the plain method")
  func plainMethod() throws {
    for seed in UInt64(0)..<300 {
      var random = SeededGenerator(seed: seed)
      let (rows, columns) = (Int.random(in: 1...6, using: &random), Int.random(in: 1...12, using: &random))
      let right = (0..<rows).map { _ in Double(Int.random(in: 0...5, using: &random)) }
      let costs = (0..<columns).map { _ in Double(Int.random(in: 0...6, using: &random)) }
      let entries = (0..<columns).map { _ in (0..<rows).map { _ in Double(Int.random(in: -2...4, using: &random)) } }
      // At least the right-hand side of each row.
      var bounded = BoundedProgram(rightHandSide: right, logicals: right.map { _ in (-1, .infinity) })
      var plain = LinearProgram(rightHandSide: right)
      for (cost, column) in zip(costs, entries) {
        bounded.addColumn(cost: cost, column.enumerated().map { ($0.offset, $0.element) })
        plain.addColumn(cost: cost, column)
      }
      for row in 0..<rows { plain.addColumn(cost: 0, (0..<rows).map { $0 == row ? -1 : 0 }) }
      let solution = plain.minimum()
      switch bounded.solve(limit: 4000) {
      case .optimal:
        #expect((bounded.objective - (try #require(solution)).value).magnitude < 1e-6, "seed \(seed)")
      case .infeasible: #expect(solution == nil, "seed \(seed)")
      case .stopped: Issue.record("seed \(seed) stopped")
      }
    }
  }
}
