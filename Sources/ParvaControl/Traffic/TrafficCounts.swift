package import Foundation
package import ParvaFormats

/// What proxies have counted of one workload's requests: since they started, or in a stretch of time.
package struct TrafficCounts: Hashable, Sendable {
  /// Requests that are over.
  package var requests = 0.0
  /// Those of them that were answered 5xx.
  package var failed = 0.0
  /// How many took at most so many milliseconds, by the bound.
  package var within: [Double: Double] = [:]
  /// By address and port.
  package var servers: [String: Double] = [:]

  package init() {}

  package mutating func add(_ other: Self) {
    requests += other.requests
    failed += other.failed
    within.merge(other.within, uniquingKeysWith: +)
    servers.merge(other.servers, uniquingKeysWith: +)
  }

  /// What was counted since `before`; counters that have begun anew count from their beginning.
  package func since(_ before: Self) -> Self {
    let isNew =
      requests < before.requests || failed < before.failed
      || before.within.contains { within[$0.key, default: 0] < $0.value }
    var change = self
    if !isNew {
      change.requests -= before.requests
      change.failed -= before.failed
      for (bound, count) in before.within { change.within[bound]? -= count }
    }
    // Those of a server go with it, and begin anew when it comes back.
    for (server, count) in before.servers where (servers[server] ?? 0) >= count { change.servers[server]? -= count }
    return change
  }
}

/// The statistics of an Envoy that reads its configuration from a controller.
package enum EnvoyStatistics {
  /// Path and query below its admin address: what is counted of workloads, and nothing else.
  package static let path = "/stats/prometheus?usedonly&filter=cluster%5C.workload%2F"

  private static let completed = "envoy_cluster_upstream_rq_completed"
  private static let classes = "envoy_cluster_upstream_rq_xx"
  private static let times = "envoy_cluster_upstream_rq_time_bucket"
  private static let servers = "envoy_cluster_endpoint_rq_total"
  /// Workloads that are counted of one Envoy, and bounds and servers of each; more is let be.
  static let mostWorkloads = 250_000
  static let mostBounds = 1_000
  static let mostServers = 10_000

  /// By workload. What is no sample is refused, and what is no number of requests let be.
  package static func read(_ text: Data) throws(InputErrors) -> [String: TrafficCounts] {
    var counts: [String: TrafficCounts] = [:]
    try PrometheusText.read(text, wanted: [completed, classes, times, servers]) { sample in
      guard sample.value.isFinite, sample.value >= 0, let id = workload(sample.labels["envoy_cluster_name"]),
        counts[id] != nil || counts.count < mostWorkloads
      else { return }
      var one = counts[id] ?? TrafficCounts()
      switch sample.name {
      case completed: one.requests = sample.value
      case classes:
        guard sample.labels["envoy_response_code_class"] == "5" else { return }
        one.failed = sample.value
      case times:
        guard let bound = sample.labels["le"].flatMap(Double.init), bound.isFinite, bound > 0,
          one.within.count < mostBounds
        else { return }
        // Bounds are told with the digits of their binary form.
        one.within[(bound * 1000).rounded() / 1000] = sample.value
      default:
        guard let server = sample.labels["envoy_endpoint_address"], one.servers.count < mostServers else { return }
        one.servers[server] = sample.value
      }
      counts[id] = one
    }
    return counts
  }

  /// Dots end a name in Envoy's statistics, so clusters have other marks in their place there (`EnvoyShapes`).
  private static func workload(_ cluster: String?) -> String? {
    guard let cluster, cluster.hasPrefix("workload/") else { return nil }
    return String(cluster.dropFirst("workload/".count)).replacing("~", with: ".").replacing("!", with: ":")
  }
}
