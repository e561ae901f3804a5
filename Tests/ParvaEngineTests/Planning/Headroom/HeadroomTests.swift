import ParvaEngine
import ParvaTestSupport
import Testing

@Suite struct HeadroomTests {
  private func plans(
    _ seed: Int, _ product: String, workloads: Int
  ) throws -> (input: PlanningInput, without: Plan, with: Plan) {
    let product = try #require(ProductCatalogue.product(named: product))
    var input = RandomDemand.input(seed: UInt64(seed), products: [product], models: 5, workloads: workloads)
    let with = OptimalPlanner().plan(input)
    input.options.headroom = false
    return (input, OptimalPlanner().plan(input), with)
  }

  private func ratios(_ plan: Plan, _ input: PlanningInput) -> [Double] {
    var capacity: [String: Double] = [:]
    for segment in plan.gpus.flatMap(\.segments) { capacity[segment.workload, default: 0] += segment.capacity }
    return input.workloads.compactMap { workload in capacity[workload.id].map { $0 / workload.rate } }.sorted()
  }

  @Test(
    "costs no GPU, is legal, and no workload has less capacity than before",
    arguments: ["A100-80GB", "A30-24GB", "RTX-PRO-6000-BSE-96GB", "H200-141GB"])
  func costsNothing(_ product: String) throws {
    var gained = 0
    for seed in 0..<25 {
      let (input, without, with) = try plans(seed, product, workloads: 1 + seed)
      #expect(PlanChecker.violations(of: with, against: input) == [], "seed \(seed)")
      #expect(with.summary.gpuCount == without.summary.gpuCount, "seed \(seed)")
      #expect(with.status == without.status && with.unplaced == without.unplaced, "seed \(seed)")
      let (before, after) = (ratios(without, input), ratios(with, input))
      #expect(zip(before, after).allSatisfy { $0 <= $1 + 1e-9 }, "seed \(seed)")
      if let a = before.first, let b = after.first, b > a + 1e-9 { gained += 1 }
    }
    #expect(gained > 5)
  }

  @Test("leaves no room in which another segment of a served workload would stand", arguments: 0..<15)
  func exhausts(_ seed: Int) throws {
    let (input, _, plan) = try plans(seed, "A100-80GB", workloads: 12)
    let served = Set(plan.gpus.flatMap(\.segments).map(\.workload))
    for gpu in plan.gpus {
      let taken = gpu.segments.reduce(UInt64(0)) { $0 | gpu.product.profiles[$1.profile].mask(at: $1.start) }
      let slices = gpu.segments.reduce(0) { $0 + gpu.product.profiles[$1.profile].computeSlices }
      for workload in input.workloads where served.contains(workload.id) {
        let points = input.profiles.profile(model: workload.model, product: gpu.product.name)?.points ?? []
        for point in points where point.latencyMs < 0.45 * workload.sloLatencyMs && point.processes <= 3 {
          let profile = gpu.product.profiles[point.profile]
          #expect(
            slices + profile.computeSlices > gpu.product.computeSlices
              || profile.starts.allSatisfy { profile.mask(at: $0) & taken != 0 })
        }
      }
    }
  }

  @Test("the most loaded workload gets the slices that are left")
  func mostLoadedFirst() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let points = [(0, 10.0), (1, 20.0)].compactMap { size, throughput in
      product.plainProfileIndex(computeSlices: size + 1).map {
        ProfilePoint(profile: $0, batch: 1, processes: 1, throughput: throughput, latencyMs: 1)
      }
    }
    let input = PlanningInput(
      workloads: [("easy", 30.0), ("hard", 29.9)].map { Workload(id: $0, model: "m", rate: $1, sloLatencyMs: 10) },
      pools: [Pool(product: product)],
      profiles: ProfileCatalogue([
        ModelProfile(model: "m", product: product.name, source: .measured, points: points)
      ]), options: PlanningOptions(admission: .halfSLO))
    let plan = OptimalPlanner().plan(input)
    #expect(plan.summary.gpuCount == 1)
    let slices = plan.gpus[0].segments.reduce(into: [String: Double]()) { $0[$1.workload, default: 0] += $1.capacity }
    #expect(slices == ["easy": 40, "hard": 30])
  }
}
