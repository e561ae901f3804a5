import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaEngine

/// Capacities for which time is short: less than could be had, never more, and for nobody nothing.
@Suite struct OfferStepsTests {
  /// Hurries from the given question on.
  private static func hurrying(after questions: Int) -> PlanningContext {
    let asked = Counter()
    return PlanningContext(
      forEach: { count, body in for index in 0..<count { body(index) } }, shouldStop: { false },
      shouldHurry: { asked.next() > questions })
  }

  private final class Counter: Sendable {
    private let count = Atomic(0)
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
  }

  /// Many objectives of few models, some of them out of reach.
  private static func input(_ seed: UInt64, workloads: Int) throws -> PlanningInput {
    var random = SeededGenerator(seed: seed)
    let products = try ["A100-80GB", "A30-24GB"].map { try #require(ProductCatalogue.product(named: $0)) }
    var input = RandomDemand.input(
      seed: seed, products: Array(products.prefix(1 + Int(seed % 2))), models: 1, workloads: workloads,
      options: PlanningOptions(admission: .certified, certificate: true))
    for index in input.workloads.indices {
      input.workloads[index].sloLatencyMs *= Double.random(in: 0.5...2, using: &random)
      if index % 9 == 0 { input.workloads[index].sloLatencyMs /= 40 }
      if index % 5 == 0 { input.workloads[index].arrivals = .deterministic }
    }
    return input
  }

  private static func offers(_ input: PlanningInput, _ context: PlanningContext) -> Market {
    var fresh = input
    fresh.capacities = CapacityCache()
    return Market(fresh, support: .everything, hurries: true, context)
  }

  @Test("offers in a hurry are kept, ceilings are not exceeded, and who can be served has one", arguments: 0..<3)
  func bounds(_ number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    let input = try Self.input(seed, workloads: 40)
    let best = Self.offers(input, .serial)
    #expect(best.ceilings == nil)
    for questions in [0, 4, 100, 1000] {
      let market = Self.offers(input, Self.hurrying(after: questions))
      guard let most = market.generous else {
        #expect(market.offers == best.offers, "seed \(seed), \(questions) questions")
        continue
      }
      for index in best.offers.indices {
        let (held, exact) = (market.offers[index].capacity, best.offers[index].capacity)
        #expect(held <= exact * (1 + 1e-12), "seed \(seed), \(questions) questions, offer \(index)")
        #expect(most.offers[index].capacity >= exact * (1 - 1e-12), "seed \(seed), \(questions) questions, \(index)")
      }
      for workload in input.workloads.indices {
        let columns = best.columns.indices
        let isServed = columns.contains { best.capacity(workload, $0) > 0 }
        #expect(
          columns.contains { market.capacity(workload, $0) > 0 } == isServed,
          "seed \(seed), \(questions) questions, workload \(workload)")
      }
    }
  }

  @Test("a plan in a hurry is legal and says so, and claims no more than is true", arguments: 0..<2)
  func plans(_ number: Int) throws {
    let seed = TestSeed.of(offset: 50 + UInt64(number))
    var input = try Self.input(seed, workloads: 10)
    let best = OptimalPlanner().plan(input)
    let least = try #require(best.summary.lowerBound)
    for questions in [0, 40, 300] {
      input.capacities = CapacityCache()
      let plan = OptimalPlanner().plan(input, Self.hurrying(after: questions))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed), \(questions) questions")
      #expect(plan.unplaced == best.unplaced, "seed \(seed), \(questions) questions")
      #expect(plan.summary.gpuCount >= Int((least - 1e-6).rounded(.up)), "seed \(seed), \(questions) questions")
      #expect(try #require(plan.summary.lowerBound) <= Double(best.summary.gpuCount) + 1e-6, "seed \(seed)")
      guard plan.summary.isCutShort else {
        #expect(plan == best, "seed \(seed), \(questions) questions")
        continue
      }
      // What was found out in a hurry is true: with time, the plan is the same as without it.
      #expect(OptimalPlanner().plan(input) == best, "seed \(seed), \(questions) questions")
    }
    // What is known already takes no time.
    _ = OptimalPlanner().plan(input)
    let known = OptimalPlanner().plan(input, Self.hurrying(after: 0))
    #expect(known.gpus == best.gpus && known.summary.gpuCount == best.summary.gpuCount, "seed \(seed)")
  }

  @Test("with nothing known and no time at all, a plan takes less than three times as many GPUs")
  func isNear() throws {
    let input = try Self.input(2, workloads: 20)
    let best = OptimalPlanner().plan(input)
    var fresh = input
    fresh.capacities = CapacityCache()
    let plan = OptimalPlanner().plan(fresh, Self.hurrying(after: 0))
    #expect(plan.summary.isCutShort)
    #expect(plan.summary.gpuCount <= 3 * best.summary.gpuCount)
  }
}
