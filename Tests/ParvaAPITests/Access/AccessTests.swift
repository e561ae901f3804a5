import Foundation
import Logging
import ParvaAPI
import ParvaControl
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
    let access = AccessControl(file: try Self.tokens(), trustsCertificates: false)
    var request = HTTPRequest(method: "POST", path: "/v1/workloads")
    request.headers["Authorization"] = "Bearer \(Self.reader)"
    var route = Route("POST", "/v1/workloads", .inline { _ in HTTPResponse(status: 200) })
    route.access = Route.Access(level: AccessRole.operator.level, isRecorded: true)
    let problem = #expect(throws: ProblemDetails.self) { try access.gate(&request, route) }
    #expect(problem?.status == 403 && request.caller?.name == "dashboard")
  }

  @Test func scopeAndCredentialDecide() async throws {
    let api = try await Harness(starts: false)
    let access = AccessControl(file: try Self.tokens(), trustsCertificates: true)
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

  @Test func twoCredentialsAreNone() async throws {
    let access = AccessControl(file: try Self.tokens())
    let api = try await Harness(starts: false)
    let router = Router(routes: RouteTable(api.controller).routes, gate: access.gate)
    var request = HTTPRequest(method: "GET", path: "/v1/workloads", headers: ["Authorization": "Bearer \(Self.reader)"])
    #expect(await router.respond(to: request).status == 200)
    request.headers.add("authorization", "Bearer \(Self.writer)")
    #expect(await router.respond(to: request).problem == "400 credentials_repeated")
  }

  @Test(
    "what a page of somebody else sends changes nothing, unless it has a token; programs and the controller's own page do"
  )
  func foreignPagesChangeNothing() async throws {
    let api = try await Harness(starts: false)
    let access = AccessControl(file: try Self.tokens(), trustsCertificates: true, isRequired: false)
    let router = Router(routes: RouteTable(api.controller).routes, gate: access.gate)
    func answer(_ fields: [String: String], method: String = "DELETE", token: String? = nil, subject: String? = nil)
      async -> String
    {
      var request = HTTPRequest(method: method, path: "/v1/workloads/a", clientSubject: subject)
      for (name, value) in fields { request.headers[name] = value }
      request.headers["Authorization"] = token.map { "Bearer \($0)" }
      return await router.respond(to: request).problem
    }
    let (through, refused) = ("404 not_found", "403 foreign_page")
    let hosts = [
      "127.0.0.1:8080", "[::1]:8080", "localhost", "parva.localhost:80", "10.0.0.7", "fleet.example:8080",
      "127.0.0.1.example",
    ]
    for subject in [nil, "CN=x"] {
      #expect(await answer([:], subject: subject) == through)
      for host in hosts {
        for origin in hosts + ["null", ""] {
          let text = ["null", ""].contains(origin) ? origin : "http://\(origin)"
          let isOwn = origin == host && !host.hasSuffix("example:8080") && !host.hasSuffix(".example")
          let fields = ["Host": host, "Origin": text]
          #expect(await answer(fields, subject: subject) == (isOwn ? through : refused), "\(fields)")
          #expect(await answer(fields, method: "GET", subject: subject) == through)
          #expect(await answer(fields, token: Self.writer) == through)
          // A browser that tells more is asked for that: a proxy before the controller may have changed the host.
          for (site, wanted) in [
            ("same-origin", through), ("none", through), ("same-site", refused), ("cross-site", refused),
          ] {
            #expect(await answer(fields.merging(["Sec-Fetch-Site": site]) { $1 }, subject: subject) == wanted)
          }
        }
      }
    }
  }

  @Test("a node's token names a node")
  func nodeTokenNames() {
    #expect(throws: TokenFileError.self) { try AccessTokens("node GPU_1/x node-token-0123456789abcdef") }
  }

  @Test func certificateCountsOnlyWhereItIsTrusted() async throws {
    let api = try await Harness(starts: false)
    let access = AccessControl(file: try Self.tokens(), trustsCertificates: false)
    let router = Router(routes: RouteTable(api.controller).routes, gate: access.gate)
    let response = await router.respond(to: HTTPRequest(method: "GET", path: "/v1/workloads", clientSubject: "CN=x"))
    #expect(response.problem == "401 credentials_missing")
  }

  @Test func replacedTokensHoldFromTheNextRequest() async throws {
    let api = try await Harness(starts: false)
    let access = AccessControl(file: try Self.tokens(), trustsCertificates: false)
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

  @Test("a route that names no role is for the administrator alone")
  func aForgottenRouteIsShut() throws {
    let access = AccessControl(file: try Self.tokens())
    var request = HTTPRequest(method: "GET", path: "/v1/new", headers: ["Authorization": "Bearer \(Self.writer)"])
    let route = Route("GET", "/v1/new", .inline { _ in HTTPResponse(status: 200) })
    let problem = #expect(throws: ProblemDetails.self) { try access.gate(&request, route) }
    #expect(problem?.status == 403 && problem?.detail.contains("needs admin") == true)
  }

  @Test("a line that stays in the file keeps what its token has opened, one that goes ends it")
  func replacedLinesEnd() throws {
    let access = AccessControl(file: try Self.tokens())
    func caller(_ token: String) throws -> Caller? {
      var request = HTTPRequest(method: "GET", path: "/v1/plan", headers: ["Authorization": "Bearer \(token)"])
      var route = Route("GET", "/v1/plan", .inline { _ in HTTPResponse(status: 200) })
      route.access = Route.Access(level: AccessRole.reader.level, isRecorded: false)
      try access.gate(&request, route)
      return request.caller
    }
    let (reader, writer) = (try caller(Self.reader), try caller(Self.writer))
    access.replace(try AccessTokens("reader dashboard \(Self.reader)"))
    #expect(reader?.hasEnded == false && writer?.hasEnded == true)
    #expect(try caller(Self.reader) === reader)
  }

  /// Digest of "abc" from FIPS 180-4; the token itself would be too short, but its digest says nothing of that.
  @Test func digestStandsForItsToken() throws {
    let tokens = try AccessTokens(
      "read old sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015AD")
    #expect(tokens.caller(of: "abc")?.name == "old")
    #expect(tokens.caller(of: "abd") == nil)
  }

  @Test func badFilesAreRefusedByLineWithoutTheirSecrets() {
    let secret = "s3cret-s3cret-s3cret-s3cret"
    for (text, line) in [
      ("", nil), ("# nothing\n", nil), ("read a", 1), ("\nroot a \(secret)", 2), ("read a \(secret) b c", 1),
      ("admin a \(secret) b", 1), ("read a \(secret) B", 1),
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
