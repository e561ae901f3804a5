import ParvaEngine

enum PlanCost {
  /// What a plan costs in units of the input's objective; a pool that does not state it counts 1.
  static func of(_ plan: Plan, _ input: PlanningInput) -> Double {
    plan.gpus.reduce(0) { sum, gpu in
      sum + (input.pools.first { $0.name == gpu.pool }.flatMap(input.options.objective.weight) ?? 1)
    }
  }
}
