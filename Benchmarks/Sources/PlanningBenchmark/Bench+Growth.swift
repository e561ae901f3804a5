import BenchmarkInputs
import ParvaEngine

extension Bench {
  /// Sizes ascending, so that the peak memory is that of the size at hand; `optimal` first, for the same reason.
  func growth(sizes: [Int], seeds: [Int]) {
    print("Random demand, rule half-slo, at most 3 processes; times are means per plan, memory is the process's peak\n")
    var table = Table([
      "workloads", "seeds", "GPUs", "gap, most", "of `parvagpu`", "saved", "wall ms", "CPU ms", "us CPU a workload",
      "`parvagpu` CPU ms", "CPU ratio", "peak MiB",
    ])
    for (index, size) in sizes.sorted().enumerated() {
      let count = seeds[min(index, seeds.count - 1)]
      var (ours, theirs) = (Meter(), Meter())
      var (gpus, others, gap) = (0, 0, 0.0)
      var peak: Double?
      for seed in 0..<count {
        let input = input(random(size, seed: seed))
        let plan = ours.measure { OptimalPlanner().plan(input, Bench.cores) }
        peak = peak ?? Meter.peakMemoryMiB
        let other = theirs.measure { ParvaGPUPlanner().plan(input, Bench.cores) }
        for plan in [plan, other] { check(plan, input, "\(size) workloads, seed \(seed)") }
        if plan.summary.gap != 0 { print("seed \(seed) of \(size): gap \(plan.summary.gap ?? -1)") }
        if plan.summary.gpuCount > other.summary.gpuCount { fail("seed \(seed) of \(size): more GPUs than parvagpu") }
        gap = max(gap, plan.summary.gap ?? .infinity)
        gpus += plan.summary.gpuCount
        others += other.summary.gpuCount
      }
      let runs = Double(count)
      table.add([
        String(size), String(count), String((gpus + count / 2) / count), gap.text(0),
        String((others + count / 2) / count), (100 * (1 - Double(gpus) / Double(others))).text(1) + " %",
        (ours.wall / runs * 1e3).text(1), (ours.cpu / runs * 1e3).text(1),
        (ours.cpu / runs / Double(size) * 1e6).text(2),
        (theirs.cpu / runs * 1e3).text(1), (ours.cpu / theirs.cpu).text(2), peak?.text(0) ?? "-",
      ])
    }
    table.print()
  }
}
