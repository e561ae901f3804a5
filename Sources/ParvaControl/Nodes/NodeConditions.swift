package import ParvaWire

/// What the current plan wants of the nodes, as far as their conditions go by it.
package struct PlannedNodes: Hashable, Sendable {
  package var revision: Int
  /// By name; who is told and not listed is to hold nothing.
  package var wanted: [String: [WantedGPU]]
  /// Nodes that the plan speaks of.
  package var told: Set<String>

  package init(revision: Int, wanted: [String: [WantedGPU]], told: Set<String>) {
    (self.revision, self.wanted, self.told) = (revision, wanted, told)
  }
}

/// The conditions of a node: what differs from what is wanted, each class of it under a reason of its own. Pure and by level:
/// the same record gives the same conditions, whatever was before.
extension NodeRecord {
  /// - Parameters:
  ///   - usable: GPUs that plans may use.
  ///   - plan: nil while no plan is bound to nodes.
  /// - Complexity: O(GPUs x instances + services).
  func conditions(usable: Int, plan: PlannedNodes?) -> [Condition] {
    let parts = [reachable, gpusHealthy, servicesHealthy]
    let worst = parts.first { $0.status != .isTrue }
    let ready = Condition(
      "Ready", worst?.status ?? .isTrue, worst?.reason ?? "healthy",
      worst?.message ?? "it is heard, and its GPUs and services are well")
    return [ready] + parts + [matches(plan), schedulable(usable)]
  }

  /// What says nothing while the node is not heard; nil while it is.
  private func unknown(_ type: String) -> Condition? {
    if state == nil { return Condition(type, .unknown, "never_heard", "the node has not been heard yet") }
    if isUnreachable { return Condition(type, .unknown, "node_unreachable", "what it said last may not hold any more") }
    return nil
  }

  private var reachable: Condition {
    let type = "Reachable"
    if state == nil { return Condition(type, .unknown, "never_heard", "the node has not been heard yet") }
    if isLost {
      return Condition(type, .isFalse, "grace_over", "silent for longer than the grace: plans go on without it")
    }
    if isUnreachable {
      return Condition(type, .isFalse, "heartbeats_missed", "silent, and within the grace: what is planned there stays")
    }
    return Condition(type, .isTrue, "heard", "its heartbeats come")
  }

  private var gpusHealthy: Condition {
    let type = "GPUsHealthy"
    if let unknown = unknown(type) { return unknown }
    guard let settled else { return Condition(type, .unknown, "never_heard", "the node has not been heard yet") }
    let gpus = settled.observed.gpus.sorted { ($0.index, $0.uuid) < ($1.index, $1.uuid) }
    if let gpu = gpus.first(where: { $0.fault != nil }) {
      return Condition(
        type, .isFalse, "gpu_faulty", "GPU \(gpu.index) (\(gpu.uuid)) does not answer: \(gpu.fault ?? "")")
    }
    let shown = Set(gpus.map(\.uuid))
    let missing = (settled.lost ?? []).map(\.gpu) + (knowsItsState ? applied?.gpus.map(\.uuid) ?? [] : [])
    if let uuid = missing.first(where: { !shown.contains($0) }) {
      return Condition(type, .isFalse, "gpu_missing", "GPU \(uuid), on which something is to stand, is not there")
    }
    for gpu in gpus {
      let ours = Set(settled.owned.lazy.filter { $0.gpu == gpu.uuid }.map(\.instance))
      let foreign = gpu.instances.count { !ours.contains($0.id) }
      if foreign > 0 {
        return Condition(
          type, .isFalse, "foreign_instances", "GPU \(gpu.index) (\(gpu.uuid)) has \(foreign) that Parva did not make")
      }
    }
    return Condition(type, .isTrue, "all_answer", "all GPUs answer, with nothing foreign on them")
  }

