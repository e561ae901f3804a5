import ParvaTestSupport
import Testing

@testable import ParvaEngine

@Suite struct QuotaCutTests {
  private static func input(_ seed: UInt64) throws -> PlanningInput {
    var random = SeededGenerator(seed: seed)
    let names = ["A100-80GB", "H100-80GB-SXM"].prefix(Int.random(in: 1...2, using: &random))
    let products = try names.map { try #require(ProductCatalogue.product(named: $0)) }
    var input = RandomDemand.input(seed: seed, products: products, models: 4, workloads: 30)
    let namespaces = ["", "a:", "b:", "c:"]
    for index in input.workloads.indices {
      input.workloads[index].id = (namespaces.randomElement(using: &random) ?? "") + input.workloads[index].id
    }
    input.workloads.sort { $0.id < $1.id }
    input.quotas = ["a", "b", "default"].filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
      .map { GPUQuota(namespace: $0, gpus: Double(Int.random(in: 0...40, using: &random)) / 4) }
    return input
  }

  @Test("no namespace gets beyond its quota, and nothing that fits is refused", arguments: 0..<60)
  func boundsAreKeptAndUsed(seed: UInt64) throws {
    let input = try Self.input(seed)
    let cut = QuotaCut(input, .serial)
    #expect(Set(cut.kept.map(\.id) + cut.refused.map(\.workload)) == Set(input.workloads.map(\.id)))
    #expect(cut.kept.count + cut.refused.count == input.workloads.count)
    let workloads = Dictionary(uniqueKeysWithValues: input.workloads.map { ($0.id, $0) })
    var used: [String: Double] = [:]
    for workload in cut.kept { used[workload.namespace, default: 0] += cut.needs[workload.id] ?? 0 }
    for quota in input.quotas {
      #expect(used[quota.namespace] ?? 0 <= quota.gpus * (1 + 1e-6) + 1e-9, "seed \(seed)")
    }
    for refusal in cut.refused {
      let workload = try #require(workloads[refusal.workload])
      let quota = try #require(input.quotas.first { $0.namespace == workload.namespace }, "seed \(seed)")
      let need = try #require(cut.needs[workload.id])
      #expect((used[workload.namespace] ?? 0) + need > quota.gpus, "seed \(seed): \(refusal)")
      // Nor is it passed over for something that matters less.
      let before = cut.kept.filter { $0.namespace == workload.namespace && $0.priority >= workload.priority }
        .reduce(0) { $0 + (cut.needs[$1.id] ?? 0) }
      #expect(before + need > quota.gpus, "seed \(seed): \(refusal)")
      #expect(refusal.code == .quotaExceeded)
    }
  }

  @Test("what a workload needs is no more than any plan for it takes", arguments: 0..<20)
  func needsAreNoMoreThanPlans(seed: UInt64) throws {
    var input = try Self.input(seed)
    input.quotas = ["a", "b", "c", "default"].map { GPUQuota(namespace: $0, gpus: 1e6) }
    let needs = QuotaCut(input, .serial).needs
    for workload in input.workloads.prefix(6) {
      var alone = input
      alone.workloads = [workload]
      let plan = OptimalPlanner().plan(alone, .serial)
      let need = try #require(needs[workload.id])
      #expect((need == 0) == plan.gpus.isEmpty, "seed \(seed)")
      let shares = plan.gpus.map { gpu in gpu.segments.reduce(0) { $0 + gpu.product.share(of: $1.profile) } }
      #expect(need <= shares.reduce(0, +) * (1 + 1e-6), "seed \(seed): \(need) of \(shares)")
    }
  }

  @Test func aDemandWithoutQuotasStaysAsItIs() throws {
    var input = try Self.input(1)
    input.quotas = []
    let cut = QuotaCut(input, .serial)
    #expect(cut.kept == input.workloads && cut.refused.isEmpty)
  }
}
