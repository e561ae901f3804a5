import ParvaControl
import ParvaEngine
import ParvaWire

/// Writes nodes as clients see them. Secrets are not part of it.
enum NodeRepresentation {
  /// - Parameters:
  ///   - gpus: the node's, as plans may use them.
  ///   - plan: the current one.
  static func resource(
    _ node: NodeRecord, _ gpus: some Sequence<FleetGPU>, _ conditions: [ConditionDocument], _ plan: PublishedPlan?
  ) -> NodeResource {
    NodeResource(
      name: node.name, address: node.address, hasWebhookSecret: node.secret != nil,
      webhookSecretRef: node.secretReference, zone: node.zone, labels: node.labels, revision: node.revision,
      createdAt: Timestamp.text(node.createdAt), updatedAt: Timestamp.text(node.updatedAt),
      status: status(node, Array(gpus), conditions, plan?.assignments))
  }

  private static func status(
    _ node: NodeRecord, _ gpus: [FleetGPU], _ conditions: [ConditionDocument], _ assignments: NodeAssignments?
  )
    -> NodeResource.Status
  {
    let state = node.state
    let entries = Dictionary(gpus.map { ($0.uuid, $0) }, uniquingKeysWith: { first, _ in first })
    let shown = (state?.observed.gpus ?? []).sorted { ($0.index, $0.uuid) < ($1.index, $1.uuid) }
    // What it has verified says what runs; until the controller knows that, nothing does.
    let verified = node.applied.flatMap { $0.version == state?.verified?.version ? $0 : nil }
    return NodeResource.Status(
      state: NodeCondition(of: node).rawValue, lastHeartbeat: node.heardAt.map(Timestamp.text),
      simulated: state?.simulated, driverVersion: state?.observed.driverVersion,
      verifiedRevision: state?.verified?.revision,
      matchesPlan: assignments.map { $0.nodes.contains(node.name) && node.hasVerified($0.gpus[node.name] ?? []) },
      degraded: state?.verified?.degraded, usableGPUs: gpus.count { $0.exclusion == nil },
      gpus: shown.map { gpu($0, entries[$0.uuid], state?.owned ?? [], verified) }, services: state?.services.count ?? 0,
      unhealthyServices: state?.services.count(where: \.isUnhealthy) ?? 0, duty: node.duty.rawValue,
      conditions: conditions, faults: state?.faults)
  }

  private static func gpu(
    _ gpu: ObservedGPU, _ entry: FleetGPU?, _ owned: [OwnedDocument], _ wanted: NodeAssignment?
  ) -> NodeResource.GPU {
    let mode =
      gpu.mig.map { $0.current != $0.pending ? "pending" : $0.current ? "enabled" : "disabled" } ?? "none"
    return NodeResource.GPU(
      index: gpu.index, uuid: gpu.uuid, board: gpu.board, product: entry?.product?.name, pool: entry?.pool,
      memoryMiB: gpu.memoryMiB, memorySlices: entry?.product?.axisLength, migMode: mode,
      usable: entry?.exclusion == nil && entry != nil,
      reason: entry?.exclusion?.rawValue, message: entry?.message,
      instances: gpu.instances.map { instance in
        NodeResource.Instance(
          profile: gpu.profile(id: instance.profileID)?.name ?? String(instance.profileID),
          profileId: instance.profileID, start: instance.start, size: instance.size, uuid: instance.uuid,
          owned: owned.contains { $0.gpu == gpu.uuid && $0.instance == instance.id },
          workload: wanted?.instance(
            gpu: gpu.uuid, place: InstancePlace(profileID: instance.profileID, start: instance.start))?.workload)
      })
  }
}
