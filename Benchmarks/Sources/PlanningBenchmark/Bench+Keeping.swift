import BenchmarkInputs
import ParvaEngine

extension Bench {
  /// Segments that change, of all, when the rates of a share of the workloads change by a log-normal factor of sigma 0.2.
  func keeping(sizes: [Int], seeds: [Int]) {
    print("Segments that change when rates change; the plan in force is the one before, GPUs are the least in all\n")
    var table = Table([
      "workloads", "rates changed", "seeds", "GPUs before", "after", "changed afresh", "changed with `--from`",
      "with 1 % more GPUs", "CPU ratio to afresh",
    ])
    for (index, size) in sizes.sorted().enumerated() {
      let count = seeds[min(index, seeds.count - 1)]
      for share in [0.001, 0.01, 0.1] where share * Double(size) >= 1 {
        var (segments, afresh, near, extra, before, after) = (0, 0, 0, 0, 0, 0)
        var (fresh, kept) = (Meter(), Meter())
        for seed in 0..<count {
          let workloads = random(size, seed: seed)
          let first = OptimalPlanner().plan(input(workloads), Bench.cores)
          var generator = Generator(seed: UInt64(seed) + 1_000_000)
          var next = input(generator.changed(workloads, share: share))
          let other = fresh.measure { OptimalPlanner().plan(next, Bench.cores) }
          next.current = first
          let plan = kept.measure { OptimalPlanner().plan(next, Bench.cores) }
          check(plan, next, "\(size) workloads, seed \(seed)")
          if plan.summary.gpuCount > other.summary.gpuCount { fail("seed \(seed) of \(size): more GPUs than afresh") }
          next.options.maxExtraGPUs = (first.summary.gpuCount + 99) / 100
          let larger = OptimalPlanner().plan(next, Bench.cores)
          segments += first.gpus.reduce(0) { $0 + $1.segments.count }
          afresh += changes(first, other)
          near += changes(first, plan)
          extra += changes(first, larger)
          before += first.summary.gpuCount
          after += plan.summary.gpuCount
        }
        func percent(_ count: Int) -> String { (100 * Double(count) / Double(segments)).text(2) + " %" }
        table.add([
          String(size), (share * 100).text(1) + " %", String(count), String(before / count), String(after / count),
          percent(afresh), percent(near), percent(extra), (kept.cpu / fresh.cpu).text(2),
        ])
      }
    }
    table.print()
  }

  /// As `parva diff` counts: per segment id, what is new, gone, elsewhere or run differently.
  func changes(_ old: Plan, _ new: Plan) -> Int {
    PlanDiff(from: old, to: new).changes.count {
      if case .reloaded = $0 { false } else { true }
    }
  }
}
