import Foundation
import ParvaHTTP
import Testing

/// Where a test body runs: in process, or through a real socket.
enum Transport: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case inProcess, tcp, unixSocket, client, clientOverTLS

  var testDescription: String { rawValue }

  /// Runs `body` with a function that answers requests for `router`.
  func run(
    _ router: Router,
    _ body: @Sendable (_ ask: @Sendable (HTTPRequest) async throws -> HTTPResponse) async throws -> Void
  ) async throws {
    if self == .inProcess {
      try await body { await router.respond(to: $0) }
      return
    }
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("parva-\(UUID().uuidString).sock").path
    let usesTLS = self == .clientOverTLS
    try await withServer(
      router, addresses: [self == .unixSocket ? "unix:\(path)" : "127.0.0.1:0"],
      { if usesTLS { $0.tls = Certificates.serverTLS } }
    ) { address, _ in
      guard self == .client || usesTLS else {
        return try await body { try await Self.ask($0, at: address) }
      }
      var configuration = HTTPClient.Configuration()
      configuration.tls.caFile = Certificates.path("authority")
      configuration.retries = 0
      let client = HTTPClient(configuration: configuration)
      try await body { request in
        try await client.send(
          HTTPClientRequest(
            method: request.method, url: "\(usesTLS ? "https" : "http")://\(address)\(request.path)",
            headers: request.headers, body: request.body))
      }
    }
  }

  static func ask(_ request: HTTPRequest, at address: String) async throws -> HTTPResponse {
    let client = try RawClient(address)
    var text = "\(request.method) \(request.path) HTTP/1.1\r\nHost: test\r\n"
    for field in request.headers.fields { text += "\(field.name): \(field.value)\r\n" }
    if !request.body.isEmpty { text += "Content-Length: \(request.body.count)\r\n" }
    try await client.send(Array((text + "\r\n").utf8) + request.body)
    var reader = RawResponseReader(client)
    return try await reader.next(head: request.method == "HEAD")
  }
}

/// Runs `body` while a server runs, and drains the server afterwards whatever happened.
func withServer(
  _ router: Router, addresses: [String] = ["127.0.0.1:0"],
  _ change: (inout HTTPServer.Configuration) -> Void = { _ in },
  _ body: (_ address: String, _ server: HTTPServer) async throws -> Void
) async throws {
  var configuration = HTTPServer.Configuration(addresses: addresses)
  configuration.loops = 2
  // Clients that share two cores with all other tests may be slower than any server would wait for.
  configuration.headerTimeout = .seconds(120)
  configuration.bodyTimeout = .seconds(120)
  change(&configuration)
  let server = HTTPServer(configuration: configuration, router: router)
  let bound = try server.start()
  do {
    try await body(bound[0], server)
  } catch {
    await server.shutdown(deadline: .zero)
    throw error
  }
  await server.shutdown(deadline: .seconds(5))
}
