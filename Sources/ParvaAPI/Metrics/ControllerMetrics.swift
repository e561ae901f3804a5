import Synchronization

/// Counters of this process, written as Prometheus text.
package final class ControllerMetrics: Sendable {
  private struct RequestKey: Hashable, Comparable {
    var route: String
    var method: String
    var status: Int

    static func < (a: Self, b: Self) -> Bool { (a.route, a.method, a.status) < (b.route, b.method, b.status) }
  }

  private struct State {
    var requests: [RequestKey: Int] = [:]
    var durations: [String: Histogram] = [:]
    var planning = Histogram(bounds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10])
    var planningFailures = 0
  }

  private let state = Mutex(State())

  package init() {}

  func handled(_ method: String, _ route: String, status: Int, in elapsed: Duration) {
    state.withLock { state in
      state.requests[RequestKey(route: route, method: method, status: status), default: 0] += 1
      state.durations[route, default: Histogram(bounds: [0.0001, 0.001, 0.01, 0.1, 1, 10])].add(elapsed.seconds)
    }
  }

  func planned(in elapsed: Duration) { state.withLock { $0.planning.add(elapsed.seconds) } }

  func planningFailed() { state.withLock { $0.planningFailures += 1 } }

  /// The counters, and gauges of the moment.
  func text(demand: (revision: Int, workloads: Int), board: PlanBoard.View) -> String {
    let state = state.withLock { $0 }
    var text = MetricsText()
    text.family("parva_http_requests_total", "counter", "Requests answered, by route and status.") { family in
      for (key, count) in state.requests.sorted(by: { $0.key < $1.key }) {
        family.sample(["method": key.method, "route": key.route, "status": String(key.status)], Double(count))
      }
    }
    text.family("parva_http_request_duration_seconds", "histogram", "Time from a request to its answer.") { family in
      for (route, histogram) in state.durations.sorted(by: { $0.key < $1.key }) {
        family.histogram(["route": route], histogram)
      }
    }
    text.family("parva_planning_duration_seconds", "histogram", "Time from the demand to a stored plan.") {
      $0.histogram([:], state.planning)
    }
    text.gauge("parva_planning_failures_total", "counter", "Plannings that gave no plan.", state.planningFailures)
    text.gauge("parva_demand_revision", "gauge", "Revision of the registered demand.", demand.revision)
    text.gauge("parva_workloads", "gauge", "Registered workloads.", demand.workloads)
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
