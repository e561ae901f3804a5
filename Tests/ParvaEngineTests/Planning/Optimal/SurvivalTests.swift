import ParvaEngine
import ParvaTestSupport
import Testing

/// Workloads that survive the loss of domains, and workloads of a number of replicas.
@Suite struct SurvivalTests {
  private static func named(_ name: String) throws -> GPUProduct {
    try #require(ProductCatalogue.product(named: name))
  }

  private static func random(_ seed: UInt64, _ products: [GPUProduct]) -> PlanningInput {
    var random = SeededGenerator(seed: seed &* 6007)
    var input = RandomDemand.small(
      seed: seed, products: products, workloads: Int.random(in: 1...2, using: &random), most: 45)
    let withNodes = Bool.random(using: &random)
    for pool in input.pools.indices {
      let old = input.pools[pool]
      let figures = ["hourlyCost": [2.0, 1.5][pool]]
      if withNodes {
        let nodes = (0..<Int.random(in: 1...3, using: &random)).map { PoolNode(name: "n\(pool)-\($0)", count: 1) }
        input.pools[pool] = Pool(name: old.name, product: old.product, figures: figures, nodes: nodes)
      } else {
        let count = Int.random(in: 1...(products.count > 1 ? 2 : 3), using: &random)
        input.pools[pool] = Pool(name: old.name, product: old.product, count: count, figures: figures)
      }
    }
    if Bool.random(using: &random) { input.options.objective = .cost }
    input.options.certificate = true
    for index in input.workloads.indices {
      let over: Spread.Domain = withNodes && Bool.random(using: &random) ? .node : .gpu
      var rules = Constraints.none
      if Int.random(in: 0..<3, using: &random) > 0 {
        rules.survive = Survival(over: over, losses: Int.random(in: 0..<4, using: &random) > 0 ? 1 : 2)
      }
      if Int.random(in: 0..<3, using: &random) == 0 { rules.spread = Spread(over: over, atLeast: 2) }
      if Bool.random(using: &random) {
        let least = Int.random(in: 1...4, using: &random)
        rules.replicas = ReplicaLimits(
          least: least, most: Bool.random(using: &random) ? nil : least + Int.random(in: 0...3, using: &random))
      }
      input.workloads[index].constraints = rules
    }
    return input
  }

  @Test(
    "equals brute force over all plans of a small stock",
    arguments: [(["A30-24GB"], 0..<100), (["four"], 200..<300), (["A30-24GB", "four"], 400..<440)]
      as [([String], Range<UInt64>)])
  func bruteForce(_ names: [String], _ seeds: Range<UInt64>) throws {
    let products = try names.map { $0 == "four" ? TestGeometry.four : try Self.named($0) }
    var (proven, feasible, refused) = (0, 0, 0)
    for seed in seeds {
      let input = Self.random(seed, products)
      let plan = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      guard let expected = SurvivalBruteForce.leastCost(input) else {
        #expect(plan.status == .infeasible, "seed \(seed)")
        refused += 1
        continue
      }
      feasible += 1
      let cost = PlanCost.of(plan, input)
      #expect(plan.unplaced.isEmpty, "seed \(seed): \(plan.unplaced)")
      #expect((cost - expected).magnitude < 1e-6, "seed \(seed): \(cost) of \(expected)")
      #expect(plan.summary.lowerBound ?? .infinity <= expected + 1e-6, "seed \(seed)")
      if plan.status == .optimal { proven += 1 }
    }
    #expect(Double(proven) >= 0.98 * Double(feasible), "\(proven) of \(feasible) proven")
    #expect(feasible > 15 && refused > 5, "\(feasible) feasible, \(refused) not")
  }

  /// A larger demand in which some of everything is asked for.
  private func large(_ seed: UInt64, workloads: Int) throws -> PlanningInput {
    var random = SeededGenerator(seed: seed)
    var input = RandomDemand.input(
      seed: seed, products: [try Self.named("A100-80GB")], models: 6, workloads: workloads)
    let nodes = (0..<40).map { PoolNode(name: "n\($0)", count: workloads) }
    input.pools[0] = Pool(name: "p", product: try Self.named("A100-80GB"), nodes: nodes)
    for index in input.workloads.indices {
      let over: Spread.Domain = index % 2 == 0 ? .gpu : .node
      switch Int.random(in: 0..<6, using: &random) {
      case 0: input.workloads[index].constraints.survive = Survival(over: over, losses: 1)
      case 1: input.workloads[index].constraints.survive = Survival(over: over, losses: 2)
      case 2: input.workloads[index].constraints.replicas = ReplicaLimits(least: 3)
      case 3: input.workloads[index].constraints.replicas = ReplicaLimits(least: 1, most: 4)
      default: break
      }
    }
    input.options.certificate = true
    return input
  }

  @Test("plans of every size keep every rule, and come near the bound", arguments: [1, 2, 3, 4] as [UInt64])
  func manyWorkloads(_ seed: UInt64) throws {
    let input = try large(seed, workloads: 40 * Int(seed))
    let plan = OptimalPlanner().plan(input, .serial.limited(to: 4000))
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    let allowed: Set<Unserved.Code> = [.replicaLimit, .sloUnreachable]
    #expect(plan.unplaced.allSatisfy { allowed.contains($0.code) }, "\(plan.unplaced)")
    let (gap, gpus) = (plan.summary.gap ?? .infinity, plan.summary.gpuCount)
    #expect(gap <= max(2, 0.03 * Double(gpus)), "\(gap) of \(gpus)")
  }

