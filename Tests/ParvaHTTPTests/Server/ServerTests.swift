import Foundation
import ParvaHTTP
import Synchronization
import Testing

@Suite struct ServerTests {
  private static func echo() -> Router {
    Router(routes: [
      Route(
        "GET", "/", .inline { _ in HTTPResponse(status: 200, contentType: "text/plain", body: Data("hello".utf8)) }),
      Route("POST", "/inline", bodyLimit: 1 << 20, .inline { HTTPResponse(status: 200, body: $0.body) }),
      Route("POST", "/async", bodyLimit: 1 << 20, .async { HTTPResponse(status: 200, body: $0.body) }),
      Route(
        "GET", "/events",
        .async { _ in
          HTTPResponse(status: 200, contentType: "text/event-stream") { writer in
            for id in 1...3 { try await writer.send(event: "plan", id: "\(id)", data: "a\nb") }
          }
        }),
      Route("GET", "/large", .async { _ in HTTPResponse(status: 200, body: Data(repeating: 0x61, count: 5 << 20)) }),
    ])
  }

  @Test func keepAliveServesManyRequestsOnOneConnection() async throws {
    try await withServer(Self.echo()) { address, server in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      for _ in 0..<100 {
        try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let response = try await reader.next()
        #expect(response.status == 200)
        #expect(response.headers["Connection"] == nil)
        #expect(response.headers["Date"]?.hasSuffix("GMT") == true)
      }
      #expect(server.statistics.requests == 100)
      #expect(server.statistics.accepted == 1)
    }
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      var text = ""
      for index in 0..<200 {
        let route = index % 2 == 0 ? "/inline" : "/async"
        let body = "\(index)"
        text += "POST \(route) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n\(body)"
      }
      try await client.send(text)
      for index in 0..<200 { #expect(try await reader.next().body == Data("\(index)".utf8)) }
    }
  }

  @Test func handlersBeginOnTheLoopWhereTheBodyIsSmall() async throws {
    // Only the worker pool runs tasks.
    @Sendable func place() -> Data { Data(withUnsafeCurrentTask { $0 == nil ? "loop" : "pool" }.utf8) }
    let router = Router(routes: [
      Route("POST", "/answer", .begun { _ in .answer(HTTPResponse(status: 200, body: place())) }),
      Route("POST", "/rest", .begun { _ in .rest { HTTPResponse(status: 200, body: place()) } }),
    ])
    try await withServer(router) { address, _ in
      for (path, size, expected) in [
        ("/answer", 0, "loop"), ("/answer", 4_096, "loop"), ("/answer", 4_097, "pool"), ("/rest", 1, "pool"),
      ] {
        let body = Data(repeating: 0x61, count: size)
        let response = try await Transport.ask(HTTPRequest(method: "POST", path: path, body: body), at: address)
        #expect(String(decoding: response.body, as: UTF8.self) == expected, "\(size) bytes to \(path)")
      }
    }
  }

