import ParvaEngine
import ParvaTestSupport
import Testing

/// Spread, tenants and the choice of pools.
@Suite struct ConstraintTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var products: [GPUProduct]
    var seeds: Range<UInt64>
    var testDescription: String { products.map(\.name).joined(separator: " and ") }

    static let all = [
      Case(products: named("A30-24GB"), seeds: 0..<500),
      Case(products: [TestGeometry.four], seeds: 500..<900),
      Case(products: named("A100-80GB"), seeds: 900..<1000),
      Case(products: named("A30-24GB") + [TestGeometry.four], seeds: 1000..<1200),
    ]

    private static func named(_ names: String...) -> [GPUProduct] {
      names.compactMap { ProductCatalogue.product(named: $0) }
    }

    func input(_ seed: UInt64) -> PlanningInput {
      var random = SeededGenerator(seed: seed &* 7919)
      var input = RandomDemand.small(
        seed: seed, products: products, workloads: Int.random(in: 1...3, using: &random), most: 35)
      let withNodes = Bool.random(using: &random)
      for pool in input.pools.indices {
        input.pools[pool].figures["hourlyCost"] = [2.0, 1.5][pool]
        guard withNodes else { continue }
        let nodes = (0..<Int.random(in: 1...3, using: &random)).map {
          PoolNode(name: "n\(pool)-\($0)", count: Int.random(in: 1...3, using: &random))
        }
        let old = input.pools[pool]
        input.pools[pool] = Pool(name: old.name, product: old.product, figures: old.figures, nodes: nodes)
      }
      if Bool.random(using: &random) { input.options.objective = .cost }
      input.options.certificate = true
      for index in input.workloads.indices {
        if Int.random(in: 0..<2, using: &random) == 0 {
          input.workloads[index].constraints.spread = Spread(
            over: withNodes && Bool.random(using: &random) ? .node : .gpu,
            atLeast: Int.random(in: 2...3, using: &random))
        }
        if Int.random(in: 0..<3, using: &random) == 0 {
          input.workloads[index].labels["team"] = ["a", "b"].randomElement(using: &random)
          input.workloads[index].constraints.exclusive = "team"
        }
        if products.count > 1, Int.random(in: 0..<4, using: &random) == 0 {
          input.workloads[index].constraints.excludePools = ["pool-\(Int.random(in: 0...1, using: &random))"]
        }
      }
      return input
    }
  }

  @Test("equals brute force over all plans that keep the constraints", arguments: Case.all)
  func bruteForce(_ testCase: Case) throws {
    var proven = 0
    var feasible = 0
    for seed in testCase.seeds {
      let input = testCase.input(seed)
      let plan = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      guard let expected = ConstrainedBruteForce.leastCost(input) else {
        #expect(plan.status == .infeasible, "seed \(seed)")
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
  }

  private func demand(_ count: Int, rate: Double = 5, pools: [Pool]) throws -> PlanningInput {
    let points = pools.flatMap { pool in
      [
        ModelProfile(
          model: "m", product: pool.product.name, source: .measured,
          points: pool.product.plannedProfiles.map {
            ProfilePoint(
              profile: $0, batch: 1, processes: 1, throughput: 10 * Double(pool.product.profiles[$0].computeSlices),
              latencyMs: 10)
          })
      ]
    }
    return PlanningInput(
      workloads: (0..<count).map { Workload(id: "w\($0)", model: "m", rate: rate, sloLatencyMs: 100) }, pools: pools,
      profiles: ProfileCatalogue(points), options: PlanningOptions(admission: .halfSLO))
  }

  private var a100: GPUProduct {
    get throws { try #require(ProductCatalogue.product(named: "A100-80GB")) }
  }

  @Test("a workload spread over three GPUs stands on three, and others fill them")
  func spreadOverGPUs() throws {
    var input = try demand(7, pools: [Pool(product: a100)])
    input.workloads[0].constraints.spread = Spread(over: .gpu, atLeast: 3)
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.gpus.count { $0.segments.contains { $0.workload == "w0" } } >= 3)
    #expect(plan.summary.gpuCount == 3)
    #expect(plan.status == .optimal)
  }

  @Test("over nodes, only nodes count, and the plan names them")
  func spreadOverNodes() throws {
    let nodes = [PoolNode(name: "a", count: 4), PoolNode(name: "b", count: 1)]
    var input = try demand(2, pools: [Pool(product: a100, nodes: nodes)])
    input.workloads[1].constraints.spread = Spread(over: .node, atLeast: 2)
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.gpus.allSatisfy { $0.node != nil })
    #expect(Set(plan.gpus.filter { $0.segments.contains { $0.workload == "w1" } }.compactMap(\.node)) == ["a", "b"])
  }

  @Test("too few domains are refused with what would be enough")
  func unreachableSpread() throws {
    let nodes = [PoolNode(name: "a", count: 4), PoolNode(name: "b", count: 0)]
    var input = try demand(2, pools: [Pool(product: a100, nodes: nodes)])
    input.workloads[0].constraints.spread = Spread(over: .node, atLeast: 3)
    let plan = OptimalPlanner().plan(input)
    #expect(plan.unplaced.map(\.code) == [.spreadUnreachable])
    #expect(plan.unplaced.first?.message.contains("2 more nodes") == true)
    input.pools[0] = Pool(product: try a100)
    #expect(OptimalPlanner().plan(input).unplaced.map(\.code) == [.excluded], "no pool lists its nodes")
  }

  @Test("tenants get GPUs of their own, those of one tenant share them")
  func tenants() throws {
    var input = try demand(6, pools: [Pool(product: a100)])
    for (index, team) in ["x", "x", "y", "y"].enumerated() {
      input.workloads[index].labels["team"] = team
      input.workloads[index].constraints.exclusive = "team"
    }
    input.workloads[4].labels["team"] = "x"
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.status == .optimal)
    let groups = plan.gpus.map { Set($0.segments.map(\.workload)) }
    #expect(Set(groups) == [["w0", "w1"], ["w2", "w3"], ["w4", "w5"]])
  }

  @Test("the same label in two namespaces is of two tenants, as two labels in one would be", arguments: 0..<60)
  func tenantsOfNamespaces(_ round: UInt64) throws {
    let seed = TestSeed.of(offset: round)
    var random = SeededGenerator(seed: seed)
    var apart = try demand(
      Int.random(in: 2...6, using: &random), rate: Double.random(in: 3...9, using: &random),
      pools: [Pool(product: a100)])
    var named = apart
    var owners: [String: String] = [:]
    for index in apart.workloads.indices where Int.random(in: 0..<4, using: &random) > 0 {
      let (space, team) = (
        ["default", "vision", "voice"].randomElement(using: &random) ?? "", "t\(Int.random(in: 0...1, using: &random))"
      )
      let id = space == "default" ? apart.workloads[index].id : "\(space):\(apart.workloads[index].id)"
      named.workloads[index].id = id
      named.workloads[index].labels["team"] = team
      named.workloads[index].constraints.exclusive = "team"
      apart.workloads[index].labels["team"] = "\(space)-\(team)"
      apart.workloads[index].constraints.exclusive = "team"
      owners[id] = "\(space) \(team)"
    }
    named.workloads.sort { $0.id < $1.id }
    let (plan, expected) = (OptimalPlanner().plan(named), OptimalPlanner().plan(apart))
    #expect(PlanChecker.violations(of: plan, against: named) == [], "seed \(seed)")
    #expect(plan.gpus.count == expected.gpus.count && plan.unplaced.isEmpty, "seed \(seed)")
    for gpu in plan.gpus {
      #expect(Set(gpu.segments.map { owners[$0.workload] }).count == 1, "seed \(seed): \(gpu.segments.map(\.workload))")
    }
    for (before, after) in [(plan, named), (expected, apart)] where before.certificate != nil {
      #expect(
        CertificateChecker(after, before).judge(try #require(before.certificate)).violations == [], "seed \(seed)")
    }
  }

  @Test("products and pools are pinned and excluded, and the reason is told where none is left")
  func choiceOfPools() throws {
    let a30 = try #require(ProductCatalogue.product(named: "A30-24GB"))
    let there = [Pool(name: "big", product: try a100), Pool(name: "small", product: a30)]
    var input = try demand(4, pools: there)
    input.workloads[0].constraints.products = ["A30-24GB"]
    input.workloads[1].constraints.excludeProducts = ["A30-24GB"]
    input.workloads[2].constraints.pools = ["small"]
    input.workloads[3].constraints.pools = ["elsewhere"]
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    func pools(_ id: String) -> Set<String> {
      Set(plan.gpus.filter { $0.segments.contains { $0.workload == id } }.map(\.pool))
    }
    #expect(pools("w0") == ["small"] && pools("w1") == ["big"] && pools("w2") == ["small"])
    #expect(plan.unplaced.map(\.code) == [.excluded])
  }

  @Test("planners that know no constraints refuse those who state them", arguments: Planners.all.map(\.name))
  func otherPlanners(_ name: String) throws {
    let planner = try #require(Planners.named(name))
    var input = try demand(3, pools: [Pool(product: a100)])
    input.workloads[0].constraints.spread = Spread(over: .gpu, atLeast: 2)
    input.workloads[1].labels["team"] = "x"
    input.workloads[1].constraints.exclusive = "team"
    let plan = planner.plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    if name == OptimalPlanner().name {
      #expect(plan.unplaced.isEmpty)
    } else {
      #expect(plan.unplaced.map(\.code) == [.unsupportedConstraint, .unsupportedConstraint])
    }
  }

  @Test("constrained plans do not depend on how the work is spread over cores")
  func parallelismChangesNothing() throws {
    let product = try a100
    var input = RandomDemand.input(
      seed: 8, products: [product], models: 9, workloads: 1500, options: PlanningOptions(admission: .halfSLO))
    for index in input.workloads.indices {
      if index % 5 == 0 { input.workloads[index].constraints.spread = Spread(over: .gpu, atLeast: 2 + index % 3) }
      if index % 7 == 0 {
        input.workloads[index].labels["team"] = "t\(index % 4)"
        input.workloads[index].constraints.exclusive = "team"
      }
    }
    let backwards = PlanningContext(
      forEach: { count, body in for index in (0..<count).reversed() { body(index) } }, shouldStop: { false })
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan == OptimalPlanner().plan(input, backwards))
    #expect(plan.summary.gap ?? 99 <= 2)
  }
}
