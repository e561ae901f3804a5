package import ParvaHTTP

/// What a credential allows.
package enum AccessScope: String, Sendable, CaseIterable {
  case read
  /// Includes reading.
  case write
  /// What the agent of one node has to say and to ask about that node, and nothing else.
  case node

  /// What a route asks for, ``read`` or ``write``; nil for those that anybody may call: whether the process lives, and
  /// what it offers.
  package static func needed(for route: Route) -> AccessScope? {
    switch (route.method, route.pattern) {
    case ("GET", "/"), ("GET", "/v1"), ("GET", "/dashboard/{version}/{file}"): nil
    case ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.yaml"): nil
    case ("POST", "/v1/plan/preview"): .read
    // What an Envoy asks changes nothing.
    case ("POST", let pattern) where pattern.hasPrefix("/v3/discovery:"): .read
    case ("GET", _): .read
    default: .write
    }
  }

  /// Routes by which an agent speaks for its node.
  private static let agentRoutes: Set<String> = [
    "GET /v1/nodes/{name}", "PUT /v1/nodes/{name}", "POST /v1/nodes/{name}/status",
  ]

  /// Whether a holder of that name may call a route that needs `needed`.
  func allows(_ needed: AccessScope, on route: Route, _ request: HTTPRequest, as holder: String) -> Bool {
    switch self {
    case .write: true
    case .read: needed == .read
    case .node:
      Self.agentRoutes.contains("\(route.method) \(route.pattern)") && request.pathParameters["name"] == holder
    }
  }
}
