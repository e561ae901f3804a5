/// What an Envoy asks for, in the order in which it needs them.
///
/// The REST form of xDS, version 3: a DiscoveryRequest as JSON by POST, answered by a DiscoveryResponse.
enum EnvoyType: String, CaseIterable, Sendable {
  case listeners, routes, clusters, endpoints

  var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  var url: String {
    let name =
      switch self {
      case .listeners: "envoy.config.listener.v3.Listener"
      case .routes: "envoy.config.route.v3.RouteConfiguration"
      case .clusters: "envoy.config.cluster.v3.Cluster"
      case .endpoints: "envoy.config.endpoint.v3.ClusterLoadAssignment"
      }
    return "type.googleapis.com/" + name
  }
}
