import ParvaEngine
import ParvaTestSupport
import Testing

/// Planner `optimal` with a plan in force.
@Suite struct KeepingTests {
  private func input(_ seed: Int, workloads: Int, headroom: Bool = true) throws -> PlanningInput {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    return RandomDemand.input(
      seed: UInt64(seed), products: [product], models: 6, workloads: workloads,
      options: PlanningOptions(admission: .halfSLO, headroom: headroom))
  }

  /// Changes some rates by up to a third, takes workloads away and adds others.
  private func changed(_ input: PlanningInput, seed: Int, share: Double) -> PlanningInput {
    var random = SeededGenerator(seed: UInt64(seed) &+ 77)
    var next = input
    for index in next.workloads.indices where Double.random(in: 0..<1, using: &random) < share {
      next.workloads[index].rate *= Double.random(in: 0.7...1.35, using: &random)
    }
    if Double.random(in: 0..<1, using: &random) < 0.3, next.workloads.count > 2 {
      next.workloads.remove(at: Int.random(in: next.workloads.indices, using: &random))
    }
    if Double.random(in: 0..<1, using: &random) < 0.3, var added = next.workloads.first {
      added.id = "added"
      next.workloads.append(added)
    }
    return PlanningInput(
      workloads: next.workloads, pools: next.pools, profiles: next.profiles, options: next.options)
  }

  @Test("the same demand changes nothing, not even the bytes", arguments: [true, false], [5, 40, 300])
  func sameDemand(_ headroom: Bool, _ workloads: Int) throws {
    for seed in 0..<5 {
      var input = try input(seed, workloads: workloads, headroom: headroom)
      let plan = ChangeCount.bound(OptimalPlanner().plan(input))
      input.current = plan
      #expect(OptimalPlanner().plan(input) == plan, "seed \(seed)")
    }
  }