  @Test func pathsAreDecodedAndFreedOfDotSegmentsOnceAndBeforeRouting() async throws {
    let router = Router(routes: [
      Route("GET", "/v1/items/{id}", .inline { HTTPResponse(status: 200, body: Data($0.pathParameters["id"]!.utf8)) })
    ])
    try await withServer(router) { address, _ in
      for (target, expected) in [
        ("/%76%31/items/a", "a"), ("/v1/x/../items/a", "a"), ("/v1/x/%2e%2E/./items/a", "a"), ("/v1/items/%61", "a"),
        ("/v1/items/a%2Fb", "a/b"), ("/v1/items/..%2Fb", "../b"), ("/v1/items/%2561", "%61"),
        ("/v1/items/%252e%252e", "%2e%2e"), ("/v1%2Fitems/a", nil), ("/v1/items/a/..", nil),
        ("/v1/items/%2e%2e/a", nil),
      ] {
        let response = try await Transport.ask(HTTPRequest(method: "GET", path: target), at: address)
        #expect(response.status == (expected == nil ? 404 : 200), "\(target)")
        if let expected { #expect(String(decoding: response.body, as: UTF8.self) == expected, "\(target)") }
      }
    }
  }

  @Test(arguments: ["/inline", "/async"])
  func chunkedBodyInSinglePiecesArrivesWhole(_ path: String) async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      for byte in Array("POST \(path) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8) {
        try await client.send([byte])
      }
      for byte in Array("3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\nTrailer: t\r\n\r\n".utf8) { try await client.send([byte]) }
      let response = try await reader.next()
      #expect(response.status == 200)
      #expect(response.body == Data("abcde".utf8))
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await reader.next().body == Data("hello".utf8))
    }
  }

  @Test func largeBodiesGoBothWays() async throws {
    try await withServer(Self.echo()) { address, _ in
      let body = [UInt8](repeating: 0x62, count: 1 << 20)
      for path in ["/inline", "/async"] {
        let client = try RawClient(address)
        var reader = RawResponseReader(client)
        try await client.send(
          Array("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
        #expect(try await reader.next().body == Data(body))
      }
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      try await client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await reader.next().body.count == 5 << 20)
    }
  }

  @Test(arguments: ["", "Expect: 100-continue\r\n"])
  func aLargeBodyThatNobodyWantsIsNotWaitedFor(_ field: String) async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      try await client.send("POST /nowhere HTTP/1.1\r\nHost: a\r\n\(field)Content-Length: 1000000000\r\n\r\nabc")
      let response = try await reader.next()
      #expect(response.status == 404)
      #expect(response.headers["Connection"] == "close")
      client.finishSending()
      #expect(try await reader.isAtEnd())
    }
  }

  @Test func aSmallBodyThatNobodyWantsLeavesTheConnectionOpen() async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      try await client.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
      #expect(try await reader.next().status == 404)
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await reader.next().body == Data("hello".utf8))
    }
  }

  @Test func bodyOverTheRoutesLimitIsRefusedUnread() async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      try await client.send("POST /inline HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n")
      let response = try await reader.next()
      #expect(response.status == 413)
      #expect(response.headers["Connection"] == "close")
      client.finishSending()
      #expect(try await reader.isAtEnd())
    }
  }

  @Test func chunkedBodyOverTheLimitIsRefusedWhereItPassesIt() async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      try await client.send("POST /async HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
      let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 0x64, count: 65_536) + Array("\r\n".utf8)
      for _ in 0..<17 { try await client.send(chunk) }
      #expect(try await reader.next().status == 413)
    }
  }

  @Test func expectContinueIsAnsweredBeforeTheBody() async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      try await client.send("POST /inline HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
      #expect(try await reader.next().status == 100)
      try await client.send("hi")
      #expect(try await reader.next().body == Data("hi".utf8))
    }
  }

  @Test func serverSentEventsArriveAsChunks() async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      var reader = RawResponseReader(client)
      try await client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
      let response = try await reader.next()
      #expect(response.headers["Content-Type"] == "text/event-stream")
      let event = { (id: Int) in "id: \(id)\nevent: plan\ndata: a\ndata: b\n\n" }
      #expect(String(decoding: response.body, as: UTF8.self) == event(1) + event(2) + event(3))
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await reader.next().status == 200)
    }
  }

  @Test func http10ClosesUnlessAskedToStay() async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      try await client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      var reader = RawResponseReader(client)
      #expect(try await reader.next().headers["Connection"] == "keep-alive")
      try await client.send("GET /events HTTP/1.0\r\n\r\n")
      let rest = String(decoding: try await client.receiveUntilClosed(), as: UTF8.self)
      #expect(rest.contains("Connection: close\r\n"))
      #expect(!rest.contains("Transfer-Encoding"))
      #expect(rest.hasSuffix("data: a\ndata: b\n\n"))
    }
  }

  @Test func halfClosedClientGetsItsAnswer() async throws {
    try await withServer(Self.echo()) { address, _ in
      let client = try RawClient(address)
      try await client.send("POST /async HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
      client.finishSending()
      let text = String(decoding: try await client.receiveUntilClosed(), as: UTF8.self)
      #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
      #expect(text.hasSuffix("\r\n\r\nhi"))
    }
  }

  @Test func malformedRequestIsAnsweredWithAProblemAndClosed() async throws {
    try await withServer(Self.echo()) { address, server in
      let client = try RawClient(address)
      try await client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
      client.finishSending()
      let text = String(decoding: try await client.receiveUntilClosed(), as: UTF8.self)
      #expect(text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
      #expect(text.contains("Content-Type: application/problem+json\r\n"))
      #expect(text.contains(#""code":"ambiguous_framing""#))
      #expect(text.contains("Connection: close\r\n"))
      #expect(server.statistics.refused == 1)
    }
  }

  @Test func portInUseIsRefused() async throws {
    try await withServer(Self.echo()) { address, _ in
      let second = HTTPServer(configuration: .init(addresses: [address]), router: Self.echo())
      #expect { try second.start() } throws: { error in
        (error as? HTTPServerError)?.code == "cannot_listen"
      }
    }
  }

  @Test func responseHeaderCannotSplitTheResponse() async throws {
    let router = Router(routes: [
      Route("GET", "/", .inline { _ in HTTPResponse(status: 200, headers: ["X-Evil": "a\r\nSet-Cookie: b"]) })
    ])
    try await withServer(router) { address, _ in
      let response = try await Transport.ask(HTTPRequest(method: "GET", path: "/"), at: address)
      #expect(response.headers["Set-Cookie"] == nil)
      #expect(response.headers["X-Evil"] == "a  Set-Cookie: b")
    }
  }

  @Test func drainFinishesTheRunningRequestAndRefusesNewConnections() async throws {
    let gate = AsyncStream.makeStream(of: Void.self)
    let entered = AsyncStream.makeStream(of: Void.self)
    let router = Router(routes: [
      Route(
        "GET", "/slow",
        .async { _ in
          entered.continuation.yield()
          for await _ in gate.stream { break }
          return HTTPResponse(status: 200, body: Data("done".utf8))
        })
    ])
    let server = HTTPServer(configuration: .init(addresses: ["127.0.0.1:0"]), router: router)
    let address = try server.start()[0]
    let client = try RawClient(address)
    try await client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    for await _ in entered.stream { break }
    let idle = try RawClient(address)
    async let drained: Void = server.shutdown(deadline: .seconds(30))
    #expect(try await idle.receiveUntilClosed().isEmpty)
    gate.continuation.yield()
    let text = String(decoding: try await client.receiveUntilClosed(), as: UTF8.self)
    #expect(text.contains("Connection: close\r\n"))
    #expect(text.hasSuffix("done"))
    await drained
    #expect(throws: RawClient.Failure.self) { try RawClient(address) }
  }

  /// The head of a stream has said that its connection stays; once the server drains, nobody waits for more on it.
  @Test(.timeLimit(.minutes(5))) func drainWaitsForNoRequestAfterAStream() async throws {
    let router = Router(routes: [
      Route(
        "GET", "/events",
        .async { _ in
          HTTPResponse(status: 200, contentType: "text/event-stream") { writer in
            try await writer.write(Data("begun".utf8))
            for await _ in AsyncStream<Void>.makeStream().stream {}
          }
        })
    ])
    let server = HTTPServer(configuration: .init(addresses: ["127.0.0.1:0"]), router: router)
    let client = try RawClient(try server.start()[0])
    try await client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
    var text = ""
    while !text.contains("begun") { text += String(decoding: try await client.receive(), as: UTF8.self) }
    async let drained: Void = server.shutdown(deadline: .seconds(3600))
    text += String(decoding: try await client.receiveUntilClosed(), as: UTF8.self)
    #expect(text.hasSuffix("0\r\n\r\n"))
    await drained
  }

  @Test func handlerIsCancelledWhenItsClientResets() async throws {
    let entered = AsyncStream.makeStream(of: Void.self)
    let cancelled = AsyncStream.makeStream(of: Void.self)
    let router = Router(routes: [
      Route(
        "GET", "/slow",
        .async { _ in
          entered.continuation.yield()
          await withTaskCancellationHandler {
            for await _ in AsyncStream<Void>.makeStream().stream {}
          } onCancel: {
            cancelled.continuation.yield()
          }
          return HTTPResponse(status: 200)
        })
    ])
    try await withServer(router) { address, _ in
      var client: RawClient? = try RawClient(address)
      try await client?.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
      for await _ in entered.stream { break }
      client?.resetOnClose()
      client = nil
      for await _ in cancelled.stream { break }
    }
  }
}
