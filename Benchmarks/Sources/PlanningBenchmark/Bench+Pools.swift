import BenchmarkInputs
import ParvaEngine

extension Bench {
  /// A product with how much faster than an A100-80GB its instances count as, and what a GPU costs an hour.
  private static let products: [(name: String, speed: Double, cost: Double)] = [
    ("A100-80GB", 1, 2), ("H100-80GB-SXM", 1.9, 3.7), ("A30-24GB", 0.55, 0.9), ("A100-40GB", 0.95, 1.6),
    ("H200-141GB", 2.1, 4.5),
  ]

  /// Random demand on one, three and eight pools with prices, without a limit and with a stock of 105 % and of 60 % of the need: what
  /// a plan of least cost leaves open, and what it takes.
  func pools(sizes: [Int], seeds: [Int]) {
    print("Random demand on several pools, rule half-slo, for cost; times are means per plan\n")
    var table = Table(["workloads", "pools", "stock", "seeds", "GPUs", "greatest gap", "wall ms", "CPU ms", "peak MiB"])
    for (index, size) in sizes.sorted().enumerated() {
      let count = seeds[min(index, seeds.count - 1)]
      for number in [1, 3, 8] {
        for share in [nil, 105, 60] {
          var meter = Meter()
          var (gpus, gap) = (0, 0.0)
          for seed in 0..<count {
            let input = priced(random(size, seed: seed), pools: number, stock: share)
            let context = Bench.patient(workloads: size)
            let plan = meter.measure { OptimalPlanner().plan(input, context) }
            check(plan, input, "\(size) workloads on \(number) pools, seed \(seed)")
            if plan.status == .infeasible, share != 60 {
              fail("\(size) workloads on \(number) pools, seed \(seed): some are left out")
            }
            gpus += plan.summary.gpuCount
            gap = max(gap, (plan.summary.gap ?? .infinity) / max(1e-9, plan.summary.lowerBound ?? 0))
          }
          let runs = Double(count)
          table.add([
            String(size), number == 8 ? "8 of five products" : "\(number)", share.map { "\($0) %" } ?? "-",
            String(count),
            String(gpus / count), (100 * gap).text(3) + " %", (meter.wall / runs * 1e3).text(1),
            (meter.cpu / runs * 1e3).text(1), Meter.peakMemoryMiB?.text(0) ?? "-",
          ])
        }
      }
    }
    table.print()
  }

  /// - Parameter stock: GPUs there are, in hundredths of what the demand needs of one product; nil for as many as it takes.
  func priced(_ workloads: [Workload], pools number: Int, stock: Int?) -> PlanningInput {
    var profiles = ProfileCatalogue()
    let products = Bench.products.compactMap { entry in
      ProductCatalogue.product(named: entry.name).map { (product: $0, speed: entry.speed, cost: entry.cost) }
    }
    for profile in published.profiles.all {
      for entry in products { profiles.insert(scaled(profile, to: entry.product, by: entry.speed)) }
    }
    var pools = (0..<number).map { index in
      let entry = products[number == 8 ? index % products.count : 0]
      // Pools of one product differ in price.
      return Pool(
        name: "pool-\(index)", product: entry.product,
        figures: ["hourlyCost": entry.cost * (1 + 0.1 * Double(index / products.count + (number == 3 ? index : 0)))])
    }
    if let stock {
      let one = PlanningInput(
        workloads: workloads, pools: [Pool(product: product)], profiles: profiles,
        options: PlanningOptions(admission: .halfSLO))
      let need = OptimalPlanner().plan(one, Bench.patient).summary.gpuCount
      let share = (need * stock + 100 * number - 1) / (100 * number)
      for index in pools.indices { pools[index].count = max(1, share) }
    }
    return PlanningInput(
      workloads: workloads, pools: pools, profiles: profiles,
      options: PlanningOptions(admission: .halfSLO, objective: .cost))
  }

  /// A profile as if it were measured on another product.
  private func scaled(_ profile: ModelProfile, to other: GPUProduct, by speed: Double) -> ModelProfile {
    let points = profile.points.compactMap { point -> ProfilePoint? in
      let slices = product.profiles[point.profile].computeSlices
      guard let place = other.plainProfileIndex(computeSlices: slices) else { return nil }
      return ProfilePoint(
        profile: place, batch: point.batch, processes: point.processes, throughput: point.throughput * speed,
        latencyMs: point.latencyMs / speed)
    }
    return ModelProfile(model: profile.model, product: other.name, source: .measured, points: points)
  }
}
