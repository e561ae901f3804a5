import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP

/// `/healthz`, `/readyz`, and what tells a visitor where to go.
struct HealthHandlers: Sendable {
  let board: PlanBoard
  let store: GuardedStore
  let version: String

  private static let healthy = Data(#"{"status":"ok"}"#.utf8)

  /// The process answers.
  func live(_ request: HTTPRequest) -> HTTPResponse {
    HTTPResponse(status: 200, contentType: "application/json", body: Self.healthy)
  }

  /// The store is read and takes writes, and a plan is there; with what the planner suffers from while something stands
  /// in for it.
  func ready(_ request: HTTPRequest) throws -> HTTPResponse {
    let view = board.view
    guard view.plan != nil else {
      throw ProblemDetails(
        status: 503, code: "not_ready", detail: view.failure ?? "The first plan is still being made.",
        headers: ["Retry-After": "1"])
    }
    if let trouble = store.trouble {
      var problem = ProblemDetails(trouble)
      problem.status = 503
      throw problem
    }
    guard let trouble = view.trouble else {
      return HTTPResponse(status: 200, contentType: "application/json", body: Self.healthy)
    }
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.field("status", "degraded")
      root.object("planning") { planning in
        planning.field("code", trouble.code)
        planning.field("message", trouble.message)
        planning.field("demandRevision", trouble.demandRevision)
        planning.field("resort", trouble.resort)
        planning.field("attempts", trouble.attempts)
      }
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: "application/json", body: Data(writer.bytes))
  }

  /// `/v1`: the index for who asks for it alone.
  func entry(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    return index(request)
  }

  @Sendable func index(_ request: HTTPRequest) -> HTTPResponse {
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.field("name", "parva")
      root.field("version", version)
      root.object("links") { links in
        links.field("index", "/v1")
        links.field("workloads", "/v1/workloads")
        links.field("workloadBatch", "/v1/workloads/batch")
        links.field("profiles", "/v1/profiles")
        links.field("plan", "/v1/plan")
        links.field("planEvents", "/v1/plan/events")
        links.field("planPreview", "/v1/plan/preview")
        links.field("planApply", "/v1/plan/apply")
        links.field("planPin", "/v1/plan/pin")
        links.field("plans", "/v1/plans")
        links.field("windows", "/v1/windows")
        links.field("nodes", "/v1/nodes")
        links.field("fleet", "/v1/fleet")
        links.field("acceptSilence", "/v1/fleet/accept-silence")
        links.field("operations", "/v1/operations")
        links.field("events", "/v1/events")
        links.field("endpoints", "/v1/endpoints")
        links.field("endpointEvents", "/v1/endpoints/events")
        links.field("proxies", "/v1/proxies")
        links.field("prometheusTargets", "/v1/prometheus-targets")
        links.field("envoyListeners", "/v3/discovery:listeners")
        links.field("envoyRoutes", "/v3/discovery:routes")
        links.field("envoyClusters", "/v3/discovery:clusters")
        links.field("envoyEndpoints", "/v3/discovery:endpoints")
        links.field("namespaces", "/v1/namespaces")
        links.field("webhooks", "/v1/webhooks")
        links.field("tokens", "/v1/tokens")
        links.field("audit", "/v1/audit")
        links.field("whoami", "/v1/whoami")
        links.field("openapi", "/openapi.yaml")
        links.field("openapiJSON", "/openapi.json")
        links.field("docs", "/docs")
        links.field("health", "/healthz")
        links.field("readiness", "/readyz")
        links.field("metrics", "/metrics")
      }
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: "application/json", body: Data(writer.bytes))
  }
}
