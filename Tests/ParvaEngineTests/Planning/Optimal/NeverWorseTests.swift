import ParvaEngine
import ParvaTestSupport
import Testing

/// Planner `optimal` beside a rule that anyone could follow: workloads in turn, each on the first GPUs with room.
@Suite struct NeverWorseTests {
  private struct GPU {
    var pool: Int
    var taken: UInt64 = 0
    var slices = 0
    var counts: [Int: Int] = [:]
  }

  private struct Simple {
    var served: [String] = []
    var cost = 0.0
  }

  private func weight(_ pool: Pool, _ input: PlanningInput) -> Double {
    input.options.objective == .cost ? pool.figures["hourlyCost"] ?? 1 : 1
  }

  /// Higher priority first, then most requests per second of a whole GPU.
  private func order(_ input: PlanningInput) -> [Workload] {
    func density(_ workload: Workload) -> Double {
      zip(input.pools, BruteForce.capacities(workload, input)).flatMap { pool, capacities in
        capacities.map { $1 * Double(pool.product.computeSlices) / Double(pool.product.profiles[$0].computeSlices) }
      }.max() ?? 0
    }
    return input.workloads.sorted { ($1.priority, density($1), $0.id) < ($0.priority, density($0), $1.id) }
  }

  private func simple(_ input: PlanningInput) -> Simple {
    var gpus: [GPU] = []
    var result = Simple()
    for workload in order(input) {
      var trial = gpus
      var rest = workload.rate * (1 - 1e-9)
      let kinds = BruteForce.capacities(workload, input).enumerated().flatMap { pool, capacities in
        capacities.map { (pool: pool, profile: $0.key, capacity: $0.value) }
      }.sorted { ($1.capacity, $0.pool, $0.profile) < ($0.capacity, $1.pool, $1.profile) }
      while rest > 0 {
        guard let kind = kinds.first(where: { put($0.profile, $0.pool, &trial, input) }) else { break }
        rest -= kind.capacity
      }
      guard rest <= 0 else { continue }
      gpus = trial
      result.served.append(workload.id)
    }
    result.cost = gpus.reduce(0) { $0 + weight(input.pools[$1.pool], input) }
    return result
  }

  private func put(_ profile: Int, _ pool: Int, _ gpus: inout [GPU], _ input: PlanningInput) -> Bool {
    let product = input.pools[pool].product
    let kind = product.profiles[profile]
    func start(_ gpu: GPU) -> Int? {
      guard gpu.pool == pool, gpu.slices + kind.computeSlices <= product.computeSlices,
        gpu.counts[profile] ?? 0 < kind.maxInstances
      else { return nil }
      return kind.starts.first { kind.mask(at: $0) & gpu.taken == 0 }
    }
    if !gpus.contains(where: { start($0) != nil }) {
      guard gpus.count(where: { $0.pool == pool }) < input.pools[pool].count ?? .max else { return false }
      gpus.append(GPU(pool: pool))
    }
    guard let index = gpus.indices.first(where: { start(gpus[$0]) != nil }), let place = start(gpus[index]) else {
      return false
    }
    gpus[index].taken |= kind.mask(at: place)
    gpus[index].slices += kind.computeSlices
    gpus[index].counts[profile, default: 0] += 1
    return true
  }

  @Test(
    "serves nobody later instead of one that the simple rule serves, and the same for no more", arguments: [3, 40, 400])
  func neverWorse(_ patience: Int) throws {
    let products = try ["A100-80GB", "A30-24GB", "H200-141GB"].map {
      try #require(ProductCatalogue.product(named: $0))
    }
    for seed in UInt64(0)..<60 {
      var random = SeededGenerator(seed: seed &* 977)
      var input = RandomDemand.small(
        seed: seed, products: products, workloads: Int.random(in: 2...14, using: &random), most: 200)
      for pool in input.pools.indices {
        input.pools[pool].figures["hourlyCost"] = Double(Int.random(in: 10...40, using: &random)) / 10
        input.pools[pool].count =
          Int.random(in: 0..<3, using: &random) == 0 ? nil : Int.random(in: 0...6, using: &random)
      }
      input.options.objective = seed % 2 == 0 ? .cost : .gpus
      for index in input.workloads.indices { input.workloads[index].priority = Int.random(in: 0...1, using: &random) }
      let plan = OptimalPlanner().plan(input, PlanningContext.serial.limited(to: patience))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      let simple = simple(input)
      let ours = Set(plan.gpus.flatMap { $0.segments.map(\.workload) })
      let theirs = Set(simple.served)
      let first = order(input).first { ours.contains($0.id) != theirs.contains($0.id) }
      if let first {
        #expect(ours.contains(first.id), "seed \(seed): \(first.id) is left out")
      } else {
        let cost = plan.gpus.reduce(0) { sum, gpu in
          sum + (input.pools.first { $0.name == gpu.pool }.map { weight($0, input) } ?? 0)
        }
        #expect(cost <= simple.cost + 1e-6, "seed \(seed)")
      }
    }
  }

  @Test("of plans of fewest GPUs it takes one of least cost, of plans of least cost one of fewest GPUs")
  func ties() throws {
    let products = [try #require(ProductCatalogue.product(named: "A30-24GB")), TestGeometry.four]
    for seed in UInt64(0)..<60 {
      var random = SeededGenerator(seed: seed &* 389)
      var input = RandomDemand.small(
        seed: seed, products: products, workloads: Int.random(in: 1...4, using: &random), most: 35)
      for pool in input.pools.indices {
        input.pools[pool].figures["hourlyCost"] = Double(Int.random(in: 1...3, using: &random))
      }
      input.options.objective = seed % 2 == 0 ? .gpus : .cost
      let plan = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      // The second figure as a thousandth of the first, for the brute force.
      var both = input
      both.options.objective = .cost
      for pool in both.pools.indices {
        let price = input.pools[pool].figures["hourlyCost"] ?? 0
        both.pools[pool].figures["hourlyCost"] = seed % 2 == 0 ? 1 + price / 1000 : price + 0.001
      }
      let least = try #require(BruteForce.leastCost(both))
      let cost = plan.gpus.reduce(0) { sum, gpu in
        sum + (both.pools.first { $0.name == gpu.pool }?.figures["hourlyCost"] ?? 0)
      }
      #expect((cost - least).magnitude < 1e-6, "seed \(seed): \(cost) of \(least)")
    }
  }

  @Test(
    "S8: no planner puts more instances of a profile on a GPU than it may hold", arguments: Planners.all.map(\.name))
  func maxInstances(_ name: String) throws {
    let planner = try #require(Planners.named(name))
    let four = TestGeometry.four
    var profiles = four.profiles
    let small = try #require(four.plannedProfiles.first)
    let kind = four.profiles[small]
    profiles[small] = InstanceProfile(
      name: kind.name, driverProfileID: kind.driverProfileID, nvmlProfile: kind.nvmlProfile,
      computeSlices: kind.computeSlices, placementSize: kind.placementSize, starts: kind.starts, maxInstances: 2,
      memoryMiB: kind.memoryMiB)
    let product = GPUProduct(
      name: four.name, architecture: four.architecture, computeSlices: four.computeSlices, axisLength: four.axisLength,
      migModeChangeNeedsReset: false, boards: [], profiles: profiles, sources: [])
    for seed in UInt64(0)..<40 {
      let input = RandomDemand.small(seed: seed, products: [product], workloads: 6, most: 20)
      #expect(PlanChecker.violations(of: planner.plan(input), against: input) == [], "seed \(seed)")
    }
  }
}
