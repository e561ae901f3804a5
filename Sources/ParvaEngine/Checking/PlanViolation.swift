/// One thing wrong with a plan.
public struct PlanViolation: Hashable, Sendable {
  public enum Code: String, Hashable, Sendable, CaseIterable {
    case unknownProfile = "unknown_profile"
    case illegalStart = "illegal_start"
    case overlap = "overlap"
    case tooManyInstances = "too_many_instances"
    case tooManySlices = "too_many_slices"
    case emptyGPU = "empty_gpu"
    case duplicateSegment = "duplicate_segment"
    case badFigure = "bad_figure"
    case overload = "overload"
    case unknownPool = "unknown_pool"
    case wrongProduct = "wrong_product"
    case overStock = "over_stock"
    case unknownWorkload = "unknown_workload"
    case wrongModel = "wrong_model"
    case unknownPoint = "unknown_point"
    case wrongLatency = "wrong_latency"
    case sloMissed = "slo_missed"
    case overCapacity = "over_capacity"
    case tooManyProcesses = "too_many_processes"
    case notCovered = "not_covered"
    case loadMismatch = "load_mismatch"
    case unplacedAndPlaced = "unplaced_and_placed"
    case wrongStatus = "wrong_status"
    case excludedPool = "excluded_pool"
    case notSpread = "not_spread"
    case sharedGPU = "shared_gpu"
    case unknownNode = "unknown_node"
    case overNode = "over_node"
    case wrongPartial = "wrong_partial"
    case wrongCertificate = "wrong_certificate"
    case illegalPrices = "illegal_prices"
    case boundNotProven = "bound_not_proven"
    case wrongSummary = "wrong_summary"
    case duplicateGPU = "duplicate_gpu"
    case notOptimal = "not_optimal"
    case unproven = "unproven"
    case wrongSource = "wrong_source"
    case wrongReplicas = "wrong_replicas"
    case notSurviving = "not_surviving"
    case wrongClaim = "wrong_claim"
    case wrongRefusal = "wrong_refusal"
    case requirementMissed = "requirement_missed"
  }

  public var code: Code
  /// Index of the GPU in the plan.
  public var gpu: Int?
  /// ``Segment/id`` of the segment.
  public var segment: String?
  public var workload: String?
  /// One sentence for a person.
  public var message: String

  package init(
    _ code: Code, gpu: Int? = nil, segment: String? = nil, workload: String? = nil, _ message: String
  ) {
    self.code = code
    self.gpu = gpu
    self.segment = segment
    self.workload = workload
    self.message = message
  }
}
