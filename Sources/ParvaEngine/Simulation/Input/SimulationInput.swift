/// What a simulation plays through. Every value has been validated at the edge.
public struct SimulationInput: Sendable {
  public var plan: Plan
  /// The demand: rates, objectives, arrival processes.
  public var workloads: [Workload]
  public var profiles: ProfileCatalogue
  /// In any order.
  public var events: [SimulationEvent]
  public var options: SimulationOptions

  public init(
    plan: Plan, workloads: [Workload], profiles: ProfileCatalogue, events: [SimulationEvent] = [],
    options: SimulationOptions = SimulationOptions()
  ) {
    self.plan = plan
    self.workloads = workloads.sorted { $0.id < $1.id }
    self.profiles = profiles
    self.events = events
    self.options = options
  }
}
