package import ParvaEngine

/// How this controller plans: everything but the demand.
package struct PlanningSetup: Sendable {
  package var planner: any Planner
  package var pools: [Pool]
  /// Profiles from the catalogue or from files; those that clients put come on top.
  package var catalogue: ProfileCatalogue
  package var options: PlanningOptions
  /// Recorded arrivals that workloads may refer to.
  package var traces: [String: ArrivalRecording] = [:]
  /// Lives as long as the controller, so that only what is new about a demand costs time.
  package var capacities = CapacityCache()
  /// How long a planner may look for a better plan once it has one.
  package var patience = Duration.seconds(2)
  /// Where new GPUs and segments go where that costs nothing.
  package var placement = PlacementPolicy.spread

  package init(planner: any Planner, pools: [Pool], catalogue: ProfileCatalogue, options: PlanningOptions) {
    self.planner = planner
    self.pools = pools
    self.catalogue = catalogue
    self.options = options
  }

  /// The catalogue with the demand's own profiles in it.
  package func profiles(with stored: [ProfileKey: StoredProfile]) -> ProfileCatalogue {
    var profiles = catalogue
    for stored in stored.values { profiles.insert(stored.profile) }
    return profiles
  }

  /// What a planner is given for a demand: workloads in order of id, so that the plan depends on the set
  /// alone, and on the plan in force.
  ///
  /// The pools are those of the registered nodes' GPUs; while no node is registered, the configured ones.
  package func input(
    for demand: Demand, fleet: FleetInventory = FleetInventory([]), current: Plan? = nil
  ) -> PlanningInput {
    var inForce = current
    let usable = Set(fleet.usable.map(\.uuid))
    for gpu in inForce?.gpus.indices ?? 0..<0 {
      // GPUs that are gone are no one's any more.
      guard let uuid = inForce?.gpus[gpu].uuid, !usable.contains(uuid) else { continue }
      inForce?.gpus[gpu].node = nil
      inForce?.gpus[gpu].uuid = nil
    }
    var pools = fleet.isEmpty ? pools : fleet.pools
    if pools.isEmpty {
      pools = Array(self.pools.prefix(1))
      pools[0].nodes = []
      pools[0].count = 0
    }
    var workloads = demand.registrations.rows.map(\.workload)
    Self.count(fleet.failures, in: &workloads)
    // A planner that is told of nodes chooses them; where nobody asks it to, the binding chooses better.
    let spreads = workloads.contains { $0.constraints.needsNodes }
    if !fleet.isEmpty && !spreads {
      for index in pools.indices { pools[index].nodes = [] }
    }
    var input = PlanningInput(
      workloads: workloads, pools: pools, profiles: profiles(with: demand.profiles),
      options: options, traces: traces, capacities: capacities, current: inForce)
    input.quotas = demand.gpuQuotas
    input.shares = demand.shares
    return input
  }

  /// Domains that have failed are of those that workloads survive: nobody is refused because what was to be survived has come.
  private static func count(_ failures: (nodes: Int, gpus: Int), in workloads: inout [Workload]) {
    guard failures.gpus > 0 else { return }
    for index in workloads.indices {
      guard let survive = workloads[index].constraints.survive else { continue }
      let left = survive.losses - (survive.over == .node ? failures.nodes : failures.gpus)
      workloads[index].constraints.survive = left > 0 ? Survival(over: survive.over, losses: left) : nil
    }
  }

  /// What is asked of the planner for a demand, with what can stay of the plan in force.
  package func job(for demand: Demand, on fleet: FleetInventory, replacing current: Plan?) -> PlanningJob {
    let cordoned = cordoned(on: fleet, standing: current, for: demand)
    return PlanningJob(
      planner: planner,
      input: input(
        for: cordoned.rest(of: demand), fleet: cordoned.rest(of: fleet), current: cordoned.rest(of: current)),
      patience: patience)
  }

  /// The plan bound to the GPUs of the fleet where there is one, as close to the one in force as can be. A plan that is
  /// the same as the one published before keeps its binding. O(n^3) in small pools: never called on an event loop.
  package func bound(
    _ plan: Plan, of demand: Demand, to fleet: FleetInventory, replacing current: Plan?, published: Plan? = nil
  ) -> Plan {
    guard !fleet.isEmpty else { return plan }
    let cordoned = cordoned(on: fleet, standing: current, for: demand)
    let (rest, inForce) = (cordoned.rest(of: fleet), cordoned.rest(of: current))
    let fixed = PlanBinding.fixedGPUs(plan, demand.registrations.rows.map(\.workload))
    let pooled = placement.pooled(plan, on: rest, keeping: fixed, demand.registrations)
    var bound = PlanBinding.bind(
      pooled, to: rest.usable, previous: inForce, published: cordoned.rest(of: published), keepingNodesOf: fixed,
      placement)
    bound = placement.traded(bound, replacing: inForce, demand.registrations)
    return cordoned.joined(to: bound, of: demand, on: fleet)
  }

  /// What stands on cordoned nodes, judged anew by the demand as it is.
  private func cordoned(on fleet: FleetInventory, standing current: Plan?, for demand: Demand) -> CordonedGPUs {
    CordonedGPUs(on: fleet, standing: current, for: demand) { gpus in
      let names = Set(gpus.lazy.flatMap(\.segments).map(\.workload))
      let input = PlanningInput(
        workloads: names.sorted().compactMap { demand.registrations[$0]?.workload }, pools: fleet.pools,
        profiles: profiles(with: demand.profiles), options: options, traces: traces, capacities: capacities)
      return PlanChecker.admitted(gpus, against: input)
    }
  }
}
