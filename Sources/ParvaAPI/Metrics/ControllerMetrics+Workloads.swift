import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaServing
import ParvaWire

/// Workloads and their requests.
extension ControllerMetrics {
  /// Of all workloads together, and by workload of the first in order of id: however many are registered, a scrape stays small.
  func writeWorkloads(_ board: PlanBoard.View, to text: inout MetricsText) {
    text.family("parva_workload_conditions", "gauge", "Registered workloads, by condition and its status.") { family in
      for (type, statuses) in controller.conditions.counted {
        for status in ConditionDocument.Status.allCases {
          family.sample(["type": type, "status": status.rawValue], Double(statuses[status] ?? 0))
        }
      }
    }
    let limit = controller.configuration.measuredWorkloads
    text.single(
      "parva_workload_series_limit", "gauge", "How many workloads have series of their own at most, in order of id.",
      limit)
    let now = controller.configuration.now()
    let measured = controller.registry.snapshot.registrations.rows.prefix(limit).map { registration in
      let status = WorkloadStatus(
        of: registration, on: board, running: controller.nodes.running(registration.id), at: now)
      return (workload: status.rate.map(registration.workload.settled) ?? registration.workload, status: status)
    }
    func each(_ name: String, _ help: String, _ value: (Workload, WorkloadStatus) -> Double?) {
      text.family(name, "gauge", help) { family in
        for (workload, status) in measured {
          if let value = value(workload, status) { family.sample(["workload": workload.id], value) }
        }
      }
    }
    each("parva_workload_declared_requests_per_second", "Rate that a workload declares for now.") { workload, _ in
      workload.rate
    }
    each("parva_workload_planned_requests_per_second", "Capacity that the current plan gives a workload.") {
      $1.capacityPlanned
    }
    each("parva_workload_running_requests_per_second", "Capacity that is known to run of a workload.") { $1.capacityUp }
    each("parva_workload_capacity_ratio", "Capacity that is known to run of a workload, as a share of its rate.") {
      workload, status in status.capacityUp.map { $0 / workload.rate }
    }
    each(
      "parva_workload_promised_ratio", "Share of a workload's requests that is to be answered within its SLO."
    ) { workload, _ in workload.percentile }
    let held = Dictionary(
      board.holds.map { ($0.workload, $0.planned) }, uniquingKeysWith: { first, _ in first })
    each(
      "parva_workload_held_requests_per_second",
      "Rate that a workload is planned for, where that is higher than what it declares."
    ) { workload, _ in held[workload.id] }
    writeObserved(measured.map(\.workload), to: &text)
  }

  /// By workload, where statistics of proxies are read; a workload that nobody has asked for has none.
  private func writeObserved(_ workloads: [Workload], to text: inout MetricsText) {
    let observer = controller.observer
    let table = controller.traffic.view.table
    let sources = observer.isOn ? observer.sources : (all: 0, silent: 0)
    text.single("parva_observed_proxies", "gauge", "Proxies whose statistics are read.", sources.all)
    text.single("parva_observed_proxies_silent", "gauge", "Those of them that did not answer last.", sources.silent)
    let rows =
      observer.isOn
      ? workloads.compactMap { workload in observer.observation(workload.id, table).map { (workload, $0) } } : []
    text.family(
      "parva_observed_requests_per_second", "gauge", "Requests per second of a workload, as proxies count them."
    ) { family in
      for (workload, seen) in rows { family.sample(["workload": workload.id], seen.rate) }
    }
    text.family(
      "parva_observed_within_slo_ratio", "gauge",
      "Share of a workload's requests within its SLO, at least, as proxies count them."
    ) { family in
      for (workload, seen) in rows {
        if let share = seen.share(within: workload.sloLatencyMs) {
          family.sample(["workload": workload.id], share.lowerBound)
        }
      }
    }
    text.family("parva_observed_deviation", "gauge", "1 where a workload's requests do not go as declared, by reason.")
    {
      for (workload, seen) in rows {
        let condition = seen.condition(workload, band: observer.settings.band)
        if condition.status == .isFalse { $0.sample(["reason": condition.reason, "workload": workload.id], 1) }
      }
    }
  }

  func writeTraffic(to text: inout MetricsText) {
    let counts = Dictionary(grouping: controller.traffic.view.table.endpoints, by: \.state).mapValues(\.count)
    text.family("parva_endpoints", "gauge", "Servers of workloads, by state.") { family in
      for state in Endpoint.State.allCases { family.sample(["state": state.rawValue], Double(counts[state] ?? 0)) }
    }
    let proxies = proxies.count(at: controller.configuration.now())
    text.single("parva_proxies", "gauge", "Proxies that ask for endpoints.", proxies.proxies)
    text.single("parva_proxies_refusing", "gauge", "Proxies that refuse what they are sent.", proxies.refusing)
    text.single(
      "parva_proxy_refusals_total", "counter", "Times that a proxy began to refuse what it was sent.",
      proxies.refusals)
  }
}
