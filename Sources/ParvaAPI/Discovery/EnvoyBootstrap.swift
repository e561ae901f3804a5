package import Foundation
import ParvaFormats

/// The configuration of an Envoy that knows nothing but where its controller is.
package struct EnvoyBootstrap: Sendable {
  package var host: String
  package var port: Int
  package var usesTLS: Bool
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
    host: String, port: Int, usesTLS: Bool, caFile: String? = nil, token: String? = nil, id: String,
    listenAddress: String = "0.0.0.0", listenPort: Int = DiscoveryRequest.port, adminPort: Int? = nil
  ) {
    self.host = host
    self.port = port
    self.usesTLS = usesTLS
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
        "cluster_name": .string(EnvoyShapes.controller),
        "endpoints": [
          [
            "lb_endpoints": [
              [
                "endpoint": [
                  "address": [
                    "socket_address": ["address": .string(host), "port_value": .number(Double(port))]
                  ]
                ]
              ]
            ]
          ]
        ],
      ],
    ]
    if usesTLS {
      var common: [String: JSONValue] = [:]
      let ca = caFile ?? "/etc/ssl/certs/ca-certificates.crt"
      let kind: JSONValue = ToldEndpointsReader.isIPAddress(host) ? "IP_ADDRESS" : "DNS"
      common["validation_context"] = [
        "trusted_ca": ["filename": .string(ca)],
        "match_typed_subject_alt_names": [["san_type": kind, "matcher": ["exact": .string(host)]]],
      ]
      cluster["transport_socket"] = [
        "name": "envoy.transport_sockets.tls",
        "typed_config": [
          "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
          "sni": .string(host), "common_tls_context": .object(common),
        ],
      ]
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
}
