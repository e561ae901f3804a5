import ParvaEngine
import ParvaTestSupport
import Synchronization
import Testing

/// What planner `optimal` returns when its time is short: always a legal plan, with the gap that is left.
@Suite struct DeadlineTests {
  /// Says stop from the given question on.
  private func patience(_ checks: Int) -> PlanningContext {
    let asked = PatienceCounter()
    return PlanningContext(
      forEach: { count, body in for index in 0..<count { body(index) } }, shouldStop: { asked.next() > checks })
  }

  @Test(
    "every plan is legal and no better than what is proven, however early it must end", arguments: [0, 1, 2, 5, 20])
  func stops(_ checks: Int) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    for seed in UInt64(0)..<12 {
      let input = RandomDemand.input(seed: seed, products: [product], models: 6, workloads: 5 + 25 * Int(seed))
      let plan = OptimalPlanner().plan(input, patience(checks))
      let best = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan.unplaced == best.unplaced, "seed \(seed)")
      #expect(plan.summary.gpuCount >= best.summary.gpuCount, "seed \(seed)")
      let (bound, gap) = (try #require(plan.summary.lowerBound), try #require(plan.summary.gap))
      #expect(bound <= Double(best.summary.gpuCount) + 1e-6, "seed \(seed)")
      #expect(gap >= 0 && (plan.status == .optimal) == (gap == 0 && plan.unplaced.isEmpty), "seed \(seed)")
    }
  }

  @Test("a plan in force, scarcity and two pools are no excuse", arguments: [0, 1, 3, 10])
  func stopsAmidst(_ checks: Int) throws {
    let products = try ["A100-80GB", "A30-24GB"].map { try #require(ProductCatalogue.product(named: $0)) }
    for seed in UInt64(0)..<8 {
      var input = RandomDemand.input(
        seed: seed, products: products, models: 5, workloads: 40, stock: seed % 2 == 0 ? 3 : nil)
      let current = OptimalPlanner().plan(input)
      for index in input.workloads.indices { input.workloads[index].rate *= index % 3 == 0 ? 1.2 : 0.95 }
      input.current = current
      let plan = OptimalPlanner().plan(input, patience(checks))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
    }
  }
}

private final class PatienceCounter: Sendable {
  private let count = Atomic(0)
  func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
