/// What a planner could say about its plan. An outcome, never an error.
public enum PlanStatus: String, Hashable, Sendable, CaseIterable {
  /// Covers every workload that can be served and is proven to be of least cost.
  case optimal
  /// Covers every workload, some perhaps in part as they allow; a better plan may exist.
  case feasible
  /// Some workload is left out.
  case infeasible
}

/// One MIG GPU instance that runs a number of MPS processes of one model at one batch size.
public struct Segment: Hashable, Sendable {
  public var workload: String
  /// Number of the segment within its workload, from 0; with the workload it names the segment.
  public var ordinal: Int
  public var model: String
  /// Index into the product's ``GPUProduct/profiles``.
  public var profile: Int
  /// First axis unit of the instance.
  public var start: Int
  public var batch: Int
  public var processes: Int
  /// Requests per second that the segment may be given, by the admission rule.
  public var capacity: Double
  /// Requests per second that the plan gives it, at most `capacity`.
  public var load: Double
  /// Execution latency of one full batch in milliseconds.
  public var latencyMs: Double

  public init(
    workload: String, ordinal: Int, model: String, profile: Int, start: Int, batch: Int, processes: Int,
    capacity: Double, load: Double, latencyMs: Double
  ) {
    self.workload = workload
    self.ordinal = ordinal
    self.model = model
    self.profile = profile
    self.start = start
    self.batch = batch
    self.processes = processes
    self.capacity = capacity
    self.load = load
    self.latencyMs = latencyMs
  }

  /// Name that stays with the segment from plan to plan.
  public var id: String { "\(workload)/\(ordinal)" }
}

/// One GPU of a plan with its segments in order of start.
public struct PlannedGPU: Hashable, Sendable {
  public var pool: String
  public var product: GPUProduct
  /// Node and UUID once the plan is bound to real GPUs.
  public var node: String?
  public var uuid: String?
  public var segments: [Segment]

  public init(pool: String, product: GPUProduct, node: String? = nil, uuid: String? = nil, segments: [Segment]) {
    self.pool = pool
    self.product = product
    self.node = node
    self.uuid = uuid
    self.segments = segments
  }
}

/// Why a workload is not served, with a stable code.
public struct Unplaced: Hashable, Sendable {
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
    /// The planner does not know the constraint; another one does.
    case unsupportedConstraint = "unsupported_constraint"
    /// The planner failed on the demand, and the plan in force does not carry the workload.
    case notPlanned = "not_planned"
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

/// An allocation of workloads to MIG instances on GPUs, judged by ``PlanChecker`` before it leaves the engine.
public struct Plan: Hashable, Sendable {
  public var planner: String
  public var admission: String
  /// ``PlanningOptions/margin`` of a certified plan; nil where the rule has none.
  public var margin: Double?
  public var status: PlanStatus
  public var gpus: [PlannedGPU]
  public var unplaced: [Unplaced]
  /// Workloads served at a lower rate than they ask for.
  public var partial: [PartialService]
  public var summary: PlanSummary
  /// Proof of the lower bound; nil where it was not asked for.
  public var certificate: PlanCertificate?

  public init(
    planner: String, admission: String, margin: Double? = nil, status: PlanStatus, gpus: [PlannedGPU],
    unplaced: [Unplaced], partial: [PartialService] = [], summary: PlanSummary, certificate: PlanCertificate? = nil
  ) {
    self.planner = planner
    self.admission = admission
    self.margin = margin
    self.status = status
    self.gpus = gpus
    self.unplaced = unplaced
    self.partial = partial
    self.summary = summary
    self.certificate = certificate
  }
}

/// Figures of a whole plan.
public struct PlanSummary: Hashable, Sendable {
  /// GPUs with at least one segment.
  public var gpuCount: Int
  /// Proven lower bound of the objective; nil for planners that prove none.
  public var lowerBound: Double?
  /// Objective minus the least value the bound allows; 0 means proven minimal. Nil without a bound.
  public var gap: Double?
  /// Compute slices of all segments.
  public var allocatedSlices: Int
  /// Share of compute slices that no segment holds, 0...1.
  public var externalFragmentation: Double
  /// Share of the allocated slices' capacity that no load uses, 0...1.
  public var internalSlack: Double
  /// Sum of hourly costs; nil where a pool states none.
  public var cost: Double?
  /// Sum of watts; nil where a pool states none.
  public var watts: Double?
  public var profileSource: ProfileSource

  public init(
    gpuCount: Int, lowerBound: Double? = nil, gap: Double? = nil, allocatedSlices: Int, externalFragmentation: Double,
    internalSlack: Double, cost: Double? = nil, watts: Double? = nil, profileSource: ProfileSource
  ) {
    self.gpuCount = gpuCount
    self.lowerBound = lowerBound
    self.gap = gap
    self.allocatedSlices = allocatedSlices
    self.externalFragmentation = externalFragmentation
    self.internalSlack = internalSlack
    self.cost = cost
    self.watts = watts
    self.profileSource = profileSource
  }
}
