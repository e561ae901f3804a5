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
  /// What bounds namespaces; planners do not look at it, see ``QuotaCut``.
  public var quotas: [GPUQuota] = []
  /// Namespaces that share GPUs by weight; planners do not look at it, see ``FairShare``.
  public var shares: [NamespaceShare] = []

  public init(
    workloads: [Workload], pools: [Pool], profiles: ProfileCatalogue, options: PlanningOptions = PlanningOptions(),
    traces: [String: ArrivalRecording] = [:], capacities: CapacityCache = CapacityCache(),
    current: Plan? = nil
  ) {
    let isSorted = zip(workloads, workloads.dropFirst()).allSatisfy { $0.id <= $1.id }
    self.workloads = isSorted ? workloads : workloads.sorted { $0.id < $1.id }
    self.pools = pools
    self.profiles = profiles
    self.options = options
    self.traces = traces
    self.capacities = capacities
    self.current = current
  }
}

extension PlanningInput {
  /// Objective per GPU of each pool; a pool that does not state the figure counts as the dearest that does, or 1.
  var weights: [Double] {
    let stated = pools.map(options.objective.weight)
    let dearest = stated.compactMap { $0 }.max() ?? 1
    return stated.map { max($0 ?? dearest, 1e-6) }
  }
}
