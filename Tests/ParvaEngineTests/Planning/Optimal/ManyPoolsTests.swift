import ParvaEngine
import ParvaTestSupport
import Testing

/// Fleets of several pools: zones that are alike, and pools that are not.
@Suite struct ManyPoolsTests {
  private func product(_ name: String) throws -> GPUProduct { try #require(ProductCatalogue.product(named: name)) }

  @Test("P1: six and more pools of different price with little more than the demand needs are planned")
  func manyPools() throws {
    let product = try product("A100-80GB")
    for seed in UInt64(0)..<24 {
      var random = SeededGenerator(seed: seed)
      var input = RandomDemand.input(seed: seed, products: [product], models: 5, workloads: 11)
      input.pools = (0..<Int.random(in: 6...8, using: &random)).map { zone in
        Pool(
          name: "zone-\(zone)", product: product, count: Int.random(in: 0...3, using: &random),
          figures: ["hourlyCost": Double(Int.random(in: 20...40, using: &random)) / 10])
      }
      input.options.objective = seed % 2 == 0 ? .cost : .gpus
      let plan = OptimalPlanner().plan(input, PlanningContext.serial.limited(to: 200))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
    }
  }

  @Test(
    "very many workloads on scarce pools of several products are planned from a sample, within a hundredth of the bound",
    arguments: [3, 4])
  func sampledPrices(_ seed: UInt64) throws {
    let products = try ["A100-80GB", "H100-80GB-SXM", "A30-24GB", "A100-80GB", "H100-80GB-SXM"].map { try product($0) }
    var input = RandomDemand.input(seed: seed, products: products, models: 8, workloads: 21_000)
    for index in input.workloads.indices { input.workloads[index].rate = 1 + input.workloads[index].rate / 8 }
    for (index, cost) in [2, 3.7, 0.9, 2.1, 4].enumerated() {
      input.pools[index] = Pool(name: "pool-\(index)", product: products[index], figures: ["hourlyCost": cost])
    }
    input.options.objective = .cost
    input.options.certificate = true
    input.options.headroom = false
    func planned(_ input: PlanningInput) throws -> Plan {
      let plan = OptimalPlanner().plan(input, PlanningContext.serial.limited(to: 400))
      #expect(PlanChecker.violations(of: plan, against: input) == [])
      #expect(plan.status != .infeasible && plan.unplaced.isEmpty)
      let bound = try #require(plan.summary.lowerBound)
      #expect(try #require(plan.summary.gap) <= 0.01 * bound)
      let verdict = CertificateChecker(input, plan).judge(try #require(plan.certificate))
      #expect(verdict.violations == [])
      #expect(try #require(verdict.verifiedBound) >= bound * (1 - 1e-9))
      return plan
    }
    // Half of what each pool would get is taken away, and the others have as much more.
    let free = try planned(input)
    let used = Dictionary(grouping: free.gpus, by: \.pool).mapValues(\.count)
    for index in input.pools.indices {
      input.pools[index].count = max(used[input.pools[index].name] ?? 0, free.gpus.count) / (index % 2 == 0 ? 2 : 3)
    }
    let scarce = try planned(input)
    #expect(try #require(scarce.summary.lowerBound) > (try #require(free.summary.lowerBound)))
  }

  @Test("any split of a stock into zones gives the cost, the served and the bound of the whole")
  func splits() throws {
    let product = try product("A100-80GB")
    var short = 0
    for seed in UInt64(0)..<60 {
      var random = SeededGenerator(seed: seed &* 131)
      var whole = RandomDemand.input(
        seed: seed, products: [product], models: 6, workloads: Int.random(in: 1...25, using: &random))
      whole.options.certificate = true
      let need = OptimalPlanner().plan(whole).summary.gpuCount
      let stock = max(0, need + Int.random(in: -3...3, using: &random))
      let byNode = seed % 3 == 0
      for index in whole.workloads.indices where index % 4 == 0 && seed % 2 == 0 {
        whole.workloads[index].constraints.spread = Spread(over: byNode ? .node : .gpu, atLeast: 2)
      }
      let nodes = (0..<stock).map { PoolNode(name: "n\($0)", count: 1) }
      whole.pools = [Pool(name: "all", product: product, count: stock, nodes: byNode ? nodes : [])]
      var split = whole
      split.pools = []
      var first = 0
      while first < stock || split.pools.isEmpty {
        let count = min(stock - first, Int.random(in: 0...max(1, stock / 2), using: &random))
        split.pools.append(
          Pool(
            name: "zone-\(split.pools.count)", product: product, count: count,
            figures: whole.options.objective == .gpus
              ? ["hourlyCost": Double(Int.random(in: 1...9, using: &random))] : [:],
            nodes: byNode ? Array(nodes[first..<first + count]) : []))
        first += count
      }
      let one = OptimalPlanner().plan(whole)
      let many = OptimalPlanner().plan(split)
      #expect(PlanChecker.violations(of: one, against: whole) == [], "seed \(seed)")
      #expect(PlanChecker.violations(of: many, against: split) == [], "seed \(seed)")
      #expect(many.summary.gpuCount == one.summary.gpuCount, "seed \(seed)")
      #expect(many.unplaced.map(\.workload) == one.unplaced.map(\.workload), "seed \(seed)")
      let bounds = (try #require(many.summary.lowerBound), try #require(one.summary.lowerBound))
      #expect((bounds.0 - bounds.1).magnitude < 1e-6, "seed \(seed): \(bounds)")
      #expect(many.summary.gap == one.summary.gap, "seed \(seed)")
      #expect(many.status == one.status, "seed \(seed)")
      if !one.unplaced.isEmpty { short += 1 }
    }
    #expect(short > 5, "\(short) with too little stock")
  }

  @Test("of equal zones the cheapest is used first")
  func cheapestFirst() throws {
    let product = try product("A100-80GB")
    var input = RandomDemand.input(seed: 3, products: [product], models: 6, workloads: 20)
    let need = OptimalPlanner().plan(input).summary.gpuCount
    try #require(need > 3)
    input.pools = [
      Pool(name: "dear", product: product, figures: ["hourlyCost": 4]),
      Pool(name: "cheap", product: product, count: need - 2, figures: ["hourlyCost": 2]),
      Pool(name: "fair", product: product, count: 1, figures: ["hourlyCost": 3]),
    ]
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.summary.gpuCount == need)
    #expect(plan.gpus.count { $0.pool == "cheap" } == need - 2)
    #expect(plan.gpus.count { $0.pool == "fair" } == 1)
    #expect(plan.gpus.count { $0.pool == "dear" } == 1)
  }

  @Test("what stands in a zone stays there, whatever its price")
  func zonesAreKept() throws {
    let product = try product("A100-80GB")
    for seed in UInt64(0)..<20 {
      var input = RandomDemand.input(seed: seed, products: [product], models: 5, workloads: 12)
      let need = OptimalPlanner().plan(input).summary.gpuCount
      input.pools = [
        Pool(name: "b", product: product, count: need, figures: ["hourlyCost": 3]),
        Pool(name: "a", product: product, count: need, figures: ["hourlyCost": 2]),
      ]
      input.workloads[0].constraints.excludePools = ["elsewhere"]
      let before = OptimalPlanner().plan(input)
      // The cheap zone becomes the dear one: nothing moves for that.
      input.pools[0].figures["hourlyCost"] = 1
      input.current = before
      let after = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: after, against: input) == [], "seed \(seed)")
      #expect(after.gpus == before.gpus, "seed \(seed)")
    }
  }

  @Test("GPUs of a zone that shrinks go to the others")
  func zoneShrinks() throws {
    let product = try product("A100-80GB")
    var input = RandomDemand.input(seed: 11, products: [product], models: 5, workloads: 20)
    let need = OptimalPlanner().plan(input).summary.gpuCount
    input.pools = ["a", "b"].map { Pool(name: $0, product: product, count: need) }
    input.current = OptimalPlanner().plan(input)
    input.pools[0].count = need - 2
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.summary.gpuCount == need)
    #expect(plan.gpus.count { $0.pool == "a" } == need - 2)
  }
}
