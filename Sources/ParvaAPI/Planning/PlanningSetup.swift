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
    if fleet.isEmpty, let count = current?.gpus.count {
      // GPUs of nodes that are gone are no one's any more.
      for gpu in 0..<count {
        inForce?.gpus[gpu].node = nil
        inForce?.gpus[gpu].uuid = nil
      }
    }
    var pools = fleet.isEmpty ? pools : fleet.pools
    if pools.isEmpty {
      pools = Array(self.pools.prefix(1))
      pools[0].nodes = []
      pools[0].count = 0
    }
    // A planner that is told of nodes chooses them; where nobody asks it to, the binding chooses better.
    let spreads = demand.registrations.rows.contains { $0.workload.constraints.spread?.over == .node }
    if !fleet.isEmpty && !spreads {
      for index in pools.indices { pools[index].nodes = [] }
    }
    return PlanningInput(
      workloads: demand.registrations.rows.map(\.workload), pools: pools, profiles: profiles(with: demand.profiles),
      options: options, traces: traces, capacities: capacities, current: inForce)
  }

  /// The plan for a demand, bound to the GPUs of the fleet where there is one, with what can stay of the plan in force.
  /// Pure, and as slow as the planner: never called on an event loop.
  package func plan(for demand: Demand, on fleet: FleetInventory, replacing current: Plan?) throws(PlanningFault)
    -> Plan
  {
    let input = input(for: demand, fleet: fleet, current: current)
    let plan = try plan(input)
    guard !fleet.isEmpty else { return plan }
    return PlanBinding.bind(
      plan, to: fleet.usable, previous: current, keepingNodesOf: PlanBinding.fixedGPUs(plan, input.workloads))
  }

  /// Plans and re-judges the plan.
  package func plan(_ input: PlanningInput) throws(PlanningFault) -> Plan {
    let plan = planner.plan(input, .allCores(patience: patience))
    let violations = PlanChecker.violations(of: plan, against: input)
    if let first = violations.first {
      throw PlanningFault(planner: planner.name, first: first, count: violations.count)
    }
    return plan
  }
}

/// A planner gave a plan that the checker refuses; it is a fault of the planner and the plan is not published.
package struct PlanningFault: Error, Sendable, Hashable, CustomStringConvertible {
  package var planner: String
  package var first: PlanViolation
  package var count: Int

  package var description: String {
    "planner \(planner) broke \(count) rule\(count == 1 ? "" : "s"), first \(first.code.rawValue): \(first.message)"
  }
}
