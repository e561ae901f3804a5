import Foundation
import ParvaHTTP
import Synchronization
import Testing

@Suite struct HTTPClientTests {
  private static func client(_ change: (inout HTTPClient.Configuration) -> Void = { _ in }) -> HTTPClient {
    var configuration = HTTPClient.Configuration()
    configuration.retryPause = .milliseconds(1)
    change(&configuration)
    return HTTPClient(configuration: configuration)
  }

  /// Answers 503 until `failures` are used up, and counts.
  private final class Flaky: Sendable {
    let seen = Mutex(0)
    let failures: Int
    init(failures: Int) { self.failures = failures }

    var router: Router {
      let handler = Route.Handler.inline { _ in
        let count = self.seen.withLock { seen in
          seen += 1
          return seen
        }
        return HTTPResponse(status: count <= self.failures ? 503 : 200)
      }
      return Router(routes: [Route("GET", "/", handler), Route("POST", "/", handler)])
    }
  }

  private static func code(of work: () async throws -> Void) async -> HTTPClientError.Code? {
    do {
      try await work()
      return nil
    } catch {
      return (error as? HTTPClientError)?.code
    }
  }

  @Test func connectionIsReusedForRepeatableRequests() async throws {
    let router = Router(routes: [Route("GET", "/", .inline { _ in HTTPResponse(status: 200) })])
    try await withServer(router) { address, server in
      let client = Self.client()
      for _ in 0..<5 { _ = try await client.send(HTTPClientRequest(method: "GET", url: "http://\(address)/")) }
      #expect(server.statistics.accepted == 1)
      #expect(server.statistics.requests == 5)
    }
  }

  @Test func repeatableRequestIsRetriedUntilItSucceeds() async throws {
    let flaky = Flaky(failures: 2)
    try await withServer(flaky.router) { address, _ in
      let response = try await Self.client().send(HTTPClientRequest(method: "GET", url: "http://\(address)/"))
      #expect(response.status == 200)
      #expect(flaky.seen.withLock { $0 } == 3)
    }
  }

  private static func failure(of client: HTTPClient, _ request: HTTPClientRequest) async -> HTTPClientError? {
    do throws(HTTPClientError) {
      _ = try await client.send(request)
      return nil
    } catch {
      return error
    }
  }

  @Test("a target that is not allowed is never connected to; one that is, is")
  func forbiddenTarget() async throws {
    let router = Router(routes: [Route("GET", "/", .inline { _ in HTTPResponse(status: 200) })])
    try await withServer(router) { address, server in
      let request = HTTPClientRequest(method: "GET", url: "http://\(address)/")
      let closed = Self.client { $0.targets = TargetGuard() }
      let error = await Self.failure(of: closed, request)
      #expect(error?.code == .targetForbidden && error?.cause == "127.0.0.1 is not a public address (loopback)")
      #expect(server.statistics.accepted == 0)
      let open = Self.client { $0.targets = TargetGuard(allowed: [NetworkRange("127.0.0.0/8")].compactMap(\.self)) }
      let response = try await open.send(request)
      #expect(response.status == 200)
      // A name is judged by what it leads to.
      let named = HTTPClientRequest(method: "GET", url: "http://localhost:\(address.split(separator: ":")[1])/")
      #expect(await Self.code { _ = try await closed.send(named) } == .targetForbidden)
    }
  }

  @Test("a body that is longer than wanted is cut, and its status counts")
  func cutBody() async throws {
    let long = Data(repeating: 0x61, count: 100_000)
    let router = Router(routes: [Route("GET", "/", .inline { _ in HTTPResponse(status: 503, body: long) })])
    try await withServer(router) { address, _ in
      let client = Self.client {
        ($0.maxResponseBytes, $0.cutsBodies, $0.retries) = (1000, true, 0)
      }
      let response = try await client.send(HTTPClientRequest(method: "GET", url: "http://\(address)/"))
      #expect(response.status == 503 && response.body.count <= 1000)
    }
  }

  @Test func postWithoutKeyIsSentOnceAndWithAKeyAgain() async throws {
    let flaky = Flaky(failures: 1)
    try await withServer(flaky.router) { address, _ in
      let bare = HTTPClientRequest(method: "POST", url: "http://\(address)/", body: Data("x".utf8))
      let once = try await Self.client().send(bare)
      #expect(once.status == 503)
      #expect(flaky.seen.withLock { $0 } == 1)
    }
    let keyed = Flaky(failures: 1)
    try await withServer(keyed.router) { address, _ in
      let request = HTTPClientRequest(method: "POST", url: "http://\(address)/", headers: ["Idempotency-Key": "k"])
      let twice = try await Self.client().send(request)
      #expect(twice.status == 200)
      #expect(keyed.seen.withLock { $0 } == 2)
    }
  }

