import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// What prices say of sets that the stock does not hold, against plans for these sets.
@Suite struct ShortageProofsTests {
  @Test("a set that is said not to fit has no plan, whatever rules its workloads have", arguments: [0, 1, 2])
  func noPlan(_ rules: Int) throws {
    let products = [try #require(ProductCatalogue.product(named: "A30-24GB")), TestGeometry.four]
    var (excluded, learned) = (0, 0)
    for seed in UInt64(0)..<60 {
      var random = SeededGenerator(seed: seed &* 17 &+ UInt64(rules))
      var input = RandomDemand.small(
        seed: seed, products: products, workloads: Int.random(in: 3...7, using: &random), most: 25)
      for pool in input.pools.indices { input.pools[pool].count = Int.random(in: 0...2, using: &random) }
      for index in input.workloads.indices {
        if rules == 1, Int.random(in: 0..<2, using: &random) == 0 {
          input.workloads[index].labels = ["team": "t\(Int.random(in: 0..<2, using: &random))"]
          input.workloads[index].constraints.exclusive = "team"
        }
        if rules == 2, Int.random(in: 0..<3, using: &random) == 0 {
          input.workloads[index].constraints.spread = Spread(over: .gpu, atLeast: 2)
        }
      }
      let market = Market(input, support: .everything, .serial)
      let supply = Supply(market.input)
      let solver = TenantSolver(
        market, CoverOptimizer(market, weights: market.input.weights, .serial), .serial)
      let all = input.workloads.indices.filter { market.refusal($0) == nil && market.spreadRefusal($0) == nil }
      var proofs = ShortageProofs(market, supply)
      for _ in 0..<4 {
        let some = all.filter { _ in Int.random(in: 0..<3, using: &random) > 0 }
        guard !some.isEmpty else { continue }
        let fleet = solver.solve(some, supply, .fitting)
        if proofs.learn(fleet, of: some, supply) {
          #expect(!fleet.fitsStock, "seed \(seed)")
          learned += 1
        }
      }
      for _ in 0..<12 {
        let order = all.shuffled(using: &random)
        let beside = Array(order.prefix(Int.random(in: 0...1, using: &random)))
        let most = proofs.fitting(order[beside.count...], beside: beside, supply)
        guard beside.count + most < order.count else { continue }
        excluded += 1
        var part = input
        part.workloads = order.prefix(beside.count + most + 1).map { input.workloads[$0] }
        if rules == 0 {
          #expect(BruteForce.leastGPUs(part) == nil, "seed \(seed): \(part.workloads.map(\.id))")
        } else {
          #expect(!OptimalPlanner().plan(part).unplaced.isEmpty, "seed \(seed): \(part.workloads.map(\.id))")
        }
      }
    }
    #expect(learned > 20 && excluded > 60, "\(learned) learned, \(excluded) excluded")
  }
}
