import Foundation
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import Testing

/// Every route with those that it lets in: a route that is added stands here, too, or these tests fail.
@Suite struct RouteRolesTests {
  /// Who asks; `own` is the agent of the node that the path names, `other` that of another one.
  private enum Asker: String, CaseIterable, Comparable {
    case nobody, reader, `operator`, admin, own, other

    static func < (a: Asker, b: Asker) -> Bool { a.rawValue < b.rawValue }
  }

  private static let all = Set(Asker.allCases)
  private static let known = all.subtracting([.nobody])
  private static let readers: Set<Asker> = [.reader, .operator, .admin]
  private static let operators: Set<Asker> = [.operator, .admin]
  private static let admins: Set<Asker> = [.admin]

  private static let table: [String: Set<Asker>] = [
    "GET /": all, "GET /v1": all, "GET /dashboard/{version}/{file}": all, "GET /healthz": all, "GET /readyz": all,
    "GET /openapi.yaml": all, "GET /openapi.json": all, "GET /docs": all, "GET /metrics": readers,
    "GET /v1/workloads": readers, "POST /v1/workloads": operators, "PUT /v1/workloads": operators,
    "PATCH /v1/workloads": operators, "POST /v1/workloads/batch": operators, "GET /v1/workloads/{id}": readers,
    "PUT /v1/workloads/{id}": operators, "PATCH /v1/workloads/{id}": operators, "DELETE /v1/workloads/{id}": operators,
    "GET /v1/workloads/{id}/segments": readers, "GET /v1/workloads/{id}/history": readers,
    "GET /v1/workloads/{id}/endpoints": readers,
    "GET /v1/profiles": readers, "GET /v1/profiles/{model}": readers, "PUT /v1/profiles/{model}": operators,
    "DELETE /v1/profiles/{model}": operators,
    "GET /v1/plan/pin": readers, "POST /v1/plan/pin": operators, "DELETE /v1/plan/pin": operators,
    "POST /v1/plans/{revision}/rollback": operators,
    "GET /v1/plan": readers, "GET /v1/plan/events": readers, "POST /v1/plan/preview": readers,
    "POST /v1/plan/apply": operators, "GET /v1/plans": readers, "GET /v1/plans/{revision}": readers,
    "GET /v1/plans/{a}/diff/{b}": readers,
    "GET /v1/windows": readers, "GET /v1/windows/{name}": readers, "PUT /v1/windows/{name}": operators,
    "DELETE /v1/windows/{name}": operators,
    "GET /v1/operations": readers, "GET /v1/operations/{id}": readers, "POST /v1/operations/{id}/pause": operators,
    "POST /v1/operations/{id}/resume": operators, "POST /v1/operations/{id}/abort": operators,
    "POST /v1/operations/{id}/rollback": operators,
    "GET /v1/nodes": readers, "GET /v1/nodes/{name}": readers.union([.own]),
    "PUT /v1/nodes/{name}": operators.union([.own]), "DELETE /v1/nodes/{name}": operators,
    "POST /v1/nodes/{name}/cordon": operators, "POST /v1/nodes/{name}/uncordon": operators,
    "POST /v1/nodes/{name}/maintenance": operators, "POST /v1/nodes/{name}/return": operators,
    "POST /v1/nodes/{name}/status": operators.union([.own]),
    "GET /v1/events": readers, "GET /v1/fleet": readers, "POST /v1/fleet/accept-silence": operators,
    "GET /v1/endpoints": readers, "GET /v1/endpoints/events": readers, "PUT /v1/segments/{id}/endpoints": operators,
    "GET /v1/replicas": readers, "GET /v1/proxies": readers, "GET /v1/prometheus-targets": readers,
    "POST /v3/discovery:listeners": readers, "POST /v3/discovery:routes": readers,
    "POST /v3/discovery:clusters": readers, "POST /v3/discovery:endpoints": readers,
    "GET /v1/namespaces": readers, "POST /v1/namespaces": admins, "GET /v1/namespaces/{name}": readers,
    "PUT /v1/namespaces/{name}": admins, "DELETE /v1/namespaces/{name}": admins,
    "GET /v1/webhooks": readers, "POST /v1/webhooks": operators, "GET /v1/webhooks/{id}": readers,
    "PUT /v1/webhooks/{id}": operators, "DELETE /v1/webhooks/{id}": operators,
    "PATCH /v1/webhooks/{id}": operators,
    "GET /v1/webhooks/{id}/deliveries": readers, "GET /v1/webhooks/{id}/dead-letters": readers,
    "POST /v1/webhooks/{id}/replay": operators, "POST /v1/webhooks/{id}/rotate-secret": operators,
    "POST /v1/webhooks/{id}/test": operators,
    "GET /v1/tokens": admins, "POST /v1/tokens": admins, "GET /v1/tokens/{id}": admins,
    "DELETE /v1/tokens/{id}": admins, "GET /v1/audit": admins, "GET /v1/whoami": known,
  ]

