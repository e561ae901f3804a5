import Synchronization

/// Counters of this process, written as Prometheus text.
package final class ControllerMetrics: Sendable {
  private struct State {
    /// In the order of the route table.
    var routes: [RouteCounter] = []
    var planning = Histogram(bounds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10])
    var planningFailures = 0
    /// Planning processes that ended without being told to, by reason.
    var workerEnds: [String: Int] = [:]
  }

  private let state = Mutex(State())

  package init() {}

  /// The counter of one entry of the route table.
  func counter(method: String, route: String) -> RouteCounter {
    state.withLock { state in
      if let known = state.routes.first(where: { $0.method == method && $0.route == route }) { return known }
      state.routes.append(RouteCounter(method: method, route: route))
      return state.routes[state.routes.count - 1]
    }
  }

  func planned(in elapsed: Duration) { state.withLock { $0.planning.add(elapsed.seconds) } }

  func workerEnded(_ end: WorkerEnd) { state.withLock { $0.workerEnds[end.code, default: 0] += 1 } }

  func planningFailed() { state.withLock { $0.planningFailures += 1 } }

  /// The counters, and gauges of the moment.
  func text(
    demand: (revision: Int, workloads: Int, waiting: Int), fleet: FleetCount, board: PlanBoard.View,
    takesWrites: Bool
  ) -> String {
    let state = state.withLock { $0 }
    let routes = state.routes.map { (counter: $0, totals: $0.totals) }
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
      $0.histogram([:], state.planning)
    }
    text.gauge("parva_planning_failures_total", "counter", "Plannings that gave no plan.", state.planningFailures)
    text.family(
      "parva_planner_worker_restarts_total", "counter", "Planning processes that ended without being told to."
    ) { family in
      for reason in WorkerEnd.codes { family.sample(["reason": reason], Double(state.workerEnds[reason] ?? 0)) }
    }
    text.gauge(
      "parva_planning_degraded", "gauge", "1 while the planner fails on the demand and something stands in for it.",
      board.trouble == nil ? 0 : 1)
    text.gauge("parva_store_writable", "gauge", "1 while the store takes writes, else 0.", takesWrites ? 1 : 0)
    text.gauge("parva_demand_revision", "gauge", "Revision of the registered demand.", demand.revision)
    text.gauge("parva_changes_waiting", "gauge", "Changes that wait for the next commit.", demand.waiting)
    text.gauge("parva_workloads", "gauge", "Registered workloads.", demand.workloads)
    text.family("parva_nodes", "gauge", "Registered nodes, by state.") { family in
      for condition in NodeCondition.allCases {
        family.sample(["state": condition.rawValue], Double(fleet.nodes[condition] ?? 0))
      }
    }
    text.gauge(
      "parva_fleet_cut_off", "gauge", "1 while so many nodes are silent that nothing is moved.",
      fleet.isCutOff ? 1 : 0)
    if let plan = board.plan {
      text.gauge("parva_plan_revision", "gauge", "Revision of the current plan.", plan.record.revision)
      text.gauge(
        "parva_plan_demand_revision", "gauge", "Demand revision that the current plan covers.",
        plan.record.demandRevision)
      text.gauge("parva_plan_gpus", "gauge", "GPUs of the current plan.", plan.record.gpuCount)
      text.gauge(
        "parva_plan_unserved_workloads", "gauge", "Workloads that the current plan leaves out.",
        plan.record.unplacedCount)
    }
    return text.text
  }
}

/// Counts of values by upper bound.
struct Histogram: Sendable {
  let bounds: [Double]
  /// One more than the bounds: the last counts what is above them all.
  private(set) var counts: [Int]
  private(set) var sum = 0.0

  init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  mutating func add(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }
}
