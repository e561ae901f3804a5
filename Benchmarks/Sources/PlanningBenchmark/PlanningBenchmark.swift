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
          return "\(planner.name) \(plan.summary.gpuCount) \(plan.status) bound \(plan.summary.lowerBound ?? 0)"
        }
        print("scenario \(index + 1), \(processes) processes:", counts.joined(separator: "; "))
      }
    }
  }
}
