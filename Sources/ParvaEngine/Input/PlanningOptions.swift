/// Choices of the user that shape a plan.
public struct PlanningOptions: Hashable, Sendable {
  public var admission: AdmissionRule
  /// Most MPS processes on one instance, at least 1.
  public var maxProcesses: Int
  /// Whether planner `parvagpu` runs its allocation optimization (SC'24, section 4); the others ignore it.
  public var allocationOptimization: Bool
  /// What planner `optimal` minimises.
  public var objective: PlanObjective
  /// Whether planner `optimal` adds the proof of its bound to the plan.
  public var certificate: Bool
  /// Share by which rule `certified` keeps loads below what it could give, for errors of the profile and growth of the
  /// rate: a certified capacity is divided by one more than this. At least 0.
  public var margin: Double
  /// Whether planner `optimal` puts slices that a plan leaves over to work as spare capacity.
  public var headroom: Bool
  /// How many GPUs more than the least planner `optimal` may use to change less of ``PlanningInput/current``. With a
  /// price for moving, 0 leaves it to the price.
  public var maxExtraGPUs: Int
  /// What a changed segment of ``PlanningInput/current`` counts beside the objective, in GPUs of the dearest pool; at
  /// least 0. 0 asks for least cost first and fewest changes then.
  public var moveCost: Double

  public init(
    admission: AdmissionRule = .default, maxProcesses: Int = 3, allocationOptimization: Bool = true,
    objective: PlanObjective = .gpus, certificate: Bool = false, margin: Double = 0, headroom: Bool = true,
    maxExtraGPUs: Int = 0, moveCost: Double = 0
  ) {
    self.admission = admission
    self.maxProcesses = maxProcesses
    self.allocationOptimization = allocationOptimization
    self.objective = objective
    self.certificate = certificate
    self.margin = margin
    self.headroom = headroom
    self.maxExtraGPUs = maxExtraGPUs
    self.moveCost = moveCost
  }
}
