import ParvaControl
import ParvaFormats
import ParvaServing
import ParvaWire

/// Nodes, GPUs, and what is on its way to them.
extension ControllerMetrics {
  func writeFleet(to text: inout MetricsText) {
    let fleet = controller.nodes.counted
    text.family("parva_nodes", "gauge", "Registered nodes, by state.") { family in
      for condition in NodeCondition.allCases {
        family.sample(["state": condition.rawValue], Double(fleet.nodes[condition] ?? 0))
      }
    }
    text.family("parva_node_conditions", "gauge", "Registered nodes, by condition and its status.") { family in
      for (type, statuses) in fleet.conditions.sorted(by: { $0.key < $1.key }) {
        for status in ConditionDocument.Status.allCases {
          family.sample(["type": type, "status": status.rawValue], Double(statuses[status] ?? 0))
        }
      }
    }
    text.family(
      "parva_nodes_lag", "gauge",
      "Nodes of the current plan, by how many revisions what they have verified is behind it; 0 has what it wants."
    ) { family in
      let lags = Dictionary(
        fleet.lag.map { lag, count in (lag.map { $0 > 9 ? "10+" : String($0) } ?? "never", count) }, uniquingKeysWith: +
      )
      for (lag, count) in lags.sorted(by: { $0.key < $1.key }) { family.sample(["revisions": lag], Double(count)) }
    }
    text.single(
      "parva_fleet_cut_off", "gauge", "1 while so many nodes are silent that nothing is moved.",
      fleet.isCutOff ? 1 : 0)
    writeGPUs(GPUCount(controller.nodes.inventory), to: &text)
  }

  private func writeGPUs(_ count: GPUCount, to text: inout MetricsText) {
    let products = count.gpus.sorted { $0.key < $1.key }
    text.family(
      "parva_gpus", "gauge",
      "GPUs that nodes report, by product and state; the state is why plans leave one out, where they do."
    ) { family in
      for (product, states) in products {
        for state in GPUCount.states {
          family.sample(["product": product, "state": state], Double(states[state] ?? 0))
        }
      }
    }
    text.family(
      "parva_gpu_slices", "gauge",
      "Compute slices of GPUs that plans may use: allocated to instances, left beside them, or on GPUs without any."
    ) { family in
      for (product, slices) in count.slices.sorted(by: { $0.key < $1.key }) {
        family.sample(["product": product, "state": "allocated"], Double(slices.allocated))
        family.sample(["product": product, "state": "stranded"], Double(slices.stranded))
        family.sample(["product": product, "state": "free"], Double(slices.free))
      }
    }
  }

  func writePushes(to text: inout MetricsText) {
    let operations = controller.pusher.counted
    text.family("parva_operations", "gauge", "Operations that are not over, by status.") { family in
      for status in FleetOperationDocument.Status.allCases where !status.isOver {
        family.sample(["status": status.rawValue], Double(operations.open[status] ?? 0))
      }
    }
    text.family("parva_operations_ended_total", "counter", "Operations that have ended, by status.") { family in
      for status in FleetOperationDocument.Status.allCases where status.isOver {
        family.sample(["status": status.rawValue], Double(operations.ended[status] ?? 0))
      }
    }
    text.family(
      "parva_operation_duration_seconds", "histogram", "Time from the beginning of an operation to its end."
    ) { $0.histogram([:], operations.durations) }
    text.single(
      "parva_schedule_lead_seconds", "gauge", "How long plans are ahead of rates that go by schedules.",
      controller.scheduleLead.seconds)
    text.family("parva_rollout_parts", "gauge", "Parts of roll-outs that nodes work on, or whose turn has not come.") {
      $0.sample(["state": "running"], Double(operations.running))
      $0.sample(["state": "waiting"], Double(operations.waiting))
    }
    text.single(
      "parva_rollout_shortfalls", "gauge",
      "Workloads that fall below what they are to keep on the way of the operations that are not over.",
      operations.shortfalls)
    text.family(
      "parva_auto_apply_state", "gauge",
      "1 for what automatic applies do or wait for; no series is 1 where there are none."
    ) { family in
      let now = controller.pusher.autoApply?.state
      for state in AutoApply.states { family.sample(["state": state], state == now ? 1 : 0) }
    }
    text.single(
      "parva_window_open", "gauge", "1 where windows let plans be brought to nodes by themselves now, else 0.",
      controller.windows.verdict.isOpen ? 1 : 0)
    text.single(
      "parva_lost_capacity_workloads", "gauge",
      "Workloads that were served in full as they are declared, and are not any more.",
      controller.conditions.lostCapacity)
  }
}
