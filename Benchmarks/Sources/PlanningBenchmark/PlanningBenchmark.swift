import Foundation
import ParvaEngine

@main
struct PlanningBenchmark {
  static func main() throws {
    let arguments = CommandLine.arguments
    let folder = URL(filePath: arguments.count > 1 ? arguments[1] : "../../shared/data/parvagpu-sc24")
    guard let product = ProductCatalogue.product(named: "A100-80GB") else { return }
    let published = try Published(folder: folder, product: product)
    for processes in [3, 5] {
      for (index, workloads) in published.scenarios.enumerated() {
        let input = PlanningInput(
          workloads: workloads, pools: [Pool(product: product)], profiles: published.profiles,
          options: PlanningOptions(maxProcesses: processes))
        let counts = Planners.all.map { planner in
          let plan = planner.plan(input)
          let faults = PlanChecker.violations(of: plan, against: input)
          if let fault = faults.first { print(fault) }
          if processes == 5, index == 5 {
            for o in [false, true] {
              var i2 = input
              i2.options.allocationOptimization = o
              let p2 = planner.plan(i2)
              print(o, p2.summary.gpuCount, p2.summary.allocatedSlices)
              for g in p2.gpus { print(g.segments.map { "\($0.model):\(product.profiles[$0.profile].computeSlices)@\($0.start)" }) }
            }
          }
          return "\(planner.name) \(plan.summary.gpuCount) \(plan.status) bound \(plan.summary.lowerBound ?? 0)"
        }
        print("scenario \(index + 1), \(processes) processes:", counts.joined(separator: "; "))
      }
    }
  }
}
