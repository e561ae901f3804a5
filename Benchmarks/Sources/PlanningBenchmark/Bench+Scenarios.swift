import BenchmarkInputs
import ParvaEngine

extension Bench {
  /// GPUs that the published program needs in scenarios 1...6.
  private static let publishedGPUs = [3: [2, 3, 5, 7, 13, 17], 5: [2, 3, 5, 7, 13, 16]]

  func scenarios() {
    for maxProcesses in [3, 5] {
      print("GPUs for scenarios 1-6, rule half-slo, at most \(maxProcesses) processes\n")
      var table = Table(["planner", "1", "2", "3", "4", "5", "6", "sum"])
      func add(_ name: String, _ counts: [Int], _ proven: [Bool] = []) {
        let cells = counts.indices.map { String(counts[$0]) + (proven.indices.contains($0) && proven[$0] ? "*" : "") }
        table.add([name] + cells + [String(counts.reduce(0, +))])
      }
      let published = Bench.publishedGPUs[maxProcesses] ?? []
      add("published program", published)
      for planner in Planners.all {
        let plans = self.published.scenarios.map { workloads in
          let input = input(workloads, maxProcesses: maxProcesses)
          let plan = planner.plan(input, Bench.cores)
          check(plan, input, "scenario")
          return plan
        }
        add(planner.name, plans.map(\.summary.gpuCount), plans.map { $0.status == .optimal })
      }
      table.print()
    }
    print("`*` proven: no plan has fewer.\n")
  }
}
