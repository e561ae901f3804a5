import Foundation
import ParvaHTTP
import Testing

@Suite struct RouterTests {
  private static let router = Router(routes: [
    Route(
      "GET", "/healthz", .inline { _ in HTTPResponse(status: 200, contentType: "text/plain", body: Data("ok".utf8)) }),
    Route("GET", "/v1/workloads", .async { _ in HTTPResponse(status: 200) }),
    Route("POST", "/v1/workloads", bodyLimit: 8, .async { HTTPResponse(status: 201, body: $0.body) }),
    Route("POST", "/v1/workloads/batch", .async { _ in HTTPResponse(status: 202) }),
    Route(
      "GET", "/v1/workloads/{id}", .inline { HTTPResponse(status: 200, body: Data($0.pathParameters["id"]!.utf8)) }),
    Route(
      "GET", "/v1/plans/{a}/diff/{b}",
      .inline { HTTPResponse(status: 200, body: Data("\($0.pathParameters["a"]!)-\($0.pathParameters["b"]!)".utf8)) }),
    Route(
      "GET", "/refuses",
      .inline { _ in throw ProblemDetails(status: 422, code: "bad_rate", detail: "a \"b\"\n", pointer: "/rate") }),
    Route("GET", "/fails", .async { _ in throw Failure(secret: "hunter2") }),
    Route(
      "POST", "/begun",
      .begun { request in
        if request.body.isEmpty { throw ProblemDetails(status: 400, code: "body_missing", detail: "There is no body.") }
        if request.body.count < 4 { return .answer(HTTPResponse(status: 200, body: Data("answer".utf8))) }
        return .rest { HTTPResponse(status: 202, body: Data("rest of ".utf8) + request.body) }
      }),
    Route("PUT", "/count", .async { HTTPResponse(status: 200, body: Data("\($0.body.count)".utf8)) }),
  ])

  private struct Failure: Error { var secret: String }

  private struct Case: Sendable {
    var method: String
    var path: String
    var body = ""
    var status: Int
    var answer: String?
    var allow: String?
    var testDescription: String { "\(method) \(path)" }
  }

  private static let cases = [
    Case(method: "GET", path: "/healthz", status: 200, answer: "ok"),
    Case(method: "HEAD", path: "/healthz", status: 200, answer: ""),
    Case(method: "OPTIONS", path: "/healthz", status: 204, answer: "", allow: "GET, HEAD, OPTIONS"),
    Case(method: "OPTIONS", path: "*", status: 204, answer: "", allow: "GET, HEAD, OPTIONS, POST, PUT"),
    Case(method: "DELETE", path: "/healthz", status: 405, allow: "GET, HEAD, OPTIONS"),
    Case(method: "GET", path: "/healthz/", status: 404),
    Case(method: "GET", path: "/v1", status: 404),
    Case(method: "GET", path: "/", status: 404),
    Case(method: "GET", path: "//healthz", status: 404),
    Case(method: "GET", path: "/v1/workloads/", status: 404),
    Case(method: "GET", path: "/v1/workloads/a.b", status: 200, answer: "a.b"),
    Case(method: "GET", path: "/v1/workloads/batch", status: 200, answer: "batch"),
    Case(method: "POST", path: "/v1/workloads/batch", status: 202),
    Case(method: "PUT", path: "/v1/workloads/batch", status: 405, allow: "GET, HEAD, OPTIONS, POST"),
    Case(method: "GET", path: "/v1/workloads/org%2Fmodel%2525", status: 200, answer: "org/model%25"),
    Case(method: "GET", path: "/v1/plans/3/diff/4", status: 200, answer: "3-4"),
    Case(method: "GET", path: "/v1/plans/3/diff", status: 404),
    Case(method: "POST", path: "/v1/workloads", body: "12345678", status: 201, answer: "12345678"),
    Case(method: "POST", path: "/v1/workloads", body: "123456789", status: 413),
    Case(method: "PUT", path: "/count", body: "12345", status: 200, answer: "5"),
    Case(method: "POST", path: "/begun", status: 400),
    Case(method: "POST", path: "/begun", body: "123", status: 200, answer: "answer"),
    Case(method: "POST", path: "/begun", body: "1234", status: 202, answer: "rest of 1234"),
  ]

