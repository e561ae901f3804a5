/// Why a workload is not served, with a stable code.
public struct Unserved: Hashable, Sendable {
  public enum Code: String, Hashable, Sendable, CaseIterable {
    /// No profile of the model on any product in the pools.
    case noProfile = "no_profile"
    /// The model is profiled, but no point keeps the SLO.
    case sloUnreachable = "slo_unreachable"
    /// The workload arrives by a recorded trace that the planner was not given.
    case unknownTrace = "unknown_trace"
    /// Points keep the SLO only beyond the limit on processes.
    case processLimit = "process_limit"
    /// All GPUs in stock are taken.
    case noStock = "no_stock"
    /// The rate needs more instances than one workload may take.
    case tooLarge = "too_large"
    /// The workload's own constraints exclude every pool.
    case excluded = "excluded"
    /// There are fewer failure domains than the workload must stand on.
    case spreadUnreachable = "spread_unreachable"
    /// As many replicas as the workload may have do not carry its rate.
    case replicaLimit = "replica_limit"
    /// The planner does not know the constraint; another one does.
    case unsupportedConstraint = "unsupported_constraint"
    /// The planner failed on the demand, and the plan in force does not carry the workload.
    case notPlanned = "not_planned"
    /// More GPUs would be needed than the quota of its namespace allows.
    case quotaExceeded = "quota_exceeded"
  }

  public var workload: String
  public var code: Code
  /// One sentence for a person: what is missing and what would be enough.
  public var message: String

  public init(workload: String, code: Code, message: String) {
    self.workload = workload
    self.code = code
    self.message = message
  }
}
