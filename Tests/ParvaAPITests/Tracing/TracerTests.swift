import Foundation
import Logging
import ParvaHTTP
import ParvaServing
import Synchronization
import Testing

@Suite struct TracerTests {
  private static func tracer(_ endpoint: String, queue: Int = 2048, batch: Int = 256) -> Tracer {
    var settings = Tracer.Settings(endpoint: endpoint, service: "test")
    (settings.queue, settings.batch) = (queue, batch)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return Tracer(settings, logger: logger)
  }

  private static func end(_ count: Int, in tracer: Tracer) {
    for number in 0..<count {
      tracer.end(tracer.begin("span", below: nil), [("number", .number(number))])
    }
  }

  /// Exported, overflowed, refused.
  private static func totals(_ tracer: Tracer) -> [Int] {
    [tracer.totals.exported, tracer.totals.overflowed, tracer.totals.refused]
  }

  @Test func whatAFullQueueHasNoRoomForIsDroppedAndCounted() async {
    let tracer = Self.tracer("http://127.0.0.1:1", queue: 4)
    Self.end(10, in: tracer)
    #expect(Self.totals(tracer) == [0, 6, 0])
  }

  @Test func whatNoCollectorTakesIsDroppedAndCounted() async {
    let tracer = Self.tracer("http://127.0.0.1:1")
    Self.end(3, in: tracer)
    tracer.stop()
    await tracer.run()
    #expect(Self.totals(tracer) == [0, 0, 3])
  }

  @Test func allThatWaitsIsSentInBatchesBeforeTheEnd() async throws {
    let bodies = Mutex<[Data]>([])
    let route = Route(
      "POST", "/v1/traces",
      .inline { request in
        bodies.withLock { $0.append(request.body) }
        return HTTPResponse(status: 200, contentType: "application/json", body: Data("{}".utf8))
      })
    var quiet = Logger(label: "test")
    quiet.logLevel = .critical
    let server = HTTPServer(
      configuration: HTTPServerConfiguration(addresses: ["127.0.0.1:0"]),
      router: Router(routes: [route], logger: quiet),
      logger: quiet)
    let address = try #require(try server.start().first)
    let tracer = Self.tracer("http://\(address)", batch: 4)
    Self.end(10, in: tracer)
    tracer.stop()
    await tracer.run()
    await server.shutdown()
    #expect(Self.totals(tracer) == [10, 0, 0])
    let counts = try bodies.withLock { $0 }.map { body in
      let document = try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any])
      let resource = try #require((document["resourceSpans"] as? [[String: Any]])?.first)
      return ((resource["scopeSpans"] as? [[String: Any]])?.first?["spans"] as? [Any])?.count
    }
    #expect(counts == [4, 4, 2])
  }

  @Test func contextsAreWrittenAsTheyAreRead() throws {
    let tracer = Self.tracer("http://127.0.0.1:1")
    let root = tracer.begin("root", below: nil).context
    let child = tracer.begin("child", below: root).context
    #expect(child.traceID == root.traceID && child.spanID != root.spanID)
    var request = HTTPRequest(method: "GET", path: "/")
    request.headers["traceparent"] = child.traceparent
    #expect(request.traceParent.map { SpanContext($0) } == child)
    request.headers["traceparent"] = "00-\(root.traceID)-\(root.spanID)-00"
    #expect(request.traceParent?.isSampled == false)
  }

  @Test func oneNameBelongsToFewSpansAndOldNamesAreForgotten() {
    let tracer = Self.tracer("http://127.0.0.1:1")
    for number in 0..<5000 {
      tracer.note(tracer.begin("one", below: nil).context, as: "name \(number)")
      tracer.note(tracer.begin("one", below: nil).context, as: "same")
    }
    #expect(tracer.context(of: "name 0") == nil && tracer.context(of: "name 4999") != nil)
    #expect(tracer.take("same").count <= 32 && tracer.take("same").isEmpty)
  }
}

@Suite struct JSONLogHandlerTests {
  @Test func anEventIsOneObjectInOneLine() throws {
    let taken = LineTaker()
    let handler = JSONLogHandler(label: "parva", now: { Date(timeIntervalSince1970: 1.5) }, write: taken.take)
    let logger = Logger(label: "parva") { _ in handler }
    logger.warning("a \"plan\"\nfailed", metadata: ["revision": "7", "message": "hidden", "cause": "tab\t \u{1} ü"])
    #expect(
      taken.text
        == #"{"time":"1970-01-01T00:00:01.500Z","level":"warning","component":"parva","message":"a \"plan\"\nfailed","#
        + #""cause":"tab\t \u0001 ü","message_":"hidden","revision":"7"}"# + "\n")
    let object = try JSONSerialization.jsonObject(with: Data(taken.text.utf8)) as? [String: String]
    #expect(object?["message"] == "a \"plan\"\nfailed")
  }

  private final class LineTaker: Sendable {
    private let kept = Mutex("")
    var text: String { kept.withLock { $0 } }
    var take: @Sendable (Data) -> Void {
      { [self] line in kept.withLock { $0 += String(decoding: line, as: UTF8.self) } }
    }
  }
}
