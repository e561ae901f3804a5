import ParvaEngine
import ParvaTestSupport
import Testing

/// Planner `optimal` where moving has a price.
@Suite struct CalmTests {
  private struct Case {
    var first: PlanningInput
    var plan: Plan
    var second: PlanningInput
  }

  /// A plan in force and a demand whose rates changed by up to a quarter; some workloads came or went.
  private func random(_ seed: Int) throws -> Case {
    var random = SeededGenerator(seed: UInt64(seed) &+ 4100)
    let names = ["A100-80GB", "A30-24GB"].prefix(seed % 4 == 3 ? 2 : 1)
    let products = try names.map { try #require(ProductCatalogue.product(named: $0)) }
    var first = RandomDemand.input(
      seed: UInt64(seed), products: products, models: 5,
      workloads: Int.random(in: 3...(seed % 4 == 3 ? 10 : 40), using: &random))
    if seed % 5 == 4 { first.pools[0].count = 12 }
    if products.count > 1 {
      first.pools[0].figures["hourlyCost"] = 4
      first.pools[1].figures["hourlyCost"] = 1.5
      first.options.objective = .cost
    }
    let plan = ChangeCount.bound(OptimalPlanner().plan(first))
    var workloads = first.workloads
    for index in workloads.indices where Bool.random(using: &random) {
      workloads[index].rate *= Double.random(in: 0.8...1.25, using: &random)
    }
    if Bool.random(using: &random), workloads.count > 3 { workloads.removeLast() }
    var second = PlanningInput(
      workloads: workloads, pools: first.pools, profiles: first.profiles, options: first.options)
    second.current = plan
    return Case(first: first, plan: plan, second: second)
  }

  private func cost(_ plan: Plan, _ input: PlanningInput) -> Double {
    input.options.objective == .cost ? plan.summary.sums["cost"] ?? 0 : Double(plan.summary.gpuCount)
  }

  @Test("a price for moving: never more changes than without, the same is served, and the sum is no dearer")
  func neverMoreChanges() throws {
    var (free, priced) = (0, 0)
    for seed in 0..<24 {
      let demand = try random(seed)
      let without = OptimalPlanner().plan(demand.second)
      var input = demand.second
      input.options.moveCost = [0.02, 0.1, 0.5, 3][seed % 4]
      let calm = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: calm, against: input) == [], "seed \(seed)")
      #expect(calm.unplaced == without.unplaced, "seed \(seed)")
      #expect(calm.partial == without.partial, "seed \(seed)")
      let changes = (
        without: ChangeCount.between(demand.plan, ChangeCount.named(without)),
        calm: ChangeCount.between(demand.plan, ChangeCount.named(calm))
      )
      #expect(changes.calm <= changes.without, "seed \(seed)")
      let unit = input.options.objective == .cost ? 4.0 : 1
      let sum = cost(calm, input) + input.options.moveCost * unit * Double(changes.calm)
      #expect(
        sum <= cost(without, input) + input.options.moveCost * unit * Double(changes.without) + 1e-6, "seed \(seed)")
      free += changes.without
      priced += changes.calm
    }
    #expect(priced < free)
  }

  @Test("a price for moving: the bound is that of any plan, and the gap says how much dearer the calm one is")
  func honestBound() throws {
    var dearer = 0
    for seed in 0..<30 where seed % 5 != 4 {
      var input = try random(seed).second
      input.options.moveCost = 0.5
      let calm = OptimalPlanner().plan(input)
      input.current = nil
      let fresh = OptimalPlanner().plan(input)
      #expect(calm.summary.lowerBound == fresh.summary.lowerBound, "seed \(seed)")
      let gap = try #require(calm.summary.gap)
      let freshGap = try #require(fresh.summary.gap)
      #expect(abs(cost(calm, input) - gap - (cost(fresh, input) - freshGap)) < 1e-6, "seed \(seed)")
      #expect((calm.status == .optimal) == (gap == 0 && calm.unplaced.isEmpty), "seed \(seed)")
      if gap > freshGap { dearer += 1 }
    }
    #expect(dearer > 0)
  }

  @Test("with rates unchanged nothing moves, whatever moving costs", arguments: [0.01, 0.05, 0.3, 2])
  func unchanged(_ price: Double) throws {
    for seed in 0..<24 {
      var input = try random(seed).second
      input.options.moveCost = price
      let calm = ChangeCount.named(OptimalPlanner().plan(input))
      input.current = calm
      #expect(ChangeCount.between(calm, ChangeCount.named(OptimalPlanner().plan(input))) == 0, "seed \(seed)")
    }
  }

  @Test("workloads with a price of their own stay while others move")
  func ownPrice() throws {
    var stayed = 0
    for seed in 0..<20 {
      var input = try random(seed).second
      let without = ChangeCount.named(OptimalPlanner().plan(input))
      let plan = try #require(input.current)
      let half = input.workloads.count / 2
      let dear = Set(input.workloads.prefix(half).map(\.id))
      for index in input.workloads.indices.prefix(half) { input.workloads[index].moveCost = 10 }
      let calm = ChangeCount.named(OptimalPlanner().plan(input))
      #expect(PlanChecker.violations(of: calm, against: input) == [], "seed \(seed)")
      let own = ChangeCount.between(only(dear, plan), only(dear, calm))
      let before = ChangeCount.between(only(dear, plan), only(dear, without))
      #expect(own <= before, "seed \(seed)")
      stayed += before - own
    }
    #expect(stayed > 0)
  }

  private func only(_ workloads: Set<String>, _ plan: Plan) -> Plan {
    var plan = plan
    for index in plan.gpus.indices { plan.gpus[index].segments.removeAll { !workloads.contains($0.workload) } }
    return plan
  }

  @Test("a day: rates within the dead band move nothing")
  func deadBand() throws {
    var random = SeededGenerator(seed: 5)
    let policy = SteadyRate.Policy(band: 0.1, hold: 100)
    var input = try self.random(0).first
    input.options.moveCost = 0.05
    let base = input.workloads
    var states = base.map { SteadyRate($0.rate, at: 0, policy) }
    input.current = ChangeCount.bound(OptimalPlanner().plan(input))
    for step in 1...20 {
      for index in base.indices {
        let rate = base[index].rate * Double.random(in: 0.9...1, using: &random)
        states[index].observe(rate, at: Double(step) * 50, policy)
        input.workloads[index].rate = states[index].planned
      }
      let plan = OptimalPlanner().plan(input)
      #expect(plan == input.current, "step \(step)")
    }
  }
}
