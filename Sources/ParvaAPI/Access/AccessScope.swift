package import ParvaHTTP

/// What a credential allows.
package enum AccessScope: String, Sendable, Comparable, CaseIterable {
  case read
  /// Includes reading.
  case write

  package static func < (a: Self, b: Self) -> Bool { a == .read && b == .write }

  /// What a route asks for; nil for those that anybody may call: whether the process lives, and what it offers.
  package static func needed(for route: Route) -> AccessScope? {
    switch (route.method, route.pattern) {
    case ("GET", "/"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.yaml"): nil
    case ("POST", "/v1/plan/preview"): .read
    // What an Envoy asks changes nothing.
    case ("POST", let pattern) where pattern.hasPrefix("/v3/discovery:"): .read
    case ("GET", _): .read
    default: .write
    }
  }
}
