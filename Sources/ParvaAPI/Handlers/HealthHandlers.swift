import Foundation
package import Logging
import ParvaControl
import ParvaFormats
package import ParvaHTTP

/// `/healthz`, `/readyz`, and what tells a visitor where to go.
package struct HealthHandlers: Sendable {
  let board: PlanBoard
  let store: GuardedStore
  let version: String
  var part = ReplicaPart.alone

  /// Answers while the store is waited for: the process lives, and knows nothing.
  package static func waiting(_ logger: Logger) -> Router {
    let live = Route.Handler.inline { _ in
      HTTPResponse(status: 200, contentType: "application/json", body: healthy)
    }
    return Router(routes: [Route("GET", "/healthz", live)], logger: logger, elsewhere: ReplicaPart.notReady)
  }

  private static let healthy = Data(#"{"status":"ok"}"#.utf8)

  /// The process answers.
  func live(_ request: HTTPRequest) -> HTTPResponse {
    HTTPResponse(status: 200, contentType: "application/json", body: Self.healthy)
  }

  /// The store is read and takes writes, and a plan is there; with what the planner suffers from while something stands
  /// in for it.
  /// Of several replicas it tells which one this is; one that follows is ready while it knows what is stored, and not too old.
  func ready(_ request: HTTPRequest) throws -> HTTPResponse {
    try checkReplica()
    let view = board.view
    guard view.plan != nil else {
      throw ProblemDetails(
        status: 503, code: "not_ready", detail: view.failure ?? "The first plan is still being made.",
        headers: ["Retry-After": "1"])
    }
    guard view.trouble != nil || part.name != nil else {
      return HTTPResponse(status: 200, contentType: "application/json", body: Self.healthy)
    }
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.field("status", view.trouble == nil ? "ok" : "degraded")
      if let role = part.name {
        root.object("replica") { replica in
          replica.field("role", role)
          replica.field("address", part.link?.address)
          replica.field("leader", part.leader?.address)
          replica.field("term", part.term)
          replica.field("stalenessSeconds", part.staleness.map { $0 / .seconds(1) })
        }
      }
      if let trouble = view.trouble {
        root.object("planning") { planning in
          planning.field("code", trouble.code)
          planning.field("message", trouble.message)
          planning.field("demandRevision", trouble.demandRevision)
          planning.field("resort", trouble.resort)
          planning.field("attempts", trouble.attempts)
        }
      }
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: "application/json", body: Data(writer.bytes))
  }

  /// A sentence on what this replica is, to go on with where it is not ready; empty where there is no other.
  private var standing: String {
    guard let role = part.name else { return "" }
    guard let leader = part.leader else { return " It follows, and none leads that it knows of." }
    let term = part.term.map { " in term \($0)" } ?? ""
    if role == "leader" { return " It leads\(term)." }
    if let shared = part.sharedAddress { return " " + shared }
    let age = part.staleness.map { ", and what it knows is \(ReplicaPart.seconds($0)) s old" } ?? ""
    return " It follows \(leader.address), which leads\(term)\(age)."
  }

  private func checkReplica() throws(ProblemDetails) {
    if let trouble = store.trouble ?? part.trouble ?? part.leaderTrouble {
      var problem = ProblemDetails(trouble)
      problem.status = 503
      // What to do is told where it is the shared store that has no room.
      if trouble.code == .full, let shared = part.trouble ?? part.leaderTrouble {
        problem.detail += " " + shared.message
      }
      problem.detail += standing
      throw problem
    }
    guard part.name == "follower" else { return }
    let age = part.staleness
    guard let age, age <= part.mostStaleness else {
      throw ProblemDetails(
        status: 503, code: age == nil ? "copy_not_ready" : "copy_too_old",
        detail: (age.map { "What this replica knows is \(ReplicaPart.seconds($0)) s old" }
          ?? "This replica has not read everything yet that the others have") + "." + standing,
        headers: ["Retry-After": "1"])
    }
    if let shared = part.sharedAddress {
      throw ProblemDetails(status: 503, code: "not_leader", detail: shared, headers: ["Retry-After": "1"])
    }
    guard let heard = part.tally.heardAt?.duration(to: .now), heard > PeerExchange.mostSilence else { return }
    throw ProblemDetails(
      status: 503, code: "endpoints_too_old",
      detail: "The replica that leads\(part.leader.map { ", at \($0.address)," } ?? "") has told this one nothing of "
        + "endpoints for \(ReplicaPart.seconds(heard)) s.", headers: ["Retry-After": "1"])
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
        links.field("replicas", "/v1/replicas")
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
