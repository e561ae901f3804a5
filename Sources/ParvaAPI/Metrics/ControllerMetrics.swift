import Foundation
import ParvaControl
import ParvaEngine
import ParvaServing
import ParvaWire
import Synchronization

/// What the controller counts and knows at the moment, written as Prometheus text.
final class ControllerMetrics: Sendable {
  private let controller: Controller
  /// In the order of the route table.
  private let routes = Mutex<[RouteCounter]>([])

  private let server: ServerCounters
  private let proxies: ProxyRegistry

  init(_ controller: Controller, server: ServerCounters, proxies: ProxyRegistry) {
    self.controller = controller
    self.server = server
    self.proxies = proxies
  }

  /// The counter of one entry of the route table.
  func counter(method: String, route: String) -> RouteCounter {
    routes.withLock { routes in
      if let known = routes.first(where: { $0.method == method && $0.route == route }) { return known }
      routes.append(RouteCounter(method: method, route: route))
      return routes[routes.count - 1]
    }
  }

  var text: String {
    let planning = controller.counters.totals
    let (board, fleet) = (controller.board.view, controller.nodes.counted)
    let demand = controller.registry.read { (revision: $0.revision, workloads: $0.registrations.count) }
    let routes = self.routes.withLock { $0 }.map { (counter: $0, totals: $0.totals) }
      .sorted { ($0.counter.route, $0.counter.method) < ($1.counter.route, $1.counter.method) }
    var text = MetricsText()
    text.family("parva_http_requests_total", "counter", "Requests answered, by route and status.") { family in
      for (counter, totals) in routes {
        for (status, count) in totals.statuses {
          family.sample(
            ["method": counter.method, "route": counter.route, "status": String(status)], Double(count))
        }
      }
    }
    text.family("parva_http_request_duration_seconds", "histogram", "Time from a request to its answer.") { family in
      for (counter, totals) in routes where !totals.statuses.isEmpty {
        family.histogram(["method": counter.method, "route": counter.route], totals.durations)
      }
    }
    text.family("parva_planning_duration_seconds", "histogram", "Time from the demand to a stored plan.") {
      $0.histogram([:], planning.durations)
    }
    text.single("parva_planning_failures_total", "counter", "Plannings that gave no plan.", planning.failures)
    text.family(
      "parva_planner_worker_restarts_total", "counter", "Planning processes that ended without being told to."
    ) { family in
      for reason in WorkerEnd.codes { family.sample(["reason": reason], Double(planning.workerEnds[reason] ?? 0)) }
    }
    text.single(
      "parva_planning_degraded", "gauge", "1 while the planner fails on the demand and something stands in for it.",
      board.trouble == nil ? 0 : 1)
    text.single(
      "parva_store_writable", "gauge", "1 while the store takes writes, else 0.",
      controller.store.trouble == nil ? 1 : 0)
    text.single("parva_demand_revision", "gauge", "Revision of the registered demand.", demand.revision)
    text.single(
      "parva_changes_waiting", "gauge", "Changes that wait for the next commit.",
      controller.registry.waitingChanges)
    text.single("parva_workloads", "gauge", "Registered workloads.", demand.workloads)
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
    text.family("parva_rollout_parts", "gauge", "Parts of roll-outs that nodes work on, or whose turn has not come.") {
      $0.sample(["state": "running"], Double(operations.running))
      $0.sample(["state": "waiting"], Double(operations.waiting))
    }
    text.single(
      "parva_fleet_cut_off", "gauge", "1 while so many nodes are silent that nothing is moved.",
      fleet.isCutOff ? 1 : 0)
    writeTraffic(to: &text)
    if let plan = board.plan {
      text.single("parva_plan_revision", "gauge", "Revision of the current plan.", plan.record.revision)
      text.single(
        "parva_plan_demand_revision", "gauge", "Demand revision that the current plan covers.",
        plan.record.demandRevision)
      text.single("parva_plan_gpus", "gauge", "GPUs of the current plan.", plan.record.gpuCount)
      text.single(
        "parva_plan_unserved_workloads", "gauge", "Workloads that the current plan leaves out.",
        plan.record.unplacedCount)
    }
    server.write(to: &text)
    return text.text
  }

  /// By workload, where statistics of proxies are read; a workload that nobody has asked for has none.
  private func writeObserved(_ table: EndpointTable, to text: inout MetricsText) {
    let observer = controller.observer
    guard observer.isOn else { return }
    let sources = observer.sources
    text.single("parva_observed_proxies", "gauge", "Proxies whose statistics are read.", sources.all)
    text.single("parva_observed_proxies_silent", "gauge", "Those of them that did not answer last.", sources.silent)
    let rows = controller.registry.snapshot.registrations.rows.compactMap { registration in
      observer.observation(registration.id, table).map { (registration.workload, $0) }
    }
    text.family("parva_observed_rate", "gauge", "Requests per second of a workload, as proxies count them.") { family in
      for (workload, seen) in rows { family.sample(["workload": workload.id], seen.rate) }
    }
    text.family(
      "parva_observed_within_slo", "gauge",
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

  private func writeTraffic(to text: inout MetricsText) {
    let table = controller.traffic.view.table
    writeObserved(table, to: &text)
    let counts = Dictionary(grouping: table.endpoints, by: \.state).mapValues(\.count)
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
