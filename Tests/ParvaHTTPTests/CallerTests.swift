import Foundation
import ParvaHTTP
import Synchronization
import Testing

@Suite struct CallerTests {
  private static func caller(expiresAt: Date? = nil) -> Caller {
    Caller(name: "a", id: "token:a", role: "reader", expiresAt: expiresAt)
  }

  @Test func whoWaitsForTheEndIsTold() async {
    let caller = Self.caller()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 { group.addTask { await caller.untilEnded() } }
      caller.end()
      caller.end()
    }
    #expect(caller.hasEnded)
    await caller.untilEnded()
  }

  @Test func theRightRunsOutByItself() async {
    let caller = Self.caller(expiresAt: Date() + 0.01)
    await caller.untilEnded()
    #expect(caller.hasEnded)
  }

  @Test func whoIsCancelledWaitsNoLonger() async {
    let caller = Self.caller(expiresAt: Date() + 86_400)
    let waiting = Task { await caller.untilEnded() }
    waiting.cancel()
    await waiting.value
    #expect(!caller.hasEnded)
  }

  /// A router whose gate knows one caller, and whose only route streams for as long as it may.
  private static func router(_ caller: Caller, _ stream: @escaping HTTPResponse.Stream) -> Router {
    Router(
      routes: [
        Route("GET", "/", .async { _ in HTTPResponse(status: 200, contentType: "text/plain", stream: stream) })
      ],
      gate: { request, _ throws(ProblemDetails) in request.caller = caller })
  }

  @Test("a stream that looks at nothing but its writer ends with its caller")
  func streamsEnd() async throws {
    let caller = Self.caller()
    let written = Mutex(0)
    let router = Self.router(caller) { writer in
      while true { try await writer.write(Data("x".utf8)) }
    }
    let response = await router.respond(to: HTTPRequest(method: "GET", path: "/"))
    try await response.stream?(
      HTTPBodyWriter { _ in
        if written.withLock({
          $0 += 1; return $0
        }) == 3 {
          caller.end()
        }
      })
    #expect(written.withLock { $0 } == 3)
  }

  @Test("a stream that ends by itself is over, and what it throws is thrown")
  func streamsEndByThemselves() async throws {
    struct Fault: Error {}
    let quiet = await Self.router(Self.caller()) { _ in }.respond(to: HTTPRequest(method: "GET", path: "/"))
    try await quiet.stream?(HTTPBodyWriter { _ in })
    let faulty = await Self.router(Self.caller()) { _ in throw Fault() }
      .respond(to: HTTPRequest(method: "GET", path: "/"))
    await #expect(throws: Fault.self) { try await faulty.stream?(HTTPBodyWriter { _ in }) }
  }
}
