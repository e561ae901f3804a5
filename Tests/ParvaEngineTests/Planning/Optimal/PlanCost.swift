import ParvaEngine

enum PlanCost {
  /// What a plan costs in units of the input's objective; a pool that does not state it counts 1.
  static func of(_ plan: Plan, _ input: PlanningInput) -> Double {
    plan.gpus.reduce(0) { sum, gpu in
      let pool = input.pools.first { $0.name == gpu.pool }
      switch input.options.objective {
      case .gpus: return sum + 1
      case .cost: return sum + (pool?.hourlyCost ?? 1)
      case .watts: return sum + (pool?.watts ?? 1)
      }
    }
  }
}