  private var servicesHealthy: Condition {
    let type = "ServicesHealthy"
    if let unknown = unknown(type) { return unknown }
    let ill = (state?.services ?? []).filter(\.isUnhealthy)
    // The daemon first: its servers go with it.
    if let service = ill.first(where: { $0.kind == "mps" }) ?? ill.first {
      let kind = service.kind == "mps" ? "mps" : "server"
      let isComing = service.status == "starting"
      let place = "profile \(service.profileId) at \(service.start) of GPU \(service.gpu)"
      return Condition(
        type, .isFalse, isComing ? "\(kind)_starting" : "\(kind)_down",
        "\(kind == "mps" ? "the MPS daemon" : "a server of \(service.workload ?? "-")") on \(place) is \(service.status)"
          + (service.message.map { ": \($0)" } ?? ""))
    }
    if let (uuid, instance) = standing(where: { !serves($0, on: $1) && shows($0, on: $1) }) {
      return Condition(
        type, .isFalse, "server_missing",
        "\(instance.workload ?? "-") has fewer servers than it is to have at \(instance.place) of GPU \(uuid)")
    }
    return Condition(type, .isTrue, "all_healthy", "nothing that is to run there is down")
  }

  private func matches(_ plan: PlannedNodes?) -> Condition {
    let type = "MatchesPlan"
    if let unknown = unknown(type) { return unknown }
    guard let plan else { return Condition(type, .unknown, "no_plan", "no plan is bound to nodes") }
    guard plan.told.contains(name) else {
      return Condition(type, .unknown, "not_in_plan", "the current plan was made without it; the next one includes it")
    }
    if hasVerified(plan.wanted[name] ?? []) {
      if let (uuid, instance) = standing(where: { !shows($0, on: $1) }) {
        return Condition(
          type, .isFalse, "instance_gone",
          "the instance of \(instance.workload ?? "-") at \(instance.place) of GPU \(uuid) is gone")
      }
      return Condition(type, .isTrue, "verified", "it has read back what plan revision \(plan.revision) wants of it")
    }
    if expected != nil || sent != nil || state?.operation != nil {
      return Condition(type, .isFalse, "under_way", "the node is being brought to another state")
    }
    guard let verified = state?.verified else {
      return applied == nil
        ? Condition(type, .isFalse, "never_applied", "nothing was applied to it yet")
        : Condition(type, .isFalse, "records_gone", "the node knows nothing of what was applied to it: it was wiped")
    }
    if let degraded = verified.degraded { return Condition(type, .isFalse, "degraded", degraded) }
    if verified.version != applied?.version {
      return Condition(type, .isFalse, "other_revision", "the node has verified revision \(verified.version)")
    }
    return Condition(type, .isFalse, "not_applied", "plan revision \(plan.revision) wants something else of it")
  }

  private func schedulable(_ usable: Int) -> Condition {
    let type = "Schedulable"
    switch NodeCondition(of: self) {
    case .pending: return Condition(type, .isFalse, "node_pending", "the node has not been heard yet")
    case .draining: return Condition(type, .isFalse, "node_draining", "it is being removed")
    case .lost: return Condition(type, .isFalse, "node_lost", "plans go on without it")
    case .unreachable:
      return Condition(type, .isFalse, "node_unreachable", "nothing new goes there while another GPU has room")
    case .maintenance:
      return Condition(type, .isFalse, "node_maintenance", "plans leave it out until it is returned")
    case .cordoned:
      return Condition(type, .isFalse, "node_cordoned", "what stands there stays, and nothing new is to come")
    case .ready: break
    }
    return usable > 0
      ? Condition(type, .isTrue, "usable", "plans may use \(usable) of its GPUs")
      : Condition(type, .isFalse, "no_usable_gpu", "plans may use none of its GPUs; each says why")
  }

  /// The first instance of those that stand by the node's own word of which this is so, with its GPU; none while the node
  /// works on something or has not said yet what stands.
  private func standing(
    where isSo: (WantedInstance, String) -> Bool
  ) -> (uuid: String, instance: WantedInstance)? {
    guard let applied, knowsItsState, !isWordDue, state?.operation == nil else { return nil }
    for gpu in applied.gpus {
      for instance in gpu.instances where isSo(instance, gpu.uuid) { return (gpu.uuid, instance) }
    }
    return nil
  }

  private func shows(_ instance: WantedInstance, on uuid: String) -> Bool {
    state?.shows(uuid, instance.place) ?? false
  }

  private func serves(_ instance: WantedInstance, on uuid: String) -> Bool { state?.serves(uuid, instance) ?? false }
}
