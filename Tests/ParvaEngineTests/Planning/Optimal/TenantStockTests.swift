import ParvaEngine
import ParvaTestSupport
import Testing

/// Tenants that share a stock which holds them, and hardly more, by a plan that is known beforehand.
@Suite struct TenantStockTests {
  /// Every GPU in stock belongs to one workload of some tenant, which needs all of what a whole GPU gives it there, and may mostly not
  /// use the pools in which it has none.
  private func input(_ seed: UInt64) throws -> PlanningInput {
    var random = SeededGenerator(seed: seed &* 29 &+ 3)
    let a30 = try #require(ProductCatalogue.product(named: "A30-24GB"))
    let products = [a30, TestGeometry.four]
    var input = RandomDemand.small(
      seed: seed, products: products, workloads: Int.random(in: 2...5, using: &random), most: 25)
    input.options.headroom = false
    input.pools = (0..<3).map {
      Pool(name: "p\($0)", product: products[$0 % 2], count: Int.random(in: 1...2, using: &random))
    }
    var owned = input.workloads.map { _ in [Int](repeating: 0, count: input.pools.count) }
    for (pool, side) in input.pools.enumerated() {
      for _ in 0..<(side.count ?? 0) { owned[Int.random(in: 0..<owned.count, using: &random)][pool] += 1 }
    }
    for index in input.workloads.indices {
      let workload = input.workloads[index]
      var rate = 0.0
      for (pool, count) in owned[index].enumerated() {
        let product = input.pools[pool].product
        let points =
          input.profiles.profile(model: workload.model, product: product.name, for: workload.id)?.points ?? []
        let whole = try #require(points.filter { $0.profile == product.plannedProfiles.last }.map(\.throughput).max())
        rate += Double(count) * whole
        if count == 0, Int.random(in: 0..<3, using: &random) > 0 {
          input.workloads[index].constraints.excludePools.append(input.pools[pool].name)
        }
      }
      input.workloads[index].rate = rate * 0.999
      input.workloads[index].labels = ["team": "t\(index % 3)"]
      input.workloads[index].constraints.exclusive = "team"
    }
    input.workloads = zip(input.workloads, owned).filter { $1.contains { $0 > 0 } }.map(\.0)
    return input
  }

  @Test("tenants that fit are all served, whatever the order in which they come")
  func served() throws {
    for seed in UInt64(0)..<150 {
      let input = try input(seed)
      let plan = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan.unplaced.map(\.workload) == [], "seed \(seed)")
    }
  }
}
