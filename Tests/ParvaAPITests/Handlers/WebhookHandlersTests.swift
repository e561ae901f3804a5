import Foundation
import Logging
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import Synchronization
import Testing

@Suite struct WebhookHandlersTests {
  private static let body =
    #"{"url":"http://127.0.0.1:9/a","types":["plan.published"],"labelSelector":"team=vision"}"#

  @Test("the secret is told once, when the subscriber is made, and when it is rotated")
  func secrets() async throws {
    let api = try await Harness(starts: false)
    let made = await api.send("POST", "/v1/webhooks", body: Self.body)
    #expect(made.status == 201 && made.headers["Cache-Control"] == "no-store", "\(made.text)")
    let path = try #require(made.headers["Location"])
    let secret = try #require(made.json("secret"))
    #expect(WebhookSignature(secret: secret) != nil && secret.hasPrefix("whsec_"))
    let rotated = await api.send("POST", path + "/rotate-secret", body: #"{"overlapSeconds":60}"#)
    let newer = try #require(rotated.json("secret"))
    #expect(newer != secret && rotated.json("status", "olderSecretUntil") != nil)
    let put = await api.send("PUT", path, body: #"{"url":"http://127.0.0.1:9/b"}"#)
    #expect(put.status == 200 && put.json("revision") == "3", "\(put.text)")
    for path in [path, "/v1/webhooks", path + "/deliveries", path + "/dead-letters", "/v1/audit", "/metrics"] {
      let text = await api.send("GET", path).text
      #expect(!text.contains(secret) && !text.contains(newer) && !text.contains("whsec_"), "\(path)")
    }
    // Whoever restarts still signs by it, and tells it no more.
    let again = try await api.restarted()
    let read = await again.send("GET", path)
    #expect(read.json("types", "3") == "node.state_changed" && read.json("secret") == nil, "\(read.text)")
    try await again.controller.stop()
  }

  @Test("an id of one's own makes a PUT repeatable, and conditions are kept")
  func puts() async throws {
    let api = try await Harness(starts: false)
    #expect(await api.send("PUT", "/v1/webhooks/mine", body: Self.body).status == 201)
    let same = await api.send("PUT", "/v1/webhooks/mine", body: Self.body)
    #expect(same.status == 200 && same.json("revision") == "1")
    let tag = try #require(same.headers["ETag"])
    #expect(await api.send("GET", "/v1/webhooks/mine", ["If-None-Match": tag]).status == 304)
    let star: HTTPHeaders = ["If-None-Match": "*"]
    #expect(await api.send("PUT", "/v1/webhooks/mine", star, body: Self.body).status == 412)
    #expect(await api.send("DELETE", "/v1/webhooks/mine", ["If-Match": "\"9.x\""]).status == 412)
    #expect(await api.send("DELETE", "/v1/webhooks/mine", ["If-Match": tag]).status == 204)
    #expect(await api.send("GET", "/v1/webhooks/mine").status == 404)
    #expect(await api.send("PUT", "/v1/webhooks/-mine", body: Self.body).problem == "422 invalid_name")
  }

  @Test(
    "a subscriber that is declared under another URL begins afresh, whatever the one before answered",
    arguments: [410, 500])
  func anotherURL(status: Int) async throws {
    let gate = Gate(isOpen: false)
    let arrived = Mutex(0)
    let routes = [
      Route(
        "POST", "/old",
        .async { _ in
          await gate.pass()
          return HTTPResponse(status: status)
        }),
      Route(
        "POST", "/new",
        .inline { _ in
          arrived.withLock { $0 += 1 }
          return HTTPResponse(status: 204)
        }),
    ]
    var quiet = Logger(label: "test")
    quiet.logLevel = .critical
    let server = HTTPServer(
      configuration: HTTPServerConfiguration(addresses: ["127.0.0.1:0"]), router: Router(routes: routes, logger: quiet),
      logger: quiet)
    let address = try #require(try server.start().first)
    let api = try await Harness()
    func body(_ path: String) -> String { #"{"url":"http://\#(address)/\#(path)","types":["plan.published"]}"# }
    #expect(await api.send("PUT", "/v1/webhooks/mine", body: body("old")).status == 201)
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("a")).status == 201)
    await gate.untilHeld()
    let path = "/v1/webhooks/mine"
    #expect(await api.send("PATCH", path, body: #"{"url":"http://\#(address)/new"}"#).status == 200)
    gate.open()
    for _ in 0..<500 where arrived.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(10)) }
    let moved = await api.send("GET", path)
    #expect(arrived.withLock { $0 } > 0 && moved.json("status", "state") == "active", "\(moved.text)")
    #expect(moved.json("status", "failures") == "0")
    // And one whose receiver has failed already.
    #expect(await api.send("PATCH", path, body: #"{"url":"http://\#(address)/old"}"#).status == 200)
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("b")).status == 201)
    for _ in 0..<500 {
      if await api.send("GET", path).json("status", "state") != "active" { break }
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(await api.send("GET", path).json("status", "state") == (status == 410 ? "gone" : "failing"))
    let fresh = await api.send("PATCH", path, body: #"{"url":"http://\#(address)/new"}"#)
    #expect(fresh.json("status", "failures") == "0" && fresh.json("status", "nextTryAt") == nil, "\(fresh.text)")
    try await api.controller.stop()
    await server.shutdown()
  }

  @Test("what a subscriber cannot be is refused with its place")
  func refusals() async throws {
    let api = try await Harness(starts: false) {
      $0.webhooks.allowed = ["10.0.0.0/8"].compactMap { NetworkRange($0) }
    }
    for (body, problem, pointer) in [
      (#"{}"#, "422 missing_key", ""), (#"{"url":"nowhere"}"#, "422 invalid_url", "/url"),
      (#"{"url":"ftp://a.example/"}"#, "422 invalid_url", "/url"),
      (#"{"url":"https:/example.com"}"#, "422 invalid_url", "/url"),
      (#"{"url":"HTTPS:///example.com"}"#, "422 invalid_url", "/url"),
      (#"{"url":"https:example.com"}"#, "422 invalid_url", "/url"),
      (#"{"url":"https://u:p@a.example/"}"#, "422 invalid_url", "/url"),
      (#"{"url":"https://127.0.0.1/"}"#, "422 target_forbidden", "/url"),
      (#"{"url":"https://0x7f.1/"}"#, "422 target_forbidden", "/url"),
      (#"{"url":"https://[::ffff:10.0.0.1]/"}"#, "422 target_forbidden", "/url"),
      (#"{"url":"https://169.254.169.254/latest"}"#, "422 target_forbidden", "/url"),
      (#"{"url":"http://8.8.8.8/"}"#, "422 target_forbidden", "/url"),
      (#"{"url":"https://a.example/","types":[]}"#, "422 out_of_range", "/types"),
      (#"{"url":"https://a.example/","types":["plan"]}"#, "422 out_of_range", "/types/0"),
      (#"{"url":"https://a.example/","types":["plan.published","plan.published"]}"#, "422 duplicate", "/types/1"),
      (#"{"url":"https://a.example/","labelSelector":"a in b"}"#, "422 invalid_selector", "/labelSelector"),
      (#"{"url":"https://a.example/","retrySeconds":0}"#, "422 out_of_range", "/retrySeconds"),
      (#"{"url":"https://a.example/","name":"a b"}"#, "422 invalid_name", "/name"),
      (#"{"url":"https://a.example/","secret":"mine"}"#, "422 unknown_key", "/secret"),
    ] {
      let answer = await api.send("POST", "/v1/webhooks", body: body)
      #expect(answer.problem == problem && answer.json("pointer") == pointer, "\(body): \(answer.text)")
    }
    for url in ["http://10.1.2.3:9/", "https://10.1.2.3/", "https://a.example/", "http://inside.example/"] {
      #expect(await api.send("POST", "/v1/webhooks", body: #"{"url":"\#(url)"}"#).status == 201, "\(url)")
    }
  }

  @Test("more subscribers than the bound are refused")
  func bound() async throws {
    let api = try await Harness(starts: false)
    for index in 0..<WebhookRegistry.most {
      #expect(await api.send("PUT", "/v1/webhooks/w\(index)", body: Self.body).status == 201)
    }
    #expect(await api.send("POST", "/v1/webhooks", body: Self.body).problem == "409 too_many_webhooks")
    #expect(await api.send("PUT", "/v1/webhooks/w0", body: #"{"url":"https://b.example/"}"#).status == 200)
  }
}