  @Test func refusedConnectionIsNamed() async throws {
    let port = try SilentPort()
    let code = await Self.code {
      _ = try await Self.client().send(HTTPClientRequest(method: "POST", url: "http://127.0.0.1:\(port.number)/"))
    }
    #expect(code == .connectFailed)
  }

  @Test func responseOverTheLimitIsCutOff() async throws {
    let router = Router(routes: [
      Route("GET", "/", .inline { _ in HTTPResponse(status: 200, body: Data(count: 100_000)) })
    ])
    try await withServer(router) { address, _ in
      let code = await Self.code {
        _ = try await Self.client { $0.maxResponseBytes = 99_999 }
          .send(HTTPClientRequest(method: "GET", url: "http://\(address)/"))
      }
      #expect(code == .bodyTooLarge)
      let whole = try await Self.client { $0.maxResponseBytes = 100_000 }
        .send(HTTPClientRequest(method: "GET", url: "http://\(address)/"))
      #expect(whole.body.count == 100_000)
    }
  }

  /// A handler that never answers but tells when it is entered and when it is cancelled.
  private struct Stuck {
    let entered = AsyncStream.makeStream(of: Void.self)
    let cancelled = AsyncStream.makeStream(of: Void.self)

    var router: Router {
      let (entered, cancelled) = (entered.continuation, cancelled.continuation)
      return Router(routes: [
        Route(
          "GET", "/",
          .async { _ in
            entered.yield()
            await withTaskCancellationHandler {
              for await _ in AsyncStream<Void>.makeStream().stream {}
            } onCancel: {
              cancelled.yield()
            }
            return HTTPResponse(status: 200)
          })
      ])
    }
  }

  @Test func serverThatDoesNotAnswerTimesOut() async throws {
    let stuck = Stuck()
    try await withServer(stuck.router, { $0.loops = 1 }) { address, server in
      let code = await Self.code {
        _ = try await Self.client().send(
          HTTPClientRequest(method: "GET", url: "http://\(address)/", timeout: .milliseconds(50)))
      }
      #expect(code == .timeout)
      await server.shutdown(deadline: .zero)
    }
  }

  @Test func cancellingTheTaskEndsTheTransfer() async throws {
    let stuck = Stuck()
    try await withServer(stuck.router) { address, server in
      let client = Self.client()
      let task = Task { try await client.send(HTTPClientRequest(method: "GET", url: "http://\(address)/")) }
      for await _ in stuck.entered.stream { break }
      task.cancel()
      let code = await Self.code { _ = try await task.value }
      #expect(code == .cancelled)
      await server.shutdown(deadline: .zero)
    }
  }

  @Test func shutdownFailsWhatIsUnderWay() async throws {
    let stuck = Stuck()
    try await withServer(stuck.router) { address, server in
      let client = Self.client()
      let task = Task { try await client.send(HTTPClientRequest(method: "GET", url: "http://\(address)/")) }
      for await _ in stuck.entered.stream { break }
      client.shutdown()
      let cut = await Self.code { _ = try await task.value }
      #expect(cut == .closed)
      let late = await Self.code {
        _ = try await client.send(HTTPClientRequest(method: "GET", url: "http://\(address)/"))
      }
      #expect(late == .closed)
      await server.shutdown(deadline: .zero)
    }
  }

  @Test(arguments: ["file:///etc/passwd", "gopher://a/", "http://a b/", "not a url"])
  func urlsOfOtherKindsAreRefused(_ url: String) async {
    let code = await Self.code { _ = try await Self.client().send(HTTPClientRequest(method: "GET", url: url)) }
    #expect(code == .badRequest)
  }

  @Test func headerCannotSplitTheRequest() async {
    let code = await Self.code {
      _ = try await Self.client().send(
        HTTPClientRequest(method: "GET", url: "http://127.0.0.1:1/", headers: ["X": "a\r\nHost: b"]))
    }
    #expect(code == .badRequest)
  }

  @Test func unixSocketStandsInForTheHost() async throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("parva-\(UUID().uuidString).sock").path
    let router = Router(routes: [
      Route("GET", "/", .inline { HTTPResponse(status: 200, body: Data($0.remoteAddress!.utf8)) })
    ])
    try await withServer(router, addresses: ["unix:\(path)"]) { _, _ in
      let response = try await Self.client { $0.unixSocketPath = path }
        .send(HTTPClientRequest(method: "GET", url: "http://localhost/"))
      #expect(response.body == Data("unix".utf8))
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
