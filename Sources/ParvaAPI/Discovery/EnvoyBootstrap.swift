package import Foundation
import ParvaFormats

/// The configuration of an Envoy that knows nothing but where its controller is.
package struct EnvoyBootstrap: Sendable {
  /// One address of the controller.
  package struct Controller: Hashable, Sendable {
    package var host: String
    package var port: Int
    package var usesTLS: Bool

    package init(host: String, port: Int, usesTLS: Bool) {
      (self.host, self.port, self.usesTLS) = (host, port, usesTLS)
    }
  }

  /// At least one; of several replicas the first is asked, and each other while those before it do not answer.
  package var controllers: [Controller]
  /// PEM of the authorities that the controller's certificate is checked against, as the Envoy finds it.
  package var caFile: String?
  /// The bearer token that the Envoy shows.
  package var token: String?
  package var id: String
  package var listenAddress: String
  package var listenPort: Int
  /// Where the Envoy's own admin interface is, on the loopback address; nil is nowhere.
  package var adminPort: Int?

  package init(
    controllers: [Controller], caFile: String? = nil, token: String? = nil, id: String,
    listenAddress: String = "0.0.0.0", listenPort: Int = DiscoveryRequest.port, adminPort: Int? = nil
  ) {
    precondition(!controllers.isEmpty, "there is a controller to ask")
    self.controllers = controllers
    self.caFile = caFile
    self.token = token
    self.id = id
    self.listenAddress = listenAddress
    self.listenPort = listenPort
    self.adminPort = adminPort
  }

  /// JSON, which Envoy reads from a file whose name ends in `.json`.
  package func data() throws -> Data { try WireWriter.json(value, isForPeople: true) + Data("\n".utf8) }

  private var value: JSONValue {
    var root: [String: JSONValue] = [
      "node": [
        "id": .string(id), "cluster": "parva",
        "metadata": [
          "parva": ["listen_address": .string(listenAddress), "listen_port": .number(Double(listenPort))]
        ],
      ],
      "dynamic_resources": ["lds_config": EnvoyShapes.source, "cds_config": EnvoyShapes.source],
      "static_resources": ["clusters": [.object(cluster)]],
      "stats_config": [
        "histogram_bucket_settings": [
          ["match": ["prefix": "cluster.workload/"], "buckets": .list(Self.buckets.map { .number($0) })]
        ]
      ],
    ]
    if let adminPort {
      root["admin"] = [
        "address": ["socket_address": ["address": "127.0.0.1", "port_value": .number(Double(adminPort))]]
      ]
    }
    return .object(root)
  }

  /// Milliseconds by which requests are counted: a seventh apart at most, with the two digits that Envoy keeps.
  static let buckets: [Double] = (0..<5).flatMap { power -> [Double] in
    let scale = [1.0, 10, 100, 1_000, 10_000][power]
    return [10, 11, 12, 13, 15, 17, 19, 21, 24, 27, 30, 34, 38, 43, 48, 54, 61, 69, 78, 88].map { $0 * scale / 10 }
  }

  private var cluster: [String: JSONValue] {
    var cluster: [String: JSONValue] = [
      "name": .string(EnvoyShapes.controller), "type": "STRICT_DNS", "connect_timeout": "2s",
      "load_assignment": [
        "cluster_name": .string(EnvoyShapes.controller), "endpoints": .list(controllers.indices.map(endpoints)),
      ],
    ]
    if controllers.count > 1 {
      // One failure is enough, since another can be asked; all may be out at once.
      cluster["outlier_detection"] = [
        "consecutive_5xx": 1, "interval": "1s", "base_ejection_time": "5s", "max_ejection_time": "15s",
        "max_ejection_percent": 100,
      ]
      cluster["common_lb_config"] = ["healthy_panic_threshold": ["value": 0]]
      // One that stands still takes connections and answers nothing: what was asked there is asked of another at once.
      cluster["health_checks"] = [
        [
          "timeout": "1s", "interval": "1s", "unhealthy_threshold": 1, "healthy_threshold": 1,
          "http_health_check": ["path": "/healthz"],
        ]
      ]
      cluster["close_connections_on_host_health_failure"] = true
    }
    if controllers.count == 1, controllers[0].usesTLS {
      cluster["transport_socket"] = socket(controllers[0])
    } else if controllers.contains(where: \.usesTLS) {
      cluster["transport_socket_matches"] = .list(
        controllers.indices.filter { controllers[$0].usesTLS }.map { index in
          [
            "name": .string("controller-\(index)"), "match": ["controller": .string(String(index))],
            "transport_socket": socket(controllers[index]),
          ]
        })
    }
    if let token {
      cluster["typed_extension_protocol_options"] = [
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": [
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          "explicit_http_config": ["http_protocol_options": [:]],
          "http_filters": [
            [
              "name": "envoy.filters.http.header_mutation",
              "typed_config": [
                "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                "mutations": [
                  "request_mutations": [
                    [
                      "append": [
                        "header": ["key": "authorization", "value": .string("Bearer \(token)")],
                        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                      ]
                    ]
                  ]
                ],
              ],
            ],
            [
              "name": "envoy.filters.http.upstream_codec",
              "typed_config": [
                "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"
              ],
            ],
          ],
        ]
      ]
    }
    return cluster
  }

  /// Where one of the controllers is: the later it stands, the less it is asked.
  private func endpoints(_ index: Int) -> JSONValue {
    let address: JSONValue = [
      "address": .string(controllers[index].host), "port_value": .number(Double(controllers[index].port)),
    ]
    var endpoint: [String: JSONValue] = ["endpoint": ["address": ["socket_address": address]]]
    if controllers.count > 1 {
      endpoint["metadata"] = [
        "filter_metadata": ["envoy.transport_socket_match": ["controller": .string(String(index))]]
      ]
    }
    var locality: [String: JSONValue] = ["lb_endpoints": [.object(endpoint)]]
    if index > 0 { locality["priority"] = .number(Double(index)) }
    return .object(locality)
  }

  private func socket(_ controller: Controller) -> JSONValue {
    let ca = caFile ?? "/etc/ssl/certs/ca-certificates.crt"
    let kind: JSONValue = ToldEndpointsReader.isIPAddress(controller.host) ? "IP_ADDRESS" : "DNS"
    return [
      "name": "envoy.transport_sockets.tls",
      "typed_config": [
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": .string(controller.host),
        "common_tls_context": [
          "validation_context": [
            "trusted_ca": ["filename": .string(ca)],
            "match_typed_subject_alt_names": [["san_type": kind, "matcher": ["exact": .string(controller.host)]]],
          ]
        ],
      ],
    ]
  }
}
