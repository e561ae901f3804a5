/// Rule that says how much load a profile point may be given under an SLO.
public enum AdmissionRule: String, Hashable, Sendable, CaseIterable {
  /// The largest rate at which the segment keeps the percentile of the SLO under the declared arrivals, less the margin.
  case certified
  /// The published rule: execution latency below 0.45 x SLO, loaded up to its throughput (SC'24, section 3).
  case halfSLO = "half-slo"
}

/// What a plan is made from. Every value has been validated at the edge.
public struct PlanningInput: Sendable {
  /// In order of id, so that a plan depends on the set of workloads and not on the order in which they came.
  public var workloads: [Workload]
  /// At least one; names are unique.
  public var pools: [Pool]
  public var profiles: ProfileCatalogue
  public var options: PlanningOptions
  /// What ``ArrivalProcess/trace(name:)`` refers to.
  public var traces: [String: ArrivalRecording]
  /// What was worked out about capacities before; a plan takes less time with it and is the same without.
  public var capacities: CapacityCache
  /// The plan in force: planner `optimal` keeps of it what can stay. The others plan afresh.
  public var current: Plan?

  public init(
    workloads: [Workload], pools: [Pool], profiles: ProfileCatalogue, options: PlanningOptions = PlanningOptions(),
    traces: [String: ArrivalRecording] = [:], capacities: CapacityCache = CapacityCache(),
    current: Plan? = nil
  ) {
    self.workloads = workloads.sorted { $0.id < $1.id }
    self.pools = pools
    self.profiles = profiles
    self.options = options
    self.traces = traces
    self.capacities = capacities
    self.current = current
  }
}

/// What a plan minimises.
public enum PlanObjective: String, Hashable, Sendable, CaseIterable {
  /// The number of GPUs.
  case gpus
  /// Sum of ``Pool/hourlyCost``.
  case cost
  /// Sum of ``Pool/watts``.
  case watts
}

extension PlanningInput {
  /// Works out the capacities that planners ask, those with one process an instance among them, so that what a planner
  /// takes afterwards is its own time. As long as the first plan of the input, less the planner.
  public func prepareCapacities(_ context: PlanningContext) {
    for processes in Set([1, options.maxProcesses]).sorted() {
      var input = self
      input.options.maxProcesses = processes
      _ = Market(input, support: .everything, context)
    }
  }

  /// Objective per GPU of each pool; a pool that does not state the figure counts as the dearest that does, or 1.
  var weights: [Double] {
    let stated: [Double?] =
      switch options.objective {
      case .gpus: pools.map { _ in 1 }
      case .cost: pools.map(\.hourlyCost)
      case .watts: pools.map(\.watts)
      }
    let dearest = stated.compactMap { $0 }.max() ?? 1
    return stated.map { max($0 ?? dearest, 1e-6) }
  }
}

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
  /// How many GPUs more than the least planner `optimal` may use to change less of ``PlanningInput/current``.
  public var maxExtraGPUs: Int

  public init(
    admission: AdmissionRule = .certified, maxProcesses: Int = 3, allocationOptimization: Bool = true,
    objective: PlanObjective = .gpus, certificate: Bool = false, margin: Double = 0, headroom: Bool = true,
    maxExtraGPUs: Int = 0
  ) {
    self.admission = admission
    self.maxProcesses = maxProcesses
    self.allocationOptimization = allocationOptimization
    self.objective = objective
    self.certificate = certificate
    self.margin = margin
    self.headroom = headroom
    self.maxExtraGPUs = maxExtraGPUs
  }
}
