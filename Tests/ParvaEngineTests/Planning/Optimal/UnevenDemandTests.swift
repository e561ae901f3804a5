import Foundation
import ParvaEngine
import ParvaTestSupport
import Testing

/// Demands and fleets of which one part is very unlike the rest.
@Suite struct UnevenDemandTests {
  private func product(_ name: String) throws -> GPUProduct { try #require(ProductCatalogue.product(named: name)) }

  @Test("one workload that alone may use a pool is planned beside thousands whose stock is short")
  func loneWorkload() throws {
    let (common, lone) = (try product("A100-80GB"), try product("A30-24GB"))
    var input = RandomDemand.input(seed: 3, products: [common, lone], models: 6, workloads: 2600)
    for index in input.workloads.indices {
      input.workloads[index].rate = 1 + input.workloads[index].rate / 8
      input.workloads[index].constraints.pools = [index == 1700 ? "lone" : "common"]
    }
    input.pools = [Pool(name: "common", product: common, count: 150), Pool(name: "lone", product: lone, count: 900)]
    let plan = OptimalPlanner().plan(input, PlanningContext.serial.limited(to: 400))
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(!plan.unplaced.isEmpty && plan.unplaced.count < 2600)
    #expect(!plan.unplaced.contains { $0.workload == input.workloads[1700].id })
  }

  @Test("capacities that are far apart make no cover beyond counting, and the certificate holds")
  func farApart() throws {
    let product = try product("A100-80GB")
    for seed in UInt64(0)..<150 {
      var random = SeededGenerator(seed: seed)
      var input = RandomDemand.small(seed: seed, products: [product], workloads: 3)
      var catalogue = ProfileCatalogue()
      for workload in input.workloads {
        guard var profile = input.profiles.profile(model: workload.model, product: product.name) else { continue }
        for index in profile.points.indices.dropLast() where Bool.random(using: &random) {
          profile.points[index].throughput = exp(Double.random(in: log(1e-6)...log(1e3), using: &random))
        }
        catalogue.insert(profile)
      }
      input.profiles = catalogue
      input.options.certificate = true
      if seed % 3 == 0 { input.workloads[0].constraints.spread = Spread(over: .gpu, atLeast: 2) }
      if seed % 3 == 1 { input.workloads[0].constraints.replicas = ReplicaLimits(least: 2) }
      let plan = OptimalPlanner().plan(input, PlanningContext.serial.limited(to: 400))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan.unplaced.isEmpty, "seed \(seed)")
      if let certificate = plan.certificate {
        #expect(CertificateChecker(input, plan).judge(certificate).violations == [], "seed \(seed)")
      }
    }
  }

  @Test("workloads on two nodes each fit where the small node has room for an instance of each", arguments: [10, 40])
  func smallNode(_ count: Int) throws {
    let product = try product("A100-80GB")
    for seed in UInt64(0)..<6 {
      var input = RandomDemand.small(seed: seed, products: [product], workloads: count, most: 75)
      for index in input.workloads.indices {
        input.workloads[index].constraints.spread = Spread(over: .node, atLeast: 2)
      }
      // The smallest instance of a few workloads is not the smallest there is.
      let small = (count + 2) / 3
      input.pools = [
        Pool(
          name: "a", product: product, count: small + 2 * count,
          nodes: [PoolNode(name: "big", count: 2 * count), PoolNode(name: "small", count: small)])
      ]
      let plan = OptimalPlanner().plan(input, PlanningContext.serial.limited(to: 400))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan.unplaced.isEmpty, "seed \(seed): \(plan.unplaced.count) of \(count)")
    }
  }
}