  private static func secret(_ asker: Asker) -> String { "\(asker.rawValue)-0123456789abcdefghijklmn" }

  private static func access() throws -> AccessControl {
    AccessControl(
      file: try AccessTokens(
        """
        reader reader \(secret(.reader))
        operator operator \(secret(.operator))
        admin admin \(secret(.admin))
        node gpu-1.rack \(secret(.own))
        node gpu-2.rack \(secret(.other))
        """))
  }

  @Test("each route lets in whom the table names, and refuses all others with the role that is needed")
  func everyRouteAndRole() async throws {
    let api = try await Harness(starts: false)
    let access = try Self.access()
    let routes = RouteTable(api.controller).routes
    #expect(routes.map { "\($0.method) \($0.pattern)" }.sorted() == Self.table.keys.sorted())
    for route in routes {
      let key = "\(route.method) \(route.pattern)"
      var admitted: Set<Asker> = []
      for asker in Asker.allCases {
        var request = HTTPRequest(method: route.method, path: route.pattern)
        request.pathParameters = ["name": "gpu-1.rack", "id": "gpu-1.rack", "model": "gpu-1.rack"]
        if asker != .nobody { request.headers["Authorization"] = "Bearer \(Self.secret(asker))" }
        do throws(ProblemDetails) {
          try access.gate(&request, route)
          admitted.insert(asker)
        } catch {
          let role = route.access?.role?.rawValue ?? "-"
          #expect(
            (error.status, error.code)
              == (asker == .nobody ? (401, "credentials_missing") : (403, "scope_insufficient")), "\(key) \(asker)")
          #expect(error.detail.contains(role), "\(key) \(asker): \(error.detail)")
        }
      }
      #expect(admitted == Self.table[key], "\(key): \(admitted.sorted())")
    }
  }

  @Test("a node's token without a node in the path is good for nothing that is about one")
  func aNodeTokenWithoutANode() async throws {
    let api = try await Harness(starts: false)
    let access = try Self.access()
    for route in RouteTable(api.controller).routes where route.access?.level ?? 0 > 0 && route.pattern != "/v1/whoami" {
      var request = HTTPRequest(method: route.method, path: route.pattern)
      request.headers["Authorization"] = "Bearer \(Self.secret(.own))"
      let problem = #expect(throws: ProblemDetails.self) { try access.gate(&request, route) }
      #expect(problem?.status == 403, "\(route.method) \(route.pattern)")
    }
  }

  @Test("openapi.yaml names the roles that the table has")
  func describedRoles() async throws {
    let api = try await Harness(starts: false)
    let described = try APIDescription.own.get().operations
    for route in RouteTable(api.controller).routes {
      let operation = described["\(route.method) \(route.pattern)"] ?? .null
      let access = try #require(route.access, "\(route.method) \(route.pattern)")
      #expect(operation["x-role"].text == access.role?.rawValue ?? "anyone", "\(route.method) \(route.pattern)")
      let node: String? =
        switch access.speakers {
        case .none: nil
        case .all: "any"
        case .of: "own"
        }
      #expect(operation["x-role-node"].text == node, "\(route.method) \(route.pattern)")
    }
  }

  @Test("what the audit is to have is every change but heartbeats")
  func recordedRoutes() async throws {
    let api = try await Harness(starts: false)
    let unrecorded = Set(
      RouteTable(api.controller).routes.filter { $0.method != "GET" && $0.access?.isRecorded == false }
        .map { "\($0.method) \($0.pattern)" })
    #expect(
      unrecorded == [
        "POST /v1/plan/preview", "POST /v1/nodes/{name}/status", "POST /v3/discovery:listeners",
        "POST /v3/discovery:routes", "POST /v3/discovery:clusters", "POST /v3/discovery:endpoints",
      ])
    #expect(!RouteTable(api.controller).routes.contains { $0.method == "GET" && $0.access?.isRecorded == true })
  }
}
