import Foundation
package import ParvaEngine

/// Seeded inputs that look like real ones: throughput grows with size, batch and processes, latency too.
package enum RandomDemand {
  /// Profiles of `models` invented models on every pool's product, and `workloads` demands on them.
  package static func input(
    seed: UInt64, products: [GPUProduct], models: Int, workloads: Int, stock: Int? = nil,
    options: PlanningOptions = PlanningOptions(admission: .halfSLO)
  ) -> PlanningInput {
    var random = SeededGenerator(seed: seed)
    var catalogue = ProfileCatalogue()
    for model in 0..<models {
      for product in products {
        catalogue.insert(profile(model: "m\(model)", product, &random))
      }
    }
    let demands = (0..<workloads).map { index in
      Workload(
        id: "w\(index)", model: "m\(Int.random(in: 0..<models, using: &random))",
        rate: exp(Double.random(in: log(1)...log(2000), using: &random)),
        sloLatencyMs: exp(Double.random(in: log(20)...log(2000), using: &random)),
        priority: Int.random(in: 0...2, using: &random))
    }
    let pools = products.enumerated().map { index, product in
      Pool(name: "pool-\(index)", product: product, count: stock)
    }
    return PlanningInput(workloads: demands, pools: pools, profiles: catalogue, options: options)
  }

  /// A demand of few instances, with few points, for comparison with exhaustive methods.
  ///
  /// Rates are up to `most`, where an instance serves 6 to 14 for each of its compute slices.
  package static func small(
    seed: UInt64, products: [GPUProduct], workloads: Int, most: Int = 75
  ) -> PlanningInput {
    var random = SeededGenerator(seed: seed)
    var catalogue = ProfileCatalogue()
    var demands: [Workload] = []
    for index in 0..<workloads {
      let model = "m\(index)"
      // Per slice between 6 and 14, so that sizes differ in efficiency; about one size in five does not fit.
      for product in products {
        var points: [ProfilePoint] = []
        for profile in product.plannedProfiles {
          let slices = Double(product.profiles[profile].computeSlices)
          let isLargest = profile == product.plannedProfiles.last
          guard isLargest || Int.random(in: 0..<5, using: &random) > 0 else { continue }
          points.append(
            ProfilePoint(
              profile: profile, batch: 1, processes: 1,
              throughput: slices * Double(Int.random(in: 6...14, using: &random)), latencyMs: 10))
        }
        catalogue.insert(ModelProfile(model: model, product: product.name, source: .measured, points: points))
      }
      demands.append(
        Workload(
          id: "w\(index)", model: model, rate: Double(Int.random(in: 5...most, using: &random)), sloLatencyMs: 100))
    }
    let pools = products.enumerated().map { index, product in Pool(name: "pool-\(index)", product: product) }
    return PlanningInput(
      workloads: demands, pools: pools, profiles: catalogue, options: PlanningOptions(admission: .halfSLO))
  }

  /// An invented model whose latency grows with batch and processes and falls with the size of the instance.
  package static func profile(
    model: String, _ product: GPUProduct, _ random: inout SeededGenerator
  ) -> ModelProfile {
    let speed = exp(Double.random(in: log(0.02)...log(2), using: &random))
    let launch = Double.random(in: 1...10, using: &random)
    let bend = Double.random(in: 0.6...1.1, using: &random)
    let least = Int.random(in: 0...3, using: &random) == 0 ? 2 : 1
    var points: [ProfilePoint] = []
    for index in product.plannedProfiles where product.profiles[index].computeSlices >= least {
      let slices = pow(Double(product.profiles[index].computeSlices), bend)
      for batch in [1, 2, 4, 8, 16, 32] {
        for processes in 1...4 {
          let latency = launch * (1 + 0.1 * Double(processes - 1)) + Double(batch * processes) / (slices * speed)
          points.append(
            ProfilePoint(
              profile: index, batch: batch, processes: processes,
              throughput: 1000 * Double(batch * processes) / latency, latencyMs: latency))
        }
      }
    }
    return ModelProfile(model: model, product: product.name, source: .measured, points: points)
  }
}
