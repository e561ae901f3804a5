import BenchmarkInputs
import Dispatch
import Foundation
import ParvaEngine

@main
struct PlanningBenchmark {
  static func main() throws {
    let arguments = CommandLine.arguments
    let folder = URL(filePath: arguments.count > 1 ? arguments[1] : "../../shared/data/parvagpu-sc24")
    let sizes = arguments.count > 2 ? arguments[2].split(separator: ",").compactMap { Int($0) } : [110, 1100, 11000]
    let seeds = arguments.count > 3 ? Int(arguments[3]) ?? 3 : 3
    guard let product = ProductCatalogue.product(named: "A100-80GB") else { return }
    let published = try Published(folder: folder, product: product)
    let cores = PlanningContext(
      forEach: { count, body in DispatchQueue.concurrentPerform(iterations: count, execute: body) },
      shouldStop: { false })
    for size in sizes {
      for seed in 0..<seeds {
        var generator = Generator(seed: UInt64(seed))
        let workloads = generator.workloads(size, from: published.scenarios)
        let input = PlanningInput(
          workloads: workloads, pools: [Pool(product: product)], profiles: published.profiles,
          options: PlanningOptions(admission: .halfSLO))
        var line = "\(size) seed \(seed):"
        for planner in Planners.all {
          let clock = ContinuousClock()
          var plan: Plan?
          let time = clock.measure { plan = planner.plan(input, cores) }
          guard let plan else { continue }
          line +=
            " \(planner.name) \(plan.summary.gpuCount) gap \(plan.summary.gap ?? -1) "
            + "bound \(plan.summary.lowerBound ?? 0) left \(plan.unplaced.count) \(time);"
          if let fault = PlanChecker.violations(of: plan, against: input).first { print(fault) }
        }
        print(line)
      }
    }
  }
}