  @Test(arguments: Transport.allCases)
  func tableAnswersTheSameEverywhere(_ transport: Transport) async throws {
    try await transport.run(Self.router) { ask in
      // A client library has no way to say OPTIONS *.
      for given in Self.cases where given.path.hasPrefix("/") || !"\(transport)".hasPrefix("client") {
        let response = try await ask(
          HTTPRequest(method: given.method, path: given.path, body: Data(given.body.utf8)))
        #expect(response.status == given.status, "\(given.testDescription)")
        #expect(response.headers["Allow"] == given.allow, "\(given.testDescription)")
        if let answer = given.answer {
          #expect(String(decoding: response.body, as: UTF8.self) == answer, "\(given.testDescription)")
        }
      }
    }
  }

  @Test func headKeepsTheLengthOfGet() async {
    let response = await Self.router.respond(to: HTTPRequest(method: "HEAD", path: "/healthz"))
    #expect(response.headers["Content-Length"] == "2")
  }

  @Test func problemIsRenderedWithCodePointerAndRequestID() async throws {
    let response = await Self.router.respond(
      to: HTTPRequest(method: "GET", path: "/refuses", headers: ["x-request-id": "abc-1"]))
    #expect(response.status == 422)
    #expect(response.headers["content-type"] == "application/problem+json")
    #expect(response.headers["x-request-id"] == "abc-1")
    let problem = try JSONDecoder().decode([String: JSONScalar].self, from: response.body)
    #expect(
      problem == [
        "type": .text("about:blank"), "title": .text("Unprocessable Content"), "status": .number(422),
        "detail": .text("a \"b\"\n"), "code": .text("bad_rate"), "pointer": .text("/rate"), "requestId": .text("abc-1"),
      ])
  }

  @Test func unexpectedErrorLeaksNothing() async {
    let response = await Self.router.respond(to: HTTPRequest(method: "GET", path: "/fails"))
    #expect(response.status == 500)
    let text = String(decoding: response.body, as: UTF8.self)
    #expect(text.contains(#""code":"internal_error""#))
    #expect(!text.contains("hunter2"))
  }

  @Test func requestIDsThatCouldForgeLogLinesAreReplaced() async {
    for bad in ["", "a b", "a\"b", String(repeating: "a", count: 129)] {
      let response = await Self.router.respond(
        to: HTTPRequest(method: "GET", path: "/healthz", headers: ["X-Request-Id": bad]))
      #expect(response.headers["X-Request-Id"] != bad)
    }
  }

  @Test func validTraceParentIsReturnedAndOthersAreNot() async {
    let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for (given, expected) in [
      (valid, valid), (valid.uppercased(), nil),
      ("00-" + String(repeating: "0", count: 32) + "-00f067aa0ba902b7-01", nil),
      (valid + "-1", nil), ("01" + valid.dropFirst(2), nil),
    ] {
      let response = await Self.router.respond(
        to: HTTPRequest(method: "GET", path: "/healthz", headers: ["traceparent": given]))
      #expect(response.headers["traceparent"] == expected)
    }
  }

  @Test func bodiesThatArePackedAreRefused() async throws {
    for (coding, status) in [("gzip", 415), ("GZIP, identity", 415), ("zstd", 415), ("Identity", 200)] {
      let response = await Self.router.respond(
        to: HTTPRequest(method: "GET", path: "/healthz", headers: ["content-encoding": coding]))
      #expect(response.status == status, "\(coding)")
      #expect(response.headers["Accept-Encoding"] == (status == 415 ? "identity" : nil))
    }
  }

  @Test func routesAreListedAsGiven() {
    #expect(Self.router.routes.map { "\($0.method) \($0.pattern)" }.first == "GET /healthz")
    #expect(Self.router.routes.count == 10)
  }
}

/// Just enough JSON to compare a flat object.
enum JSONScalar: Decodable, Hashable {
  case text(String)
  case number(Int)

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Int.self) {
      self = .number(number)
    } else {
      self = .text(try container.decode(String.self))
    }
  }
}
