import Foundation
import ParvaHTTP
import Testing

@Suite struct TLSTests {
  private static let router = Router(routes: [
    Route("GET", "/", .inline { HTTPResponse(status: 200, body: Data(($0.clientSubject ?? "nobody").utf8)) }),
    Route("GET", "/large", .inline { _ in HTTPResponse(status: 200, body: Data(repeating: 0x61, count: 3 << 20)) }),
    Route("POST", "/echo", bodyLimit: 4 << 20, .async { HTTPResponse(status: 200, body: $0.body) }),
  ])

  private static func get(_ client: HTTPClient, _ address: String, _ path: String = "/") async throws -> String {
    let response = try await client.send(HTTPClientRequest(method: "GET", url: "https://\(address)\(path)"))
    return String(decoding: response.body, as: UTF8.self)
  }

  @Test(arguments: [true, false])
  func largeBodiesGoBothWays(kernel: Bool) async throws {
    try await withServer(
      Self.router,
      {
        $0.tls = Certificates.serverTLS
        $0.tls?.kernel = kernel
      }
    ) { address, _ in
      let client = Certificates.client()
      #expect(try await Self.get(client, address, "/large").utf8.count == 3 << 20)
      let body = Data((0..<(2 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) })
      let response = try await client.send(
        HTTPClientRequest(method: "POST", url: "https://\(address)/echo", body: body))
      #expect(response.body == body)
    }
  }

  @Test func certificateOfAnotherAuthorityIsRefusedByTheClient() async throws {
    try await withServer(Self.router, { $0.tls = Certificates.serverTLS }) { address, _ in
      await #expect {
        _ = try await Self.get(Certificates.client(trusting: "other-authority"), address)
      } throws: {
        ($0 as? HTTPClientError)?.code == .tlsFailed
      }
    }
  }

  @Test func subjectOfAVerifiedClientReachesTheHandler() async throws {
    try await withServer(
      Self.router,
      {
        $0.tls = Certificates.serverTLS
        $0.tls?.clientCAFile = Certificates.path("authority")
      }
    ) { address, _ in
      let known = try await Self.get(Certificates.client("client"), address)
      #expect(known == "CN=controller,O=Parva")
      for name in [nil, "stranger"] {
        await #expect(throws: HTTPClientError.self) { _ = try await Self.get(Certificates.client(name), address) }
      }
    }
  }

  @Test func clientCertificateMayBeOptional() async throws {
    try await withServer(
      Self.router,
      {
        $0.tls = Certificates.serverTLS
        $0.tls?.clientCAFile = Certificates.path("authority")
        $0.tls?.clientRequired = false
      }
    ) { address, _ in
      let anonymous = try await Self.get(Certificates.client(), address)
      #expect(anonymous == "nobody")
      await #expect(throws: HTTPClientError.self) { _ = try await Self.get(Certificates.client("stranger"), address) }
    }
  }

  @Test func reloadServesTheNewCertificateAndKeepsTheOldOneWhenTheNewIsBroken() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("parva-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func install(_ name: String) throws {
      for (source, target) in [(name, "certificate.pem"), ("\(name)-key", "key.pem")] {
        try Data(contentsOf: URL(fileURLWithPath: Certificates.path(source))).write(
          to: folder.appendingPathComponent(target))
      }
    }
    try install("stranger")
    let files = HTTPServer.Configuration.TLS(
      certificateFile: folder.appendingPathComponent("certificate.pem").path,
      keyFile: folder.appendingPathComponent("key.pem").path)
    try await withServer(Self.router, { $0.tls = files }) { address, server in
      // The stranger's certificate is not one that the client trusts; the server's is.
      await #expect(throws: HTTPClientError.self) { _ = try await Self.get(Certificates.client(), address) }
      try install("server")
      try server.reloadCertificates()
      #expect(try await Self.get(Certificates.client(), address) == "nobody")
      try Data("nonsense".utf8).write(to: folder.appendingPathComponent("certificate.pem"))
      #expect {
        try server.reloadCertificates()
      } throws: {
        ($0 as? HTTPServerError)?.code == "cannot_reload"
      }
      #expect(try await Self.get(Certificates.client(), address) == "nobody")
    }
  }

  @Test func missingCertificateIsNamed() {
    let tls = HTTPServer.Configuration.TLS(certificateFile: "/nowhere/certificate.pem", keyFile: "/nowhere/key.pem")
    let server = HTTPServer(configuration: .init(addresses: ["127.0.0.1:0"], tls: tls), router: Self.router)
    #expect {
      try server.start()
    } throws: {
      ($0 as? HTTPServerError)?.message.contains("/nowhere/certificate.pem") == true
    }
  }

  @Test func plainTextOnATLSPortIsCutOff() async throws {
    try await withServer(Self.router, { $0.tls = Certificates.serverTLS }) { address, server in
      let client = try RawClient(address)
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      let answer = try await client.receiveUntilClosed()
      #expect(!String(decoding: answer, as: UTF8.self).contains("HTTP/1.1"))
      #expect(try await Self.get(Certificates.client(), address) == "nobody")
    }
  }
}