  @Test("a changed demand keeps what stands, and every rule", arguments: [5, 6, 7] as [UInt64])
  func keeping(_ seed: UInt64) throws {
    var input = try large(seed, workloads: 60)
    let first = OptimalPlanner().plan(input, .serial.limited(to: 2000))
    input.current = first
    for index in stride(from: 0, to: 60, by: 20) { input.workloads[index].rate *= 1.3 }
    let second = OptimalPlanner().plan(input, .serial.limited(to: 2000))
    #expect(PlanChecker.violations(of: second, against: input) == [])
    let kept = PlanDiff(from: first, to: second).kept
    let all = first.gpus.reduce(0) { $0 + $1.segments.count }
    #expect(Double(kept) >= 0.5 * Double(all), "\(kept) of \(all)")
  }

  private func one(_ rate: Double, _ pool: Pool) -> PlanningInput {
    let profile = ModelProfile(
      model: "m", product: pool.product.name, source: .measured,
      points: pool.product.plannedProfiles.map {
        ProfilePoint(
          profile: $0, batch: 1, processes: 1, throughput: 10 * Double(pool.product.profiles[$0].computeSlices),
          latencyMs: 10)
      })
    return PlanningInput(
      workloads: [Workload(id: "w", model: "m", rate: rate, sloLatencyMs: 100)], pools: [pool],
      profiles: ProfileCatalogue([profile]), options: PlanningOptions(admission: .halfSLO))
  }

  @Test("refusals tell what would be enough")
  func refusals() throws {
    let product = try Self.named("A100-80GB")
    var input = one(60, Pool(product: product, count: 1))
    input.workloads[0].constraints.survive = Survival(over: .gpu, losses: 2)
    var refusal = try #require(OptimalPlanner().plan(input).unplaced.first)
    #expect(refusal.code == .spreadUnreachable)
    #expect(refusal.message.contains("survive the loss of 2 GPUs the workload needs 3 GPUs"))
    #expect(refusal.message.contains("2 more GPUs would do"))
    input = one(700, Pool(product: product))
    input.workloads[0].constraints.replicas = ReplicaLimits(least: 1, most: 4)
    input.workloads[0].constraints.survive = Survival(over: .gpu, losses: 1)
    refusal = try #require(OptimalPlanner().plan(input).unplaced.first)
    #expect(refusal.code == .replicaLimit)
    #expect(refusal.message.contains("11 would do"), "\(refusal.message)")
    input.workloads[0].constraints.replicas?.most = 11
    #expect(OptimalPlanner().plan(input).unplaced.isEmpty)
    // 70 on each of two GPUs survive one; with one GPU more in stock, 35 on each of three do as well.
    input = one(140, Pool(product: product, count: 2))
    input.workloads[0].constraints.survive = Survival(over: .gpu, losses: 1)
    refusal = try #require(OptimalPlanner().plan(input).unplaced.first)
    #expect(refusal.code == .noStock)
    #expect(refusal.message.contains("1 more A100-80GB would serve everything"), "\(refusal.message)")
  }

  @Test("a part of the rate survives too where the whole does not fit")
  func partly() throws {
    var input = one(100, Pool(product: try Self.named("A100-80GB"), count: 2))
    input.workloads[0].constraints.survive = Survival(over: .gpu, losses: 1)
    input.workloads[0].allowsPartial = true
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.partial.first.map { $0.served <= 70 && $0.served > 60 } == true, "\(plan.partial)")
  }

  @Test("headroom stays within the replicas")
  func headroom() throws {
    var input = one(15, Pool(product: try Self.named("A100-80GB")))
    input.workloads[0].constraints.replicas = ReplicaLimits(least: 2, most: 2)
    let plan = OptimalPlanner().plan(input)
    #expect(plan.gpus.flatMap(\.segments).count == 2)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
  }

  @Test("the checker refuses what does not survive and what has too few or too many replicas")
  func checker() throws {
    var input = one(60, Pool(product: try Self.named("A100-80GB")))
    input.options.headroom = false
    let plan = OptimalPlanner().plan(input)
    input.workloads[0].constraints.survive = Survival(over: .gpu, losses: 1)
    #expect(PlanChecker.violations(of: plan, against: input).map(\.code) == [.notSurviving])
    input.workloads[0].constraints = Constraints(replicas: ReplicaLimits(least: 9))
    #expect(PlanChecker.violations(of: plan, against: input).map(\.code) == [.wrongReplicas])
  }

  @Test("planners that know no constraints say so", arguments: Planners.all.map(\.name).filter { $0 != "optimal" })
  func others(_ name: String) throws {
    var input = one(60, Pool(product: try Self.named("A100-80GB")))
    input.workloads[0].constraints.replicas = ReplicaLimits(least: 2)
    let plan = try #require(Planners.named(name)).plan(input)
    #expect(plan.unplaced.map(\.code) == [.unsupportedConstraint])
    #expect(plan.unplaced.first?.message.contains("replicas") == true)
  }
}
