/// What a planner could say about its plan. An outcome, never an error.
public enum PlanStatus: String, Hashable, Sendable, CaseIterable {
  /// Covers every workload that can be served and is proven to be of least cost.
  case optimal
  /// Covers every workload, some perhaps in part as they allow; a better plan may exist.
  case feasible
  /// Some workload is left out.
  case infeasible
}

/// An allocation of workloads to MIG instances on GPUs, judged by ``PlanChecker`` before it leaves the engine.
public struct Plan: Hashable, Sendable {
  public var planner: String
  public var admission: String
  /// ``PlanningOptions/margin`` of a certified plan; nil where the rule has none.
  public var margin: Double?
  /// What ``PlanSummary/lowerBound`` and ``PlanSummary/gap`` count; nil for planners that prove no bound.
  public var objective: PlanObjective?
  /// Most MPS processes on one instance that the plan was allowed; nil where it is not known.
  public var maxProcesses: Int?
  public var status: PlanStatus
  public var gpus: [PlannedGPU]
  public var unplaced: [Unserved]
  /// Workloads served at a lower rate than they ask for.
  public var partial: [PartialService]
  public var summary: PlanSummary
  /// Proof of the lower bound; nil where it was not asked for.
  public var certificate: PlanCertificate?

  public init(
    planner: String, admission: String, margin: Double? = nil, objective: PlanObjective? = nil,
    maxProcesses: Int? = nil, status: PlanStatus, gpus: [PlannedGPU], unplaced: [Unserved],
    partial: [PartialService] = [], summary: PlanSummary, certificate: PlanCertificate? = nil
  ) {
    self.planner = planner
    self.admission = admission
    self.margin = margin
    self.objective = objective
    self.maxProcesses = maxProcesses
    self.status = status
    self.gpus = gpus
    self.unplaced = unplaced
    self.partial = partial
    self.summary = summary
    self.certificate = certificate
  }
}
