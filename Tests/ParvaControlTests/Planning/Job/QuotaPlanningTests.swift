import ParvaEngine
import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct QuotaPlanningTests {
  @Test(
    "no plan serves a namespace beyond its quota; what is refused for it is told and nothing else", arguments: 0..<12)
  func plansKeepQuotas(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let stock = Bool.random(using: &random) ? nil : Int.random(in: 2...9, using: &random)
    var input = RandomDemand.input(seed: seed, products: [product], models: 3, workloads: 18, stock: stock)
    for index in input.workloads.indices where index % 2 == 0 { input.workloads[index].id = "a:w\(index)" }
    input.workloads.sort { $0.id < $1.id }
    for _ in 0..<2 {
      let limit = Double(Int.random(in: 0...20, using: &random)) / 4
      input.quotas = [GPUQuota(namespace: "a", gpus: limit)]
      let cut = QuotaCut(input, .serial)
      let plan = try PlanningDuty.perform(
        PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(3600)))
      #expect(plan.unplaced.filter { $0.code == .quotaExceeded } == cut.refused, "seed \(seed)")
      let unserved = Set(plan.unplaced.map(\.workload))
      let served = input.workloads.filter { $0.namespace == "a" && !unserved.contains($0.id) }
      #expect(served.reduce(0) { $0 + (cut.needs[$1.id] ?? 0) } <= limit + 1e-6, "seed \(seed)")
      #expect(PlanChecker.violations(of: plan, against: input).isEmpty, "seed \(seed)")
      #expect(
        cut.refused.allSatisfy { refusal in
          !plan.gpus.contains { $0.segments.contains { $0.workload == refusal.workload } }
        }, "seed \(seed)")
      // Another quota comes upon what stands.
      input.current = plan
    }
  }
}
