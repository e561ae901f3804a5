import Foundation
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import Testing

@Suite struct TokenHandlersTests {
  private static let admin = "admin-0123456789abcdefghijklmn"

  /// The routes of a controller behind its gate.
  private struct Guarded {
    let api: Harness
    let router: Router

    init(_ api: Harness, isRequired: Bool = true) throws {
      self.api = api
      let access = AccessControl(
        file: isRequired ? try AccessTokens("admin root \(TokenHandlersTests.admin)") : nil,
        tokens: api.controller.tokens, isRequired: isRequired)
      router = Router(routes: RouteTable(api.controller).routes, gate: access.gate)
    }

    func send(_ method: String, _ path: String, as token: String?, body: String = "") async -> HTTPResponse {
      var headers = HTTPHeaders()
      if let token { headers["Authorization"] = "Bearer \(token)" }
      return await router.respond(
        to: HTTPRequest(method: method, path: path, headers: headers, body: Data(body.utf8)))
    }

    func made(_ body: String) async throws -> (id: String, token: String) {
      let response = await send("POST", "/v1/tokens", as: TokenHandlersTests.admin, body: body)
      #expect(response.status == 201, "\(response.text)")
      return (try #require(response.json("id")), try #require(response.json("token")))
    }
  }

  @Test("a token is shown once, works at once, outlives a restart, and is nobody's once it is revoked")
  func lifeOfAToken() async throws {
    var api = try await Harness(starts: false)
    var guarded = try Guarded(api)
    let made = await guarded.send(
      "POST", "/v1/tokens", as: Self.admin, body: #"{"name":"ci","role":"operator","ttl":"30d"}"#)
    #expect(made.status == 201 && made.headers["Cache-Control"] == "no-store")
    let (id, token) = (try #require(made.json("id")), try #require(made.json("token")))
    #expect(made.headers["Location"] == "/v1/tokens/\(id)")
    #expect(token.hasPrefix("parva_") && token.utf8.count == 49, "256 bits in base64 and the prefix")
    #expect(made.json("createdBy") == "file:root")
    for restarts in [false, true] {
      if restarts {
        api = try await api.restarted()
        guarded = try Guarded(api)
      }
      #expect(await guarded.send("GET", "/v1/workloads", as: token).status == 200)
      #expect(await guarded.send("GET", "/v1/tokens", as: token).problem == "403 scope_insufficient")
      let who = await guarded.send("GET", "/v1/whoami", as: token)
      #expect((who.json("name"), who.json("role"), who.json("id")) == ("ci", "operator", "token:\(id)"))
      #expect(who.json("expiresAt") == made.json("expiresAt") && made.json("expiresAt") != nil)
      let list = await guarded.send("GET", "/v1/tokens", as: Self.admin)
      #expect(list.json("tokens", "0", "id") == id && list.json("tokens", "0", "lastUsedAt") != nil)
      #expect(!list.text.contains(token))
    }
    #expect(await guarded.send("DELETE", "/v1/tokens/\(id)", as: Self.admin).status == 204)
    #expect(await guarded.send("GET", "/v1/workloads", as: token).problem == "401 credentials_invalid")
    #expect(await guarded.send("GET", "/v1/tokens/\(id)", as: Self.admin).problem == "404 not_found")
    #expect(await guarded.send("DELETE", "/v1/tokens/\(id)", as: Self.admin).problem == "404 not_found")
    api = try await api.restarted()
    #expect(await (try Guarded(api)).send("GET", "/v1/workloads", as: token).problem == "401 credentials_invalid")
    try await api.controller.stop()
  }

  @Test("the store's file holds no token")
  func theStoreHoldsNoToken() async throws {
    let api = try await Harness(starts: false)
    let made = try await Guarded(api).made(#"{"name":"ci","role":"admin"}"#)
    try await api.controller.stop()
    for file in ["parva.sqlite", "parva.sqlite-wal"] {
      guard let bytes = FileManager.default.contents(atPath: api.folder.file(file)) else { continue }
      #expect(bytes.firstRange(of: Data(made.token.utf8)) == nil)
      #expect(bytes.firstRange(of: Data(made.token.dropFirst(6).utf8)) == nil)
    }
  }

  @Test("what is wrong with a wish for a token is told with its place")
  func badWishes() async throws {
    let api = try await Harness(starts: false)
    for (body, problem) in [
      (#"{"name":"a","role":"king"}"#, "422 out_of_range"), (#"{"name":"a"}"#, "422 missing_key"),
      (#"{"role":"reader"}"#, "422 missing_key"), (#"{"name":"a b","role":"reader"}"#, "422 invalid_name"),
      (#"{"name":"a","role":"node"}"#, "422 missing_key"), (#"{"role":"node","node":"GPU_/x"}"#, "422 invalid_name"),
      (#"{"name":"a","role":"reader","node":"gpu-1"}"#, "422 contradiction"),
      (#"{"name":"a","role":"reader","ttl":"1w"}"#, "422 out_of_range"),
      (#"{"name":"a","role":"reader","ttl":"0s"}"#, "422 out_of_range"),
      (#"{"name":"a","role":"reader","ttl":"3651d"}"#, "422 out_of_range"),
      (#"{"name":"a","role":"reader","ttl":"999999999999d"}"#, "422 out_of_range"),
      (#"{"name":"a","role":"reader","scope":"x"}"#, "422 unknown_key"), ("", "400 body_missing"),
    ] {
      #expect(await api.send("POST", "/v1/tokens", body: body).problem == problem, "\(body)")
    }
    #expect(await api.send("POST", "/v1/tokens", body: #"{"role":"node","node":"gpu-1","ttl":"3650d"}"#).status == 201)
    #expect(await api.send("GET", "/v1/tokens").json("tokens", "0", "name") == "gpu-1")
  }

  @Test("where nobody has to say who asks, a token is judged all the same, and one that is gone lets nobody in")
  func openControllers() async throws {
    let api = try await Harness(starts: false)
    let guarded = try Guarded(api, isRequired: false)
    #expect(await guarded.send("GET", "/v1/whoami", as: nil).json("role") == "admin")
    #expect(await guarded.send("GET", "/v1/whoami", as: "somebody-elses-token").json("id") == "anonymous")
    let made = await guarded.send("POST", "/v1/tokens", as: nil, body: #"{"name":"page","role":"reader"}"#)
    let (id, token) = (try #require(made.json("id")), try #require(made.json("token")))
    #expect(await guarded.send("GET", "/v1/whoami", as: token).json("may", "0") == "read")
    #expect(await guarded.send("DELETE", "/v1/tokens/\(id)", as: token).problem == "403 scope_insufficient")
    #expect(await guarded.send("DELETE", "/v1/tokens/\(id)", as: nil).status == 204)
    #expect(await guarded.send("GET", "/v1/workloads", as: token).problem == "401 credentials_invalid")
  }

  @Test("a revoked token's streams end, and its waiting reads are answered 401; others go on")
  func revocationReachesWhatIsOpen() async throws {
    let api = try await Harness()
    let guarded = try Guarded(api)
    let (gone, stays) = (
      try await guarded.made(#"{"name":"gone","role":"reader"}"#),
      try await guarded.made(#"{"name":"stays","role":"reader"}"#)
    )
    // A stream's first write says that it has begun.
    func stream(_ path: String, _ token: String, _ begun: AsyncStream<Void>.Continuation) async -> Task<Void, any Error>
    {
      let response = await guarded.send("GET", path, as: token)
      return Task { try await response.stream?(HTTPBodyWriter { _ in begun.yield() }) }
    }
    var ending: [Task<Void, any Error>] = []
    for path in ["/v1/events", "/v1/plan/events", "/v1/endpoints/events"] {
      let (writes, begun) = AsyncStream.makeStream(of: Void.self)
      ending.append(await stream(path, gone.token, begun))
      for await _ in writes { break }
    }
    let (writes, begun) = AsyncStream.makeStream(of: Void.self)
    let staying = await stream("/v1/events", stays.token, begun)
    for await _ in writes { break }
    let read = Task {
      await guarded.router.respond(
        to: HTTPRequest(
          method: "GET", path: "/v1/plan", query: [("after", "1000000"), ("wait", "60")],
          headers: ["Authorization": "Bearer \(gone.token)"]))
    }
    #expect(await guarded.send("DELETE", "/v1/tokens/\(gone.id)", as: Self.admin).status == 204)
    for task in ending { try? await task.value }
    api.controller.events.add("node", "{}")
    #expect(!staying.isCancelled)
    // The read is refused by the gate, or ends with the wait.
    api.controller.releaseWaiters()
    #expect(await read.value.problem == "401 credentials_invalid")
    try await staying.value
    try await api.controller.stop()
  }
}
