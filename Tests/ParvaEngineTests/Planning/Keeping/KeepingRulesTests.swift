import ParvaEngine
import ParvaTestSupport
import Testing

/// Planner `optimal` with a plan in force, where workloads have to stand apart, survive losses, or have GPUs of their own.
@Suite struct KeepingRulesTests {
  enum Rule: String, CaseIterable { case spread, replicas, survive, exclusive, mixed }

  /// A demand of which every `step`-th workload has a rule.
  private func input(
    _ seed: Int, workloads: Int, _ rule: Rule, step: Int, headroom: Bool = true
  ) throws -> PlanningInput {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(
      seed: UInt64(seed), products: [product], models: 6, workloads: workloads,
      options: PlanningOptions(admission: .halfSLO, headroom: headroom))
    let mixed: [Rule] = [.spread, .replicas, .survive, .exclusive]
    for index in input.workloads.indices where index % step == 0 {
      let own = rule == .mixed ? mixed[index / step % mixed.count] : rule
      switch own {
      case .spread: input.workloads[index].constraints.spread = Spread(over: .gpu, atLeast: 2 + index / step % 2)
      case .replicas: input.workloads[index].constraints.replicas = ReplicaLimits(least: 2, most: 40)
      case .survive: input.workloads[index].constraints.survive = Survival(over: .gpu, losses: 1)
      case .exclusive:
        input.workloads[index].labels["team"] = "t\(index / step % 2)"
        input.workloads[index].constraints.exclusive = "team"
      case .mixed: break
      }
    }
    return input
  }

  /// Changes the rates of a share of the workloads by up to a quarter.
  private func changed(_ input: PlanningInput, seed: Int, share: Double) -> PlanningInput {
    var random = SeededGenerator(seed: UInt64(seed) &+ 177)
    var next = input
    for index in next.workloads.indices where Double.random(in: 0..<1, using: &random) < share {
      next.workloads[index].rate *= Double.random(in: 0.8...1.25, using: &random)
    }
    return next
  }

  /// Segments that change and that there are, with what has to hold of the plan asked for on the way.
  private func step(_ first: PlanningInput, seed: Int, share: Double) -> (changed: Int, segments: Int) {
    let plan = ChangeCount.bound(OptimalPlanner().plan(first))
    var second = changed(first, seed: seed, share: share)
    let fresh = OptimalPlanner().plan(second)
    second.current = plan
    let next = OptimalPlanner().plan(second)
    #expect(PlanChecker.violations(of: next, against: second) == [], "seed \(seed)")
    #expect(next.summary.gpuCount <= fresh.summary.gpuCount, "seed \(seed)")
    #expect(next.unplaced == fresh.unplaced, "seed \(seed)")
    let uuids = next.gpus.compactMap(\.uuid)
    #expect(Set(uuids).count == uuids.count, "seed \(seed)")
    return (ChangeCount.between(plan, next), ChangeCount.counts(plan).values.reduce(0, +))
  }

  @Test("rules on few workloads leave the others where they are", arguments: Rule.allCases)
  func fewRules(_ rule: Rule) throws {
    var (ruled, plain, segments) = (0, 0, 0)
    for seed in 0..<6 {
      let first = try input(seed, workloads: 150, rule, step: 5)
      let result = step(first, seed: seed, share: 0.02)
      ruled += result.changed
      segments += result.segments
      var without = first
      for index in without.workloads.indices { without.workloads[index].constraints = .none }
      plain += step(without, seed: seed, share: 0.02).changed
    }
    #expect(ruled <= 2 * plain + segments / 100, "\(ruled) instead of \(plain) of \(segments)")
  }

  @Test("where all workloads have rules most segments stay", arguments: [Rule.spread, .survive, .mixed], [0.02, 0.3])
  func allRules(_ rule: Rule, _ share: Double) throws {
    var (changed, segments) = (0, 0)
    for seed in 0..<2 {
      let result = step(
        try input(seed, workloads: 40, rule, step: 1, headroom: seed % 2 == 0), seed: seed, share: share)
      changed += result.changed
      segments += result.segments
    }
    #expect(Double(changed) <= 2.5 * share * Double(segments), "\(changed) of \(segments)")
  }

  @Test("small demands, which are searched to the end, keep rules too", arguments: 0..<12)
  func small(_ seed: Int) throws {
    let rules = Rule.allCases
    _ = step(
      try input(seed, workloads: 4 + seed % 3, rules[seed % rules.count], step: 2), seed: seed, share: 0.5)
  }

  @Test("a rule that is new moves those it is about", arguments: [Rule.spread, .survive, .replicas])
  func newRule(_ rule: Rule) throws {
    for seed in 0..<4 {
      let first = try input(seed, workloads: 100, rule, step: 1000)
      var before = first
      before.workloads[0].constraints = .none
      let plan = ChangeCount.bound(OptimalPlanner().plan(before))
      var second = first
      second.current = plan
      second.options.maxExtraGPUs = 1
      let next = OptimalPlanner().plan(second)
      #expect(PlanChecker.violations(of: next, against: second) == [], "seed \(seed)")
      let own = ChangeCount.counts(next)["w0"] ?? 0
      #expect(ChangeCount.between(plan, next) <= own + 6, "seed \(seed)")
    }
  }

  @Test("over nodes, too, few segments move", arguments: [Rule.spread, .survive])
  func nodes(_ rule: Rule) throws {
    var (changed, segments) = (0, 0)
    for seed in 0..<2 {
      var first = try input(seed, workloads: 60, rule, step: 5)
      for index in first.workloads.indices {
        first.workloads[index].constraints.spread?.over = .node
        first.workloads[index].constraints.survive?.over = .node
      }
      let size = 8 + OptimalPlanner().plan(first).summary.gpuCount
      first.pools = [
        Pool(
          name: "nodes", product: first.pools[0].product, count: 4 * size,
          nodes: (0..<4).map { PoolNode(name: "n\($0)", count: size) })
      ]
      var plan = OptimalPlanner().plan(first)
      for index in plan.gpus.indices { plan.gpus[index].uuid = "GPU-\(index)" }
      var second = self.changed(first, seed: seed, share: 0.05)
      let fresh = OptimalPlanner().plan(second)
      second.current = plan
      let next = OptimalPlanner().plan(second)
      #expect(PlanChecker.violations(of: next, against: second) == [], "seed \(seed)")
      #expect(next.summary.gpuCount <= fresh.summary.gpuCount, "seed \(seed)")
      changed += ChangeCount.between(plan, next)
      segments += ChangeCount.counts(plan).values.reduce(0, +)
    }
    #expect(changed * 4 <= segments, "\(changed) of \(segments)")
  }
}
