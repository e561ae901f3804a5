import ParvaEngine
import ParvaTestSupport
import Testing

/// Who is served when there are not enough GPUs, against trying everything.
@Suite struct ScarcityTests {
  /// Higher priority first, then most requests per second of a whole GPU.
  private func order(_ input: PlanningInput) -> [Workload] {
    func density(_ workload: Workload) -> Double {
      zip(input.pools, BruteForce.capacities(workload, input)).flatMap { pool, capacities in
        capacities.map { profile, capacity in
          capacity * Double(pool.product.computeSlices) / Double(pool.product.profiles[profile].computeSlices)
        }
      }.max() ?? 0
    }
    return input.workloads.sorted {
      ($1.priority, density($1), $0.id) < ($0.priority, density($0), $1.id)
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var products: [GPUProduct]
    var most: Int
    var testDescription: String { products.map(\.name).joined(separator: " and ") }

    static let all = [
      Case(products: named("A30-24GB"), most: 45), Case(products: named("A100-80GB"), most: 45),
      Case(products: named("A30-24GB") + [TestGeometry.four], most: 25),
    ]

    private static func named(_ names: String...) -> [GPUProduct] {
      names.compactMap { ProductCatalogue.product(named: $0) }
    }
  }

  @Test("serves everyone in turn who fits, and the largest part of those who allow it", arguments: Case.all)
  func bruteForce(_ testCase: Case) throws {
    var refused = 0
    var partial = 0
    for seed in UInt64(0)..<200 {
      var random = SeededGenerator(seed: seed &* 31)
      var input = RandomDemand.small(
        seed: seed, products: testCase.products, workloads: Int.random(in: 2...6, using: &random),
        most: testCase.most)
      for pool in input.pools.indices {
        input.pools[pool].count = Int.random(in: 0...(pool == 0 ? 3 : 2), using: &random)
      }
      for index in input.workloads.indices {
        input.workloads[index].priority = Int.random(in: 0...1, using: &random)
        input.workloads[index].allowsPartial = Int.random(in: 0..<3, using: &random) == 0
      }
      let plan = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      let parts = Dictionary(uniqueKeysWithValues: plan.partial.map { ($0.workload, $0.served) })
      var trial = input
      trial.workloads = []
      for workload in order(input) {
        trial.workloads.append(workload)
        if BruteForce.leastGPUs(trial) != nil {
          #expect(parts[workload.id] == nil, "seed \(seed): \(workload.id) fits whole")
          #expect(!plan.unplaced.contains { $0.workload == workload.id }, "seed \(seed): \(workload.id) fits")
          continue
        }
        trial.workloads.removeLast()
        var less = workload
        if let served = parts[workload.id] {
          partial += 1
          less.rate = served * (1 + 1e-4)
          trial.workloads.append(less)
          #expect(BruteForce.leastGPUs(trial) == nil, "seed \(seed): \(workload.id) could have more than \(served)")
          trial.workloads.removeLast()
          less.rate = served
          trial.workloads.append(less)
          #expect(BruteForce.leastGPUs(trial) != nil, "seed \(seed)")
        } else {
          refused += 1
          let refusal = plan.unplaced.first { $0.workload == workload.id }
          #expect(refusal?.code == .noStock, "seed \(seed): \(workload.id)")
          #expect(refusal?.message.contains(" more ") == true)
          guard workload.allowsPartial else { continue }
          less.rate = 1e-3
          trial.workloads.append(less)
          #expect(BruteForce.leastGPUs(trial) == nil, "seed \(seed): a part of \(workload.id) fits")
          trial.workloads.removeLast()
        }
      }
    }
    #expect(refused > 50 && partial > 10, "\(refused) refused, \(partial) in part")
  }

  @Test("what is said to be enough is enough")
  func enough() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    for seed in UInt64(0)..<40 {
      var input = RandomDemand.small(seed: seed, products: [product], workloads: 5)
      input.pools[0].count = 1
      let plan = OptimalPlanner().plan(input)
      guard let message = plan.unplaced.first?.message else { continue }
      // "...; 2 more A100-80GB would serve everything"
      let words = (message.split(separator: "; ").last ?? "").split(separator: " ")
      input.pools[0].count = 1 + (try #require(words.first.flatMap { Int($0) }, "\(message)"))
      #expect(OptimalPlanner().plan(input).unplaced.isEmpty, "seed \(seed): \(message)")
    }
  }

  @Test("a plan that serves some in part is feasible, never optimal")
  func partialStatus() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.small(seed: 2, products: [product], workloads: 1)
    input.workloads[0].rate = 1000
    input.workloads[0].allowsPartial = true
    input.pools[0].count = 2
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.status == .feasible && plan.unplaced.isEmpty)
    let service = try #require(plan.partial.first)
    #expect(service.demanded == 1000 && service.served < 1000)
    let load = plan.gpus.flatMap(\.segments).reduce(0) { $0 + $1.load }
    #expect((load - service.served).magnitude < 1e-6 * service.served)
  }

  @Test(
    "of many workloads for three fifths nearly all are served that the stock may hold, and the bound is that of those",
    arguments: [(2500, 3), (21_000, 3), (2500, 1), (42_000, 1)])
  func manyForThreeFifths(_ count: Int, pools: Int) throws {
    let products = try ["A100-80GB", "H100-80GB-SXM", "A30-24GB"].prefix(pools).map {
      try #require(ProductCatalogue.product(named: $0))
    }
    var input = RandomDemand.input(seed: 5, products: products, models: 8, workloads: count)
    for index in input.workloads.indices { input.workloads[index].rate = 1 + input.workloads[index].rate / 8 }
    for (index, cost) in [2, 3.7, 0.9].prefix(pools).enumerated() {
      input.pools[index] = Pool(name: "pool-\(index)", product: products[index], figures: ["hourlyCost": cost])
    }
    input.options.objective = .cost
    input.options.headroom = false
    let context = PlanningContext.serial.limited(to: 4000)
    let free = OptimalPlanner().plan(input, context)
    let used = Dictionary(grouping: free.gpus, by: \.pool).mapValues(\.count)
    for index in input.pools.indices {
      input.pools[index].count = max(1, (used[input.pools[index].name] ?? 0) * 3 / 5)
    }
    input.options.certificate = true
    let plan = OptimalPlanner().plan(input, context)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(!plan.unplaced.isEmpty)
    #expect(try #require(plan.summary.gap) <= 0.04 * (try #require(plan.summary.lowerBound)))
    // Those last in order, but for few, are the ones left out.
    let places = Dictionary(uniqueKeysWithValues: order(input).enumerated().map { ($1.id, $0) })
    let left = plan.unplaced.compactMap { places[$0.workload] }
    #expect(left.count { $0 < count - left.count - count / 20 } < count / 80)
  }

  @Test("many workloads with tenants and spreads for too few GPUs keep every rule")
  func manyWithRules() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    for seed in UInt64(0)..<2 {
      var random = SeededGenerator(seed: seed)
      var input = RandomDemand.input(seed: seed, products: [product, product], models: 4, workloads: 2100)
      for index in input.pools.indices {
        input.pools[index].count = 300
        input.pools[index].figures = ["hourlyCost": Double(index + 2)]
      }
      input.options.objective = .cost
      for index in input.workloads.indices {
        input.workloads[index].rate /= 4
        if Int.random(in: 0..<4, using: &random) == 0 {
          input.workloads[index].constraints.spread = Spread(over: .gpu, atLeast: 2)
        }
        if seed == 1, Int.random(in: 0..<10, using: &random) == 0 {
          input.workloads[index].labels = ["team": "a"]
          input.workloads[index].constraints.exclusive = "team"
        }
      }
      let plan = OptimalPlanner().plan(input, PlanningContext.serial.limited(to: 60))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(!plan.unplaced.isEmpty && plan.unplaced.count < 2000, "seed \(seed): \(plan.unplaced.count)")
    }
  }
}
