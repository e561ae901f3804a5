import ParvaControl
package import ParvaFormats

/// The resources that an Envoy gets, as JSON of Envoy's version 3 API.
package enum EnvoyShapes {
  /// Name of the static cluster that is the controller itself.
  package static let controller = "parva"
  static let routeName = "parva"
  static let header = "x-parva-workload"

  static func clusterName(_ workload: String) -> String { "workload/\(workload)" }

  /// Where everything else is read: this controller, which may hold its answer until there is another, again a second after it.
  package static let source: JSONValue = [
    "resource_api_version": "V3",
    "api_config_source": [
      "api_type": "REST", "transport_api_version": "V3", "cluster_names": [.string(controller)], "refresh_delay": "1s",
      "request_timeout": "10s",
    ],
  ]

  // MARK: - Listener and routes

  static func listener(_ address: String, _ port: Int) -> JSONValue {
    [
      "name": "parva",
      "address": ["socket_address": ["address": .string(address), "port_value": .number(Double(port))]],
      "filter_chains": [
        [
          "filters": [
            [
              "name": "envoy.filters.network.http_connection_manager",
              "typed_config": [
                "@type":
                  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "parva",
                // `/w/a/../b` is `/w/b` for everybody.
                "normalize_path": true, "merge_slashes": true,
                "rds": ["route_config_name": .string(routeName), "config_source": source],
                "http_filters": [
                  [
                    "name": "envoy.filters.http.router",
                    "typed_config": [
                      "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                    ],
                  ]
                ],
              ],
            ]
          ]
        ]
      ],
    ]
  }

  /// Two ways to each workload: the header, and the path below `/w/ID`, which the server does not see.
  static func routes(_ workloads: [String]) -> JSONValue {
    var routes: [JSONValue] = []
    for workload in workloads {
      let action = action(workload)
      routes.append([
        "match": [
          "prefix": "/",
          "headers": [["name": .string(header), "string_match": ["exact": .string(workload)]]],
        ],
        "route": .object(action),
      ])
      var rewriting = action
      rewriting["prefix_rewrite"] = "/"
      routes.append(["match": ["prefix": .string("/w/\(workload)/")], "route": .object(rewriting)])
      routes.append(["match": ["path": .string("/w/\(workload)")], "route": .object(rewriting)])
    }
    return [
      "@type": .string(EnvoyType.routes.url), "name": .string(routeName),
      "virtual_hosts": [["name": "parva", "domains": ["*"], "routes": .list(routes)]],
      // A workload's cluster may come a moment after its route.
      "validate_clusters": false,
    ]
  }

  /// Retried is only what no server has begun: a connection that could not be made, a stream that was refused, or one that
  /// was reset before the request was sent. An inference that a server may have begun is not done twice.
  private static func action(_ workload: String) -> [String: JSONValue] {
    [
      "cluster": .string(clusterName(workload)),
      // Long answers are no faults; a client that waits for less says so.
      "timeout": "300s",
      "retry_policy": [
        "retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 3,
        "retry_back_off": ["base_interval": "0.005s", "max_interval": "0.05s"],
        // Of two servers one may have nearly all of the weight; who picks by weight needs many tries to find the other.
        "host_selection_retry_max_attempts": 1_000,
        "retry_host_predicate": [
          [
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": [
              "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            ],
          ]
        ],
      ],
    ]
  }

  // MARK: - Clusters and endpoints

  /// Where every address is a number, endpoints come by themselves; host names need Envoy's own resolver, which takes them
  /// with the cluster only.
  static func cluster(_ workload: String, _ endpoints: ArraySlice<Endpoint>) -> JSONValue {
    let needsNames = endpoints.contains { !ToldEndpointsReader.isIPAddress($0.address) }
    var cluster: [String: JSONValue] = [
      "@type": .string(EnvoyType.clusters.url), "name": .string(clusterName(workload)),
      "connect_timeout": "1s",
      // In proportion to the planned loads: what is certified of a segment holds for its own share.
      "lb_policy": "ROUND_ROBIN",
      // With few servers that are well, those that are not must not be asked in their stead.
      "common_lb_config": ["healthy_panic_threshold": ["value": 0]],
      // The plan bounds the load; a queue in front of it must not refuse what the plan would carry.
      "circuit_breakers": [
        "thresholds": [
          [
            "max_connections": 65_536, "max_pending_requests": 65_536, "max_requests": 65_536, "max_retries": 1_024,
          ]
        ]
      ],
      "outlier_detection": outliers,
      // How many requests each server gets, so that they can be told by segment.
      "track_cluster_stats": ["per_endpoint_stats": true],
    ]
    // A dot would end the name there, and a colon become another mark.
    if workload.contains(where: { $0 == "." || $0 == ":" }) {
      cluster["alt_stat_name"] = .string(
        clusterName(workload.replacing(".", with: "~").replacing(":", with: "!")))
    }
    if needsNames {
      cluster["type"] = "STRICT_DNS"
      cluster["load_assignment"] = .object(assignment(workload, endpoints))
    } else {
      cluster["type"] = "EDS"
      cluster["eds_cluster_config"] = ["eds_config": source]
    }
    return .object(cluster)
  }

  /// A server that cannot be reached is left out before its node has said so. What a server answers is its own matter: a
  /// model's errors take nobody out.
  private static let outliers: JSONValue = [
    "split_external_local_origin_errors": true, "consecutive_local_origin_failure": 2,
    "enforcing_consecutive_local_origin_failure": 100, "enforcing_local_origin_success_rate": 0,
    "enforcing_consecutive_5xx": 0, "enforcing_consecutive_gateway_failure": 0, "enforcing_success_rate": 0,
    "interval": "1s", "base_ejection_time": "2s", "max_ejection_time": "30s", "max_ejection_percent": 50,
  ]

  static func endpoints(_ workload: String, _ endpoints: ArraySlice<Endpoint>) -> JSONValue {
    var resource = assignment(workload, endpoints)
    resource["@type"] = .string(EnvoyType.endpoints.url)
    return .object(resource)
  }

  /// By zone; a server without a port cannot be asked.
  private static func assignment(_ workload: String, _ endpoints: ArraySlice<Endpoint>) -> [String: JSONValue] {
    let reachable = endpoints.filter { $0.port != nil }
    let zones = Set(reachable.map { $0.zone ?? "" }).sorted()
    let localities = zones.map { zone -> JSONValue in
      var locality: [String: JSONValue] = [
        "lb_endpoints": .list(reachable.filter { ($0.zone ?? "") == zone }.map(endpoint))
      ]
      if !zone.isEmpty { locality["locality"] = ["zone": .string(zone)] }
      return .object(locality)
    }
    return ["cluster_name": .string(clusterName(workload)), "endpoints": .list(localities)]
  }

  private static func endpoint(_ endpoint: Endpoint) -> JSONValue {
    let health: JSONValue =
      switch endpoint.state {
      case .ready: "HEALTHY"
      case .draining: "DRAINING"
      case .starting, .gone: "UNHEALTHY"
      }
    return [
      "endpoint": [
        "address": [
          "socket_address": [
            "address": .string(endpoint.address), "port_value": .number(Double(endpoint.port ?? 0)),
          ]
        ]
      ],
      "health_status": health, "load_balancing_weight": .number(Double(endpoint.weight)),
    ]
  }
}
