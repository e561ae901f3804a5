import Foundation
import ParvaHTTP
import Testing

@Suite struct ContentCodingTests {
  private static let document = Data((0..<4_000).map { "\"line \($0)\"," }.joined(separator: "\n").utf8)
  private static let cached = CachedBody(document)

  private static let router = Router(routes: [
    Route(
      "GET", "/cached",
      .inline { request in
        if request.isFresh("\"v1\"") { return HTTPResponse(status: 304, headers: ["ETag": "\"v1\""]) }
        return HTTPResponse(
          status: 200, contentType: "application/json", cached: cached, headers: ["ETag": "\"v1\"", "Vary": "Accept"])
      }),
    Route(
      "GET", "/large",
      .inline { _ in HTTPResponse(status: 200, contentType: "text/csv; charset=utf-8", body: document) }),
    Route(
      "GET", "/small", .inline { _ in HTTPResponse(status: 200, contentType: "text/plain", body: Data(count: 1_399)) }),
    Route(
      "GET", "/picture", .inline { _ in HTTPResponse(status: 200, contentType: "image/png", body: document) }),
  ])

  private struct Case: Sendable {
    var accept: String?
    var isCompressed: Bool
  }

  private static let cases = [
    Case(accept: nil, isCompressed: false), Case(accept: "", isCompressed: false),
    Case(accept: "gzip", isCompressed: true), Case(accept: "x-gzip", isCompressed: true),
    Case(accept: "GZIP ; q=0.5, br", isCompressed: true), Case(accept: "br, deflate", isCompressed: false),
    Case(accept: "gzip;q=0", isCompressed: false), Case(accept: "gzip;q=0, *", isCompressed: false),
    Case(accept: "*", isCompressed: true), Case(accept: "*;q=0", isCompressed: false),
    Case(accept: "identity, gzip;q=0.5", isCompressed: false), Case(accept: "identity;q=0.5, gzip", isCompressed: true),
    Case(accept: "identity;q=0.2, *;q=0.1", isCompressed: false), Case(accept: "gzip;q=nonsense", isCompressed: false),
  ]

  @Test(arguments: [Transport.inProcess, .tcp, .unixSocket])
  func codingFollowsAcceptEncoding(_ transport: Transport) async throws {
    try await transport.run(Self.router) { ask in
      for path in ["/cached", "/large"] {
        for given in Self.cases {
          var request = HTTPRequest(method: "GET", path: path)
          request.headers["Accept-Encoding"] = given.accept
          let response = try await ask(request)
          #expect(response.headers["Content-Encoding"] == (given.isCompressed ? "gzip" : nil), "\(given.accept ?? "-")")
          #expect(response.headers["Vary"]?.hasSuffix("Accept-Encoding") == true)
          #expect((response.body == Self.document) != given.isCompressed)
          if given.isCompressed { #expect(try Gunzip.data(response.body) == Self.document) }
        }
      }
    }
  }

  @Test(arguments: [Transport.client, .clientOverTLS])
  func ourClientAsksForItAndUndoesIt(_ transport: Transport) async throws {
    try await transport.run(Self.router) { ask in
      let response = try await ask(HTTPRequest(method: "GET", path: "/large"))
      #expect(response.headers["Content-Encoding"] == "gzip")
      #expect(response.body == Self.document)
    }
  }

  @Test func smallBodiesAndPicturesStayAsTheyAre() async {
    for path in ["/small", "/picture"] {
      let response = await Self.router.respond(
        to: HTTPRequest(method: "GET", path: path, headers: ["Accept-Encoding": "gzip"]))
      #expect(response.headers["Content-Encoding"] == nil)
      #expect(response.headers["Vary"] == nil)
    }
  }

  @Test func bothCodingsHaveTagsOfTheirOwnAndEitherIsFresh() async throws {
    func get(_ headers: HTTPHeaders, method: String = "GET") async -> HTTPResponse {
      await Self.router.respond(to: HTTPRequest(method: method, path: "/cached", headers: headers))
    }
    let compressed = await get(["Accept-Encoding": "gzip"])
    #expect(compressed.headers["ETag"] == "\"v1-gzip\"")
    #expect(compressed.headers["Vary"] == "Accept, Accept-Encoding")
    #expect(await get([:]).headers["ETag"] == "\"v1\"")
    let again = await get(["Accept-Encoding": "gzip", "If-None-Match": "\"v0\", \"v1-gzip\""])
    #expect(again.status == 304)
    #expect(again.headers["ETag"] == "\"v1-gzip\"")
    let plain = await get(["If-None-Match": "W/\"v1\""])
    #expect(plain.status == 304)
    #expect(plain.headers["ETag"] == "\"v1\"")
    let head = await get(["Accept-Encoding": "gzip"], method: "HEAD")
    #expect(head.headers["Content-Length"] == String(compressed.body.count))
    #expect(head.body.isEmpty)
  }

  @Test func entityTagsAreReadByTheirGrammar() {
    let tags = HTTPRequest.entityTags(in: #""a,b" , W/"c-gzip",, "d""#)
    #expect(tags.map(\.text) == [#""a,b""#, #""c""#, #""d""#])
    #expect(tags.map(\.isWeak) == [false, true, false])
    for broken in ["", "a", "\"a", "w/\"a\"", "W/a", "*"] { #expect(HTTPRequest.entityTags(in: broken).isEmpty) }
    #expect(HTTPRequest.entityTags(in: #""a" "b""#).map(\.text) == [#""a""#])
  }
}

/// An independent reading of gzip: the program's own.
enum Gunzip {
  static func data(_ compressed: Data) throws -> Data {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("parva-\(UUID().uuidString).gz")
    defer { try? FileManager.default.removeItem(at: file) }
    try compressed.write(to: file)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = ["--decompress", "--stdout", file.path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? data : Data()
  }
}