  @Test("a node that goes takes its own segments along and no others, also where workloads are spread over nodes")
  func onlyTheLostNodeMoves() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    for seed in 0..<12 {
      var input = RandomDemand.small(seed: UInt64(seed), products: [product], workloads: 6)
      input.pools = (1...3).map {
        Pool(name: "z\($0)", product: product, count: 8, nodes: [PoolNode(name: "n\($0)", count: 8)])
      }
      input.workloads[0].constraints.spread = Spread(over: .node, atLeast: 2)
      let plan = ChangeCount.bound(OptimalPlanner().plan(input))
      guard plan.status != .infeasible, let lost = plan.gpus.first?.node else { continue }
      input.pools.removeAll { $0.nodes.contains { $0.name == lost } }
      input.current = plan
      let next = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: next, against: input) == [], "seed \(seed)")
      let there = Set(
        next.gpus.flatMap { gpu in gpu.segments.map { "\(gpu.node ?? "-") \($0.workload) \($0.profile) \($0.start)" } })
      let stood = plan.gpus.filter { $0.node != lost }.flatMap { gpu in
        gpu.segments.map { "\(gpu.node ?? "-") \($0.workload) \($0.profile) \($0.start)" }
      }
      let kept = stood.count { there.contains($0) }
      #expect(kept * 2 >= stood.count, "seed \(seed): \(kept) of \(stood.count) stayed")
    }
  }

  @Test("a plan that changes few segments is planned from again without a change", arguments: 0..<8)
  func settles(_ seed: Int) throws {
    let first = try input(seed, workloads: 120)
    let plan = ChangeCount.bound(OptimalPlanner().plan(first))
    var second = changed(first, seed: seed, share: 0.05)
    second.current = plan
    let next = OptimalPlanner().plan(second)
    second.current = next
    #expect(OptimalPlanner().plan(second) == next, "seed \(seed)")
  }

  @Test("small demands: no plan of as few GPUs changes fewer segments", arguments: [false, true])
  func fewestChanges(_ headroom: Bool) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var changes = 0
    for seed in 0..<60 {
      var first = RandomDemand.small(seed: UInt64(seed), products: [product], workloads: 3 + seed % 2)
      first.options.headroom = headroom
      let plan = ChangeCount.bound(OptimalPlanner().plan(first))
      guard plan.gpus.reduce(0, { $0 + $1.segments.count }) <= 10 else { continue }
      var second = changed(first, seed: seed, share: 0.4)
      let least = OptimalPlanner().plan(second).summary.gpuCount
      second.current = plan
      let next = OptimalPlanner().plan(second)
      #expect(PlanChecker.violations(of: next, against: second) == [], "seed \(seed)")
      #expect(next.summary.gpuCount <= least, "seed \(seed)")
      let count = ChangeCount.between(plan, next)
      changes += count
      guard count > 0 else { continue }
      #expect(
        !FewestChanges(second, current: plan, gpus: least).exists(within: count - 1),
        "seed \(seed): \(count) changed segments are not the fewest")
    }
    #expect(changes > 30)
  }

  @Test("never more GPUs than afresh, always legal, and fewer changes", arguments: [0.01, 0.1, 0.5, 1])
  func laws(_ share: Double) throws {
    var (near, afresh) = (0, 0)
    for seed in 0..<12 {
      let first = try input(seed, workloads: 30 + 40 * (seed % 4))
      let plan = ChangeCount.bound(OptimalPlanner().plan(first))
      var second = changed(first, seed: seed, share: share)
      let fresh = OptimalPlanner().plan(second)
      second.current = plan
      let next = OptimalPlanner().plan(second)
      #expect(PlanChecker.violations(of: next, against: second) == [], "seed \(seed)")
      #expect(next.summary.gpuCount <= fresh.summary.gpuCount, "seed \(seed)")
      #expect(next.status == fresh.status, "seed \(seed)")
      let uuids = next.gpus.compactMap(\.uuid)
      #expect(Set(uuids).count == uuids.count && Set(uuids).isSubset(of: plan.gpus.compactMap(\.uuid)), "seed \(seed)")
      near += ChangeCount.between(plan, next)
      afresh += ChangeCount.between(plan, ChangeCount.bound(fresh))
    }
    #expect(near < afresh)
  }

  @Test("extra GPUs buy fewer changes, and no more of them than allowed are used", arguments: 0..<10)
  func extraGPUs(_ seed: Int) throws {
    let first = try input(seed, workloads: 60)
    let plan = ChangeCount.bound(OptimalPlanner().plan(first))
    var second = changed(first, seed: seed, share: 0.2)
    let least = OptimalPlanner().plan(second).summary.gpuCount
    second.current = plan
    let strict = ChangeCount.between(plan, OptimalPlanner().plan(second))
    second.options.maxExtraGPUs = 3
    let next = OptimalPlanner().plan(second)
    #expect(PlanChecker.violations(of: next, against: second) == [])
    #expect(next.summary.gpuCount <= least + 3)
    #expect(ChangeCount.between(plan, next) <= strict)
    #expect(next.summary.gap == Double(next.summary.gpuCount - least))
  }

  @Test("a plan in force that makes no sense any more is no hindrance", arguments: 0..<6)
  func senseless(_ seed: Int) throws {
    var input = try input(seed, workloads: 20)
    let fresh = OptimalPlanner().plan(input)
    var current = fresh
    for index in current.gpus.indices {
      current.gpus[index].uuid = "GPU-\(index / 2)"
      switch (index + seed) % 5 {
      case 0: current.gpus[index].pool = "gone"
      case 1: for segment in current.gpus[index].segments.indices { current.gpus[index].segments[segment].start = 0 }
      case 2: for segment in current.gpus[index].segments.indices { current.gpus[index].segments[segment].batch = 3 }
      case 3: current.gpus[index].segments += current.gpus[index].segments
      default:
        for segment in current.gpus[index].segments.indices { current.gpus[index].segments[segment].profile = 99 }
      }
    }
    input.current = current
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.summary.gpuCount == fresh.summary.gpuCount)
    let uuids = plan.gpus.compactMap(\.uuid)
    #expect(Set(uuids).count == uuids.count)
  }

  @Test("several pools, stock and scarcity hold with a plan in force too", arguments: 0..<12)
  func pools(_ seed: Int) throws {
    let products = try ["A100-80GB", "A30-24GB"].map { try #require(ProductCatalogue.product(named: $0)) }
    var input = RandomDemand.input(
      seed: UInt64(seed), products: products, models: 5, workloads: 25, stock: seed % 3 == 0 ? 4 : nil)
    input.pools[0].figures["hourlyCost"] = 4
    input.pools[1].figures["hourlyCost"] = 1.5
    if seed % 2 == 0 { input.options.objective = .cost }
    let plan = ChangeCount.bound(OptimalPlanner().plan(input))
    var next = changed(input, seed: seed, share: 0.2)
    let fresh = OptimalPlanner().plan(next)
    next.current = plan
    let near = OptimalPlanner().plan(next)
    #expect(PlanChecker.violations(of: near, against: next) == [])
    #expect(near.unplaced == fresh.unplaced)
    if next.options.objective == .cost, let cost = near.summary.sums["cost"], let least = fresh.summary.sums["cost"] {
      #expect(cost <= least + 1e-6)
    } else {
      #expect(near.summary.gpuCount <= fresh.summary.gpuCount)
    }
  }
}
