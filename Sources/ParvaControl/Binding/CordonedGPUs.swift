package import ParvaEngine
import ParvaFormats

/// What stands on cordoned nodes, which a planning leaves as it is: it is taken off the demand, the fleet and the plan in force
/// beforehand, and put to the plan afterwards. Pure.
package struct CordonedGPUs: Sendable {
  /// As they stand, with the load that each segment carries.
  private var gpus: [PlannedGPU] = []
  private var uuids: Set<String> = []
  /// Requests per second that they carry of each workload.
  private var carried: [String: Double] = [:]

  /// - Parameter admitted: what each segment may be given of its capacity as the demand is now, by GPU. What may be given nothing
  ///   does not stay: it is planned anew elsewhere.
  /// - Complexity: O(GPUs + segments) where nodes are cordoned, else O(GPUs).
  package init(
    on fleet: FleetInventory, standing inForce: Plan?, for demand: Demand, admitted: ([PlannedGPU]) -> [[Double]]
  ) {
    let cordoned = Set(fleet.gpus.lazy.filter { $0.isCordoned && $0.exclusion == nil }.map(\.uuid))
    guard !cordoned.isEmpty else { return }
    var capacities: [String: Double] = [:]
    for var gpu in inForce?.gpus ?? [] {
      guard let uuid = gpu.uuid, cordoned.contains(uuid) else { continue }
      // Of what nobody asks for any more, or of another model, nothing stays.
      gpu.segments = gpu.segments.filter { segment in
        segment.capacity > 0 && demand.registrations[segment.workload]?.workload.model == segment.model
      }
      gpus.append(gpu)
      uuids.insert(uuid)
    }
    for (index, capacities) in (gpus.isEmpty ? [] : admitted(gpus)).enumerated() {
      for place in capacities.indices { gpus[index].segments[place].capacity = capacities[place] }
      gpus[index].segments.removeAll { $0.capacity <= 0 }
    }
    for segment in gpus.lazy.flatMap(\.segments) { capacities[segment.workload, default: 0] += segment.capacity }
    for (workload, capacity) in capacities {
      carried[workload] = min(capacity, demand.registrations[workload]?.workload.rate ?? 0)
    }
    for gpu in gpus.indices {
      for index in gpus[gpu].segments.indices {
        let segment = gpus[gpu].segments[index]
        gpus[gpu].segments[index].load =
          segment.capacity * (carried[segment.workload] ?? 0) / (capacities[segment.workload] ?? segment.capacity)
      }
    }
  }

  /// What is left to plan for. O(workloads) where something stands on cordoned nodes.
  package func rest(of demand: Demand) -> Demand {
    guard !carried.isEmpty else { return demand }
    var demand = demand
    // What stands counts, too.
    for gpu in gpus {
      for segment in gpu.segments {
        let name = Namespace.of(segment.workload)
        guard let quota = demand.namespaces[name]?.quota.gpus else { continue }
        demand.namespaces[name]?.quota.gpus = max(0, quota - gpu.product.share(of: segment.profile))
      }
    }
    demand.registrations = RegistrationTable(
      demand.registrations.rows.compactMap { row in
        guard let carried = carried[row.id] else { return row }
        var workload = row.workload
        workload.rate -= carried
        guard workload.rate > row.workload.rate * 1e-9 else { return nil }
        return Registration(workload, revision: row.revision, createdAt: row.createdAt, updatedAt: row.updatedAt)
      })
    return demand
  }

  /// What is left to plan on.
  package func rest(of fleet: FleetInventory) -> FleetInventory { uuids.isEmpty ? fleet : fleet.leaving(out: uuids) }

  package func rest(of plan: Plan?) -> Plan? {
    guard !uuids.isEmpty, var plan else { return plan }
    plan.gpus.removeAll { gpu in gpu.uuid.map(uuids.contains) ?? false }
    return plan
  }

  /// The whole plan: what was planned of the rest, and what stands.
  package func joined(to rest: Plan, of demand: Demand, on fleet: FleetInventory) -> Plan {
    guard !uuids.isEmpty else { return rest }
    var plan = rest
    let standing = gpus.filter { !$0.segments.isEmpty }
    // Both parts number their segments by themselves; what stands keeps its names.
    let names = Set(standing.lazy.flatMap(\.segments).map(\.id))
    var used = names.union(rest.gpus.lazy.flatMap(\.segments).map(\.id))
    for gpu in plan.gpus.indices {
      for index in plan.gpus[gpu].segments.indices where names.contains(plan.gpus[gpu].segments[index].id) {
        while !used.insert(plan.gpus[gpu].segments[index].id).inserted { plan.gpus[gpu].segments[index].ordinal += 1 }
      }
    }
    plan.gpus += standing
    func whole(_ workload: String) -> Double { demand.registrations[workload]?.workload.rate ?? 0 }
    plan.partial = rest.partial.map { service in
      guard let carried = carried[service.workload] else { return service }
      var service = service
      (service.served, service.demanded) = (service.served + carried, whole(service.workload))
      return service
    }
    // What stands serves a part of what found no place.
    for left in rest.unplaced {
      guard let carried = carried[left.workload], carried > 0 else { continue }
      plan.partial.append(
        PartialService(
          workload: left.workload, demanded: whole(left.workload), served: carried, code: left.code,
          message: left.message))
    }
    plan.unplaced.removeAll { (carried[$0.workload] ?? 0) > 0 }
    plan.partial.sort { $0.workload < $1.workload }
    // The proof is about the rest alone.
    plan.certificate = nil
    if plan.status == .optimal { plan.status = .feasible }
    plan.summary = PlanMetrics.summary(
      of: plan.gpus, pools: fleet.pools, profileSource: rest.summary.profileSource)
    return plan
  }
}
