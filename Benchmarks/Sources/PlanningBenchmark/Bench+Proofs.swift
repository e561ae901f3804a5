import BenchmarkInputs
import ParvaEngine

extension Bench {
  /// What demands ask for beside a rate, one more in each row of the table.
  private enum Features: Int, CaseIterable {
    case prices, exclusions, tenants, spread, scarcity

    var name: String {
      switch self {
      case .prices: "prices"
      case .exclusions: "and exclusions"
      case .tenants: "and tenants"
      case .spread: "and spread"
      case .scarcity: "and stock for two thirds"
      }
    }
  }

  /// How many of so many random demands on eight pools are proven within the default time limit.
  func proofs(size: Int, seeds: Int) {
    print("\(size) random workloads on 8 pools of five products, rule half-slo, for cost\n")
    var table = Table(["with", "demands", "proven", "greatest gap", "cut short", "wall ms", "longest ms"])
    for features in Features.allCases {
      var (proven, cut, gap, longest) = (0, 0, 0.0, 0.0)
      var meter = Meter()
      for seed in 0..<seeds {
        let input = demand(size, features, seed: seed)
        let before = meter.wall
        let plan = meter.measure { OptimalPlanner().plan(input, Bench.patient) }
        check(plan, input, "\(features.name), seed \(seed)")
        longest = max(longest, meter.wall - before)
        let open = plan.summary.gap ?? .infinity
        if open == 0 { proven += 1 }
        if plan.summary.isCutShort { cut += 1 }
        gap = max(gap, open / max(1e-9, plan.summary.lowerBound ?? 0))
      }
      table.add([
        features.name, String(seeds), String(proven), (100 * gap).text(2) + " %", String(cut),
        (meter.wall / Double(seeds) * 1e3).text(0), (longest * 1e3).text(0),
      ])
    }
    table.print()
  }

  private func demand(_ size: Int, _ features: Features, seed: Int) -> PlanningInput {
    var input = priced(random(size, seed: seed), pools: 8, stock: 105)
    var generator = Generator(seed: UInt64(1000 + seed))
    for index in input.workloads.indices {
      let (excluded, tenant, spread) = (
        generator.number(below: 4), generator.number(below: 20), generator.number(below: 5)
      )
      let pool = input.pools[generator.number(below: input.pools.count)]
      if features.rawValue >= Features.exclusions.rawValue {
        if excluded == 0 { input.workloads[index].constraints.excludeProducts = [pool.product.name] }
        if excluded == 1 { input.workloads[index].constraints.excludePools = [pool.name] }
      }
      if features.rawValue >= Features.tenants.rawValue, tenant < 3 {
        input.workloads[index].labels = ["team": "t\(tenant)"]
        input.workloads[index].constraints.exclusive = "team"
      }
      if features.rawValue >= Features.spread.rawValue, spread == 0 {
        input.workloads[index].constraints.spread = Spread(over: .gpu, atLeast: 2)
      }
      input.workloads[index].priority = generator.number(below: 3)
    }
    if features == .scarcity {
      // What all would take, two thirds of it, pool by pool.
      let whole = OptimalPlanner().plan(input, Bench.patient)
      for index in input.pools.indices {
        let used = whole.gpus.count { $0.pool == input.pools[index].name }
        input.pools[index].count = (2 * used + 2) / 3
      }
    }
    return input
  }
}
