import Foundation
import ParvaControl
import ParvaServing
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

  private func writeTraffic(to text: inout MetricsText) {
    let table = controller.traffic.view.table
    let counts = Dictionary(grouping: table.endpoints, by: \.state).mapValues(\.count)
    text.family("parva_endpoints", "gauge", "Servers of workloads, by state.") { family in
      for state in Endpoint.State.allCases { family.sample(["state": state.rawValue], Double(counts[state] ?? 0)) }
    }
    let silence = controller.configuration.now().addingTimeInterval(-ProxyRegistry.silence)
    let proxies = proxies.count(since: silence)
    text.single("parva_proxies", "gauge", "Proxies that ask for endpoints.", proxies.proxies)
    text.single("parva_proxies_refusing", "gauge", "Proxies that refuse what they are sent.", proxies.refusing)
    text.single(
      "parva_proxy_refusals_total", "counter", "Times that a proxy began to refuse what it was sent.",
      proxies.refusals)
  }
}
