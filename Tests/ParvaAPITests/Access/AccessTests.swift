import Foundation
import Logging
import ParvaAPI
import ParvaControlTestSupport
import ParvaHTTP
import Testing

@Suite struct AccessTests {
  private static let reader = "reader-0123456789abcdefghij"
  private static let writer = "writer-0123456789abcdefghij"

  private static func tokens() throws -> AccessTokens {
    try AccessTokens(
      """
      # who may do what
      read dashboard \(reader)

      write\tci   \(writer)
      """)
  }

  private struct Case: Sendable {
    var method = "GET"
    var path: String
    var authorization: String?
    var subject: String?
    var answer: String
  }

  private static let cases = [
    Case(path: "/healthz", answer: "200"), Case(path: "/openapi.yaml", answer: "200"),
    Case(path: "/v1/workloads", answer: "401 credentials_missing"),
    Case(path: "/v1/workloads", authorization: "Bearer \(reader)", answer: "200"),
    Case(path: "/v1/workloads", authorization: "bearer  \(reader)", answer: "200"),
    Case(path: "/v1/workloads", authorization: "Bearer \(writer)", answer: "200"),
    Case(path: "/metrics", answer: "401 credentials_missing"),
    Case(path: "/v1/workloads", authorization: "Bearer \(reader)x", answer: "401 credentials_invalid"),
    Case(path: "/v1/workloads", authorization: "Bearer", answer: "401 credentials_missing"),
    Case(path: "/v1/workloads", authorization: "Basic \(reader)", answer: "401 credentials_missing"),
    Case(path: "/v1/workloads", authorization: "Bearer \(reader) \(reader)", answer: "401 credentials_missing"),
    Case(method: "POST", path: "/v1/workloads", authorization: "Bearer \(reader)", answer: "403 scope_insufficient"),
    Case(
      method: "DELETE", path: "/v1/workloads/a", authorization: "Bearer \(reader)", answer: "403 scope_insufficient"),
    Case(method: "DELETE", path: "/v1/workloads/a", authorization: "Bearer \(writer)", answer: "404 not_found"),
    Case(method: "DELETE", path: "/v1/workloads/a", subject: "CN=x", answer: "404 not_found"),
    Case(path: "/nothing", answer: "404 not_found"),
  ]

  @Test("S6: who was refused for too small a scope is known to the log")
  func aRefusedHolderIsKnown() throws {
    let access = AccessControl(tokens: try Self.tokens(), trustsCertificates: false)
    var request = HTTPRequest(method: "POST", path: "/v1/workloads")
    request.headers["Authorization"] = "Bearer \(Self.reader)"
    let route = Route("POST", "/v1/workloads", .inline { _ in HTTPResponse(status: 200) })
    let problem = #expect(throws: ProblemDetails.self) { try access.gate(&request, route) }
    #expect(problem?.status == 403 && request.principal == "dashboard")
  }

  @Test func scopeAndCredentialDecide() async throws {
    let api = try await Harness(starts: false)
    let access = AccessControl(tokens: try Self.tokens(), trustsCertificates: true)
    let router = Router(routes: RouteTable(api.controller).routes, gate: access.gate)
    for given in Self.cases {
      var request = HTTPRequest(method: given.method, path: given.path, clientSubject: given.subject)
      request.headers["Authorization"] = given.authorization
      let response = await router.respond(to: request)
      #expect(response.problem == given.answer, "\(given.method) \(given.path) \(given.authorization ?? "-")")
      #expect((response.headers["WWW-Authenticate"] != nil) == ["401", "403"].contains(given.answer.prefix(3)))
      #expect(!response.text.contains(Self.reader) && !response.text.contains(Self.writer))
    }
  }

  @Test("a node's token is good for what its agent says of that node, on every route there is")
  func nodeToken() async throws {
    let api = try await Harness(starts: false)
    let token = "node-token-0123456789abcdef"
    let access = AccessControl(tokens: try AccessTokens("node gpu-1.rack \(token)"), trustsCertificates: false)
    let own: Set<String> = ["GET /v1/nodes/{name}", "PUT /v1/nodes/{name}", "POST /v1/nodes/{name}/status"]
    var allowed: Set<String> = []
    for route in RouteTable(api.controller).routes where AccessScope.needed(for: route) != nil {
      for name in ["gpu-1.rack", "gpu-2.rack", ""] {
        var request = HTTPRequest(method: route.method, path: route.pattern)
        request.headers["Authorization"] = "Bearer \(token)"
        if !name.isEmpty { request.pathParameters = ["name": name, "id": name, "model": name] }
        let key = "\(route.method) \(route.pattern)"
        do {
          try access.gate(&request, route)
          #expect(name == "gpu-1.rack", "\(key) for \(name)")
          allowed.insert(key)
        } catch {
          #expect(error.status == 403 && error.code == "scope_insufficient")
          #expect(!(own.contains(key) && name == "gpu-1.rack"), "\(key)")
        }
      }
    }
    #expect(allowed == own)
  }

  @Test("a node's token names a node")
  func nodeTokenNames() {
    #expect(throws: TokenFileError.self) { try AccessTokens("node GPU_1/x node-token-0123456789abcdef") }
  }

  @Test func certificateCountsOnlyWhereItIsTrusted() async throws {
    let api = try await Harness(starts: false)
    let access = AccessControl(tokens: try Self.tokens(), trustsCertificates: false)
    let router = Router(routes: RouteTable(api.controller).routes, gate: access.gate)
    let response = await router.respond(to: HTTPRequest(method: "GET", path: "/v1/workloads", clientSubject: "CN=x"))
    #expect(response.problem == "401 credentials_missing")
  }

  @Test func replacedTokensHoldFromTheNextRequest() async throws {
    let api = try await Harness(starts: false)
    let access = AccessControl(tokens: try Self.tokens(), trustsCertificates: false)
    let router = Router(routes: RouteTable(api.controller).routes, gate: access.gate)
    func list(_ token: String) async -> String {
      await router.respond(
        to: HTTPRequest(method: "GET", path: "/v1/workloads", headers: ["Authorization": "Bearer \(token)"])
      ).problem
    }
    #expect(await list(Self.reader) == "200")
    access.replace(try AccessTokens("read next next-token-0123456789abcdef"))
    #expect(await list(Self.reader) == "401 credentials_invalid")
    #expect(await list("next-token-0123456789abcdef") == "200")
  }

  /// Digest of "abc" from FIPS 180-4; the token itself would be too short, but its digest says nothing of that.
  @Test func digestStandsForItsToken() throws {
    let tokens = try AccessTokens(
      "read old sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD")
    #expect(tokens.holder(of: "abc")?.name == "old")
    #expect(tokens.holder(of: "abd") == nil)
  }

  @Test func badFilesAreRefusedByLineWithoutTheirSecrets() {
    let secret = "s3cret-s3cret-s3cret-s3cret"
    for (text, line) in [
      ("", nil), ("# nothing\n", nil), ("read a", 1), ("\nadmin a \(secret)", 2), ("read a \(secret) b", 1),
      ("read a short", 1), ("read a \(secret)é", 1), ("read a/b \(secret)", 1), ("read a sha256:\(secret)", 1),
      ("read a sha256:" + String(repeating: "g", count: 64), 1),
    ] {
      #expect {
        _ = try AccessTokens(text)
      } throws: { error in
        (error as? TokenFileError)?.line == line && !"\(error)".contains("s3cret")
      }
    }
  }
}
