import Foundation
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import Testing

/// Every route with what it is for who is bound to one namespace: a route that is added stands here, too, or these tests fail.
@Suite struct NamespaceRoutesTests {
  private enum Tenancy: String { case none, own, any }

  private static let table: [Tenancy: Set<String>] = [
    .any: [
      "GET /", "GET /v1", "GET /dashboard/{version}/{file}", "GET /healthz", "GET /readyz", "GET /openapi.yaml",
      "GET /openapi.json", "GET /docs", "GET /v1/whoami",
    ],
    .own: [
      "GET /v1/workloads", "POST /v1/workloads", "PUT /v1/workloads", "PATCH /v1/workloads",
      "POST /v1/workloads/batch", "GET /v1/workloads/{id}", "PUT /v1/workloads/{id}", "PATCH /v1/workloads/{id}",
      "DELETE /v1/workloads/{id}", "GET /v1/workloads/{id}/segments", "GET /v1/workloads/{id}/history",
      "GET /v1/workloads/{id}/endpoints",
      "GET /v1/profiles", "GET /v1/profiles/{model}", "PUT /v1/profiles/{model}", "DELETE /v1/profiles/{model}",
      "GET /v1/plan", "GET /v1/plan/events", "GET /v1/endpoints", "GET /v1/endpoints/events",
      "PUT /v1/segments/{id}/endpoints", "GET /v1/namespaces", "GET /v1/namespaces/{name}", "POST /v1/plan/preview",
      "GET /v1/events", "GET /v1/webhooks", "POST /v1/webhooks", "GET /v1/webhooks/{id}", "PUT /v1/webhooks/{id}",
      "PATCH /v1/webhooks/{id}", "DELETE /v1/webhooks/{id}", "GET /v1/webhooks/{id}/deliveries",
      "GET /v1/webhooks/{id}/dead-letters", "POST /v1/webhooks/{id}/replay", "POST /v1/webhooks/{id}/rotate-secret",
      "POST /v1/webhooks/{id}/test",
    ],
    .none: [
      "GET /metrics", "GET /v1/plan/pin", "POST /v1/plan/pin", "DELETE /v1/plan/pin",
      "POST /v1/plans/{revision}/rollback", "POST /v1/plan/apply", "GET /v1/plans", "GET /v1/plans/{revision}",
      "GET /v1/plans/{a}/diff/{b}", "GET /v1/operations", "GET /v1/operations/{id}", "POST /v1/operations/{id}/pause",
      "POST /v1/operations/{id}/resume", "POST /v1/operations/{id}/abort", "POST /v1/operations/{id}/rollback",
      "GET /v1/nodes", "GET /v1/nodes/{name}", "PUT /v1/nodes/{name}", "DELETE /v1/nodes/{name}",
      "POST /v1/nodes/{name}/cordon", "POST /v1/nodes/{name}/uncordon", "POST /v1/nodes/{name}/maintenance",
      "POST /v1/nodes/{name}/return", "POST /v1/nodes/{name}/status", "GET /v1/fleet",
      "POST /v1/fleet/accept-silence", "GET /v1/replicas", "GET /v1/proxies",
      "GET /v1/prometheus-targets",
      "POST /v3/discovery:listeners", "POST /v3/discovery:routes", "POST /v3/discovery:clusters",
      "POST /v3/discovery:endpoints", "POST /v1/namespaces", "PUT /v1/namespaces/{name}",
      "DELETE /v1/namespaces/{name}", "GET /v1/tokens", "POST /v1/tokens", "GET /v1/tokens/{id}",
      "DELETE /v1/tokens/{id}", "GET /v1/audit", "GET /v1/windows", "GET /v1/windows/{name}",
      "PUT /v1/windows/{name}", "DELETE /v1/windows/{name}",
    ],
  ]

  private static let secret = "tenant-0123456789abcdefghijklmn"

  @Test("each route is for a namespace's token what the table says, and openapi.yaml says the same")
  func everyRoute() async throws {
    let api = try await Harness(starts: false)
    let routes = RouteTable(api.controller).routes
    #expect(
      routes.map { "\($0.method) \($0.pattern)" }.sorted() == Self.table.values.flatMap { $0 }.sorted())
    let access = AccessControl(file: try AccessTokens("operator ci \(Self.secret) vision"))
    let described = try APIDescription.own.get().operations
    for route in routes {
      let key = "\(route.method) \(route.pattern)"
      let tenancy = try #require(Self.table.first { $0.value.contains(key) }?.key, "\(key)")
      var request = HTTPRequest(method: route.method, path: route.pattern)
      request.headers["Authorization"] = "Bearer \(Self.secret)"
      request.pathParameters = ["name": "vision", "id": "web", "model": "resnet50"]
      var problem: ProblemDetails?
      do throws(ProblemDetails) { try access.gate(&request, route) } catch { problem = error }
      #expect(problem?.code == (tenancy == .none ? "namespace_insufficient" : nil), "\(key)")
      // Not that it is about more than one: it may be about its own, as DELETE /v1/namespaces/vision is.
      #expect(problem?.detail.hasSuffix("this takes a credential that is for the whole fleet.") ?? true, "\(key)")
      #expect(problem?.status == (tenancy == .none ? 403 : nil), "\(key)")
      #expect((described[key] ?? .null)["x-namespace"].text == (tenancy == .none ? nil : tenancy.rawValue), "\(key)")
    }
  }

  @Test(
    "a line of the token file and a certificate name a namespace; roles above it cannot be bound",
    arguments: [
      "admin ci TOKEN vision", "node ci TOKEN vision", "operator ci TOKEN Vision", "operator ci TOKEN vision more",
    ])
  func linesThatAreRefused(line: String) throws {
    #expect(throws: TokenFileError.self) { try AccessTokens(line.replacing("TOKEN", with: Self.secret)) }
    let words = line.split(separator: " ")
    let row = "\(words[0]) CN=ops \(words.dropFirst(3).joined(separator: " "))"
    // There a node's third word is its name.
    if words[0] != "node" { #expect(throws: TokenFileError.self) { try CertificateRoles(row) } }
  }

  @Test func certificatesAreBoundByTheThirdWord() throws {
    let roles = try CertificateRoles("reader URI=spiffe://fleet/vision/* vision\noperator CN=ops")
    let bound = roles.caller(subject: "O=x", uris: ["spiffe://fleet/vision/a"])
    #expect(bound?.namespace == "vision" && bound?.role == "reader")
    #expect(roles.caller(subject: "CN=ops", uris: [])?.namespace == nil)
  }
}
