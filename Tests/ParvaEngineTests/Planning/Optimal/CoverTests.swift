import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// The cheapest cover of one workload: the planner's, the checker's, and that of trying everything.
@Suite struct CoverTests {
  private struct Problem {
    var capacities: [Double]
    var prices: [Double]
    var rate: Double
    var count: Int

    init(_ seed: UInt64) {
      var random = SeededGenerator(seed: seed)
      let kinds = Int.random(in: 1...5, using: &random)
      // Zeros on both sides: kinds without an offer, and kinds without a price.
      capacities = (0..<kinds).map { _ in Double(Int.random(in: 0...20, using: &random)) }
      prices = (0..<kinds).map { _ in Double(Int.random(in: 0...9, using: &random)) / 7 }
      rate = Double(Int.random(in: 1...60, using: &random)) + (Bool.random(using: &random) ? 0.5 : 0)
      count = Int.random(in: 1...4, using: &random)
    }

    /// All numbers of instances up to what each kind alone would need.
    var leastPrice: Double {
      var best = Double.infinity
      func extend(_ kind: Int, _ rest: Double, _ lacking: Int, _ spent: Double) {
        if rest <= 0, lacking <= 0 { best = min(best, spent) }
        guard kind < capacities.count, spent < best else { return }
        guard capacities[kind] > 0 else { return extend(kind + 1, rest, lacking, spent) }
        let most = max(Int((max(0, rest) / capacities[kind]).rounded(.up)), lacking, 0)
        for number in 0...most {
          extend(
            kind + 1, rest - Double(number) * capacities[kind], lacking - number, spent + Double(number) * prices[kind])
        }
      }
      extend(0, rate * (1 - 1e-9), count, 0)
      return best
    }
  }

  @Test("is the same by all three")
  func agree() {
    for seed in UInt64(0)..<4000 {
      let problem = Problem(seed)
      let expected = problem.leastPrice
      var solver = CoverSolver(kinds: problem.capacities.count)
      let found = solver.solve(
        capacities: problem.capacities[...], rate: problem.rate, prices: problem.prices, atLeast: problem.count)
      let items = zip(problem.capacities, problem.prices).filter { $0.0 > 0 }
        .map { CheckedCover.Item(capacity: $0.0, price: $0.1) }
      let checked = CheckedCover.leastPrice(items, rate: problem.rate, count: problem.count)
      guard expected < .infinity else {
        #expect(solver.lowerBound == .infinity && checked == .infinity, "seed \(seed)")
        continue
      }
      #expect((solver.lowerBound - expected).magnitude < 1e-9, "seed \(seed): \(found) of \(expected)")
      #expect((checked - expected).magnitude < 1e-9, "seed \(seed): \(checked) of \(expected)")
      var cover = [Int32](repeating: 0, count: problem.capacities.count)
      solver.cover(into: &cover, at: 0)
      let covered = zip(cover, problem.capacities).reduce(0) { $0 + Double($1.0) * $1.1 }
      let price = zip(cover, problem.prices).reduce(0) { $0 + Double($1.0) * $1.1 }
      #expect(covered >= problem.rate * (1 - 1e-9), "seed \(seed)")
      #expect(cover.reduce(0, +) >= problem.count, "seed \(seed)")
      #expect((price - expected).magnitude < 1e-9, "seed \(seed)")
    }
  }
}
