/// What a plan minimises.
public enum PlanObjective: String, Hashable, Sendable, CaseIterable {
  /// The number of GPUs.
  case gpus
  /// Sum of ``Pool/hourlyCost``.
  case cost
  /// Sum of ``Pool/watts``.
  case watts
}
