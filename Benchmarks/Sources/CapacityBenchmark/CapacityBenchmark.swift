import BenchmarkInputs
import Dispatch
import Foundation
import ParvaEngine

/// What certified admission costs: one model and objective with nothing known, and a large demand cold and warm. Times
/// are processor time, which other work on the machine disturbs least.
@main
struct CapacityBenchmark {
  static func main() throws {
    let arguments = CommandLine.arguments
    let folder = URL(filePath: arguments.count > 1 ? arguments[1] : "../../shared/data/parvagpu-sc24")
    let size = arguments.count > 2 ? Int(arguments[2]) ?? 11000 : 11000
    guard let product = ProductCatalogue.product(named: "A100-80GB") else { return }
    let published = try Published(folder: folder, product: product)
    let pools = [Pool(product: product)]

    for (name, arrivals) in [("poisson", ArrivalProcess.poisson), ("gamma cv2 4", .gamma(cv2: 4))] {
      let gpus = published.scenarios.map { workloads in
        var input = PlanningInput(workloads: workloads, pools: pools, profiles: published.profiles)
        for index in input.workloads.indices { input.workloads[index].arrivals = arrivals }
        return String(OptimalPlanner().plan(input).gpus.count)
      }
      print("\(name): GPUs of the published scenarios: \(gpus.joined(separator: " "))")
      var spent: [Double] = []
      for workload in published.scenarios.joined() {
        var workload = workload
        workload.arrivals = arrivals
        let input = PlanningInput(workloads: [workload], pools: pools, profiles: published.profiles)
        spent.append(seconds { _ = OptimalPlanner().plan(input) })
      }
      spent.sort()
      print(
        "\(name): one model and objective, all points, nothing known: median "
          + "\(milliseconds(spent[spent.count / 2])), nine in ten \(milliseconds(spent[spent.count * 9 / 10])), most \(milliseconds(spent[spent.count - 1])) of processor time"
      )
    }

    var generator = Generator(seed: 1)
    let input = PlanningInput(
      workloads: generator.workloads(size, from: published.scenarios), pools: pools, profiles: published.profiles)
    let cores = PlanningContext(
      forEach: { count, body in DispatchQueue.concurrentPerform(iterations: count, execute: body) },
      shouldStop: { false })
    let clock = ContinuousClock()
    for state in ["cold", "warm"] {
      var plan: Plan?
      var wall = Duration.zero
      let spent = seconds { wall = clock.measure { plan = OptimalPlanner().plan(input, cores) } }
      print(
        "\(size) workloads, \(state): \(wall), \(milliseconds(spent)) of processor time, \(plan?.gpus.count ?? 0) GPUs")
      var found = 0
      let judged = seconds { found = plan.map { PlanChecker.violations(of: $0, against: input).count } ?? 0 }
      print("checked: \(milliseconds(judged)) of processor time, \(found) violations")
    }
  }

  private static func seconds(_ body: () -> Void) -> Double {
    let before = clock()
    body()
    return Double(clock() - before) / Double(CLOCKS_PER_SEC)
  }

  private static func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
}
