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

    func keeps(_ cover: [Int], _ rule: CoverRule) -> Bool {
      let carried = zip(cover, capacities).flatMap { [Double](repeating: $1, count: $0) }.sorted()
      return carried.dropLast(rule.losses).reduce(0, +) >= rate * (1 - 1e-9)
        && carried.reduce(0, +) >= rate * rule.whole * (1 - 1e-9)
        && (rule.atLeast...max(rule.atLeast, rule.atMost)).contains(carried.count)
    }

    /// Every number of instances up to as many as any kind could need.
    func leastPrice(_ rule: CoverRule) -> Double {
      var best = Double.infinity
      var cover = [Int](repeating: 0, count: capacities.count)
      func extend(_ kind: Int, _ spent: Double) {
        guard spent < best else { return }
        guard kind < capacities.count else {
          if keeps(cover, rule) { best = spent }
          return
        }
        guard capacities[kind] > 0 else { return extend(kind + 1, spent) }
        let most = max(
          Int((rate / capacities[kind]).rounded(.up)) + rule.losses,
          Int((rate * rule.whole / capacities[kind]).rounded(.up)),
          rule.atLeast)
        for number in 0...min(most, rule.atMost) {
          cover[kind] = number
          extend(kind + 1, spent + Double(number) * prices[kind])
        }
        cover[kind] = 0
      }
      extend(0, 0)
      return best
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
        capacities: problem.capacities[...], rate: problem.rate, prices: problem.prices,
        rule: CoverRule(atLeast: problem.count))
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
  @Test("of bounded number and with losses it is the same by all three")
  func agreeUnderRules() {
    for seed in UInt64(0)..<1500 {
      var problem = Problem(seed)
      problem.rate = min(problem.rate, 30)
      var random = SeededGenerator(seed: seed &+ 77)
      let losses = Int.random(in: 0...2, using: &random)
      let rule = CoverRule(
        atLeast: max(problem.count, losses + 1), atMost: Bool.random(using: &random) ? .max : 6 + losses,
        losses: losses,
        whole: losses > 0 ? [1, 1.5, 2].randomElement(using: &random) ?? 1 : 1)
      let expected = problem.leastPrice(rule)
      let ruled = RuledCover(
        capacities: problem.capacities[...], rate: problem.rate, prices: problem.prices, rule: rule)
      let items = zip(problem.capacities, problem.prices).filter { $0.0 > 0 }
        .map { CheckedCover.Item(capacity: $0.0, price: $0.1) }
      let checked = CheckedSurvivor(
        items, rate: problem.rate, whole: problem.rate * rule.whole, losses: losses, count: rule.atLeast,
        most: rule.atMost == .max ? nil : rule.atMost
      ).leastPrice()
      guard expected < .infinity else {
        #expect(ruled.lowerBound == .infinity && checked == .infinity, "seed \(seed)")
        continue
      }
      #expect((ruled.lowerBound - expected).magnitude < 1e-9, "seed \(seed): \(ruled.lowerBound) of \(expected)")
      #expect((checked - expected).magnitude < 1e-9, "seed \(seed): \(checked) of \(expected)")
      let price = zip(ruled.cover, problem.prices).reduce(0) { $0 + Double($1.0) * $1.1 }
      #expect((price - expected).magnitude < 1e-9, "seed \(seed)")
      #expect(problem.keeps(ruled.cover.map(Int.init), rule), "seed \(seed): \(ruled.cover)")
    }
  }
}
