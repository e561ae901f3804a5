/// How requests of a workload arrive.
public enum ArrivalProcess: Hashable, Sendable {
  /// Independent arrivals: exponential gaps, squared coefficient of variation 1.
  case poisson
  /// Equal gaps.
  case deterministic
  /// Gamma-distributed gaps with this squared coefficient of variation, above 0; above 1 means bursts.
  case gamma(cv2: Double)
  /// The shape of a recorded sequence at the workload's rate, by its name in ``PlanningInput/traces``.
  case trace(name: String)
}
