import Foundation
import Logging
import ParvaHTTP
import ParvaWire
import Synchronization
import Testing

@testable import ParvaNode

/// The agent's side of registration and heartbeats, over real HTTP and by a clock that the test moves.
@Suite struct ControllerLinkTests {
  /// Stands where a controller would: one declaration under preconditions, and a count of heartbeats.
  private final class Controller: Sendable {
    struct State {
      /// Of the declaration; 0 while there is none.
      var revision = 0
      /// Whether somebody else changes the declaration right after it is next read.
      var isRaced = false
      var heartbeats = 0
      var last = Data()
      var puts: [(match: String?, noneMatch: String?, drain: String?)] = []
      var isDraining = false
    }

    let state: Mutex<State>
    let address: String
    private let server: HTTPServer

    init(revision: Int = 0, isRaced: Bool = false) throws {
      state = Mutex(State(revision: revision, isRaced: isRaced))
      let box = Box()
      var quiet = Logger(label: "controller")
      quiet.logLevel = .critical
      var configuration = HTTPServer.Configuration(addresses: ["127.0.0.1:0"])
      configuration.loops = 1
      server = HTTPServer(
        configuration: configuration,
        router: Router(
          routes: [
            Route("GET", "/v1/nodes/{name}", .async { _ in try box.controller().get() }),
            Route("PUT", "/v1/nodes/{name}", .async { try box.controller().put($0) }),
            Route("POST", "/v1/nodes/{name}/status", .async { try box.controller().heard($0) }),
          ], logger: quiet), logger: quiet)
      address = "http://" + (try server.start()[0])
      box.set(self)
    }

    private final class Box: Sendable {
      private let value = Mutex<Controller?>(nil)
      func set(_ controller: Controller) { value.withLock { $0 = controller } }
      func controller() throws -> Controller { try #require(value.withLock { $0 }) }
    }

    var heartbeats: Int { state.withLock(\.heartbeats) }

    private func get() throws -> HTTPResponse {
      let (revision, isDraining) = state.withLock { state in
        defer {
          if state.isRaced { state.revision += 1 }
          state.isRaced = false
        }
        return (state.revision, state.isDraining)
      }
      if revision == 0 { throw ProblemDetails(status: 404, code: "not_found", detail: "none") }
      return HTTPResponse(
        status: 200, contentType: "application/json",
        body: Data(#"{"name":"n1","status":{"state":"\#(isDraining ? "draining" : "ready")"}}"#.utf8),
        headers: ["ETag": "\"\(revision)\""])
    }

    private func put(_ request: HTTPRequest) throws -> HTTPResponse {
      let (match, noneMatch) = (request.headers["If-Match"], request.headers["If-None-Match"])
      let status = state.withLock { state in
        state.puts.append((match, noneMatch, request.queryValue("drain")))
        if match == nil && noneMatch == nil { return 428 }
        guard state.revision == 0 ? noneMatch == "*" : match == "\"\(state.revision)\"" else { return 412 }
        state.revision += 1
        return 200
      }
      if status != 200 { throw ProblemDetails(status: status, code: "precondition", detail: "as a test wants it") }
      return HTTPResponse(status: 200, contentType: "application/json", body: Data("{}".utf8))
    }

    private func heard(_ request: HTTPRequest) throws -> HTTPResponse {
      state.withLock { state in
        state.heartbeats += 1
        state.last = request.body
      }
      return HTTPResponse(
        status: 200, contentType: "application/json",
        body: try JSONEncoder().encode(HeartbeatAnswer(state: "ready", heartbeatSeconds: 10)))
    }

    func shutdown() async { await server.shutdown(deadline: .zero) }
  }

  private static func link(_ controller: Controller, _ bell: Doorbell, _ clock: ManualClock) -> ControllerLink {
    var quiet = Logger(label: "link")
    quiet.logLevel = .critical
    return ControllerLink(
      configuration: ControllerLink.Configuration(
        controllers: [controller.address], name: "n1", spec: NodeSpec(address: "http://127.0.0.1:1")),
      logger: quiet, bell: bell, clock: clock
    ) {
      NodeStateDocument(
        name: "n1", simulated: true,
        observed: ObservedNode(simulated: true, source: "memory", driverVersion: "SIMULATED", gpus: []), verified: nil,
        owned: [], services: [], operation: nil)
    }
  }

  /// Of several controllers the one that answers is spoken to, and stays so; while none does, none is asked in a frenzy.
  @Test(.timeLimit(.minutes(15)))
  func anotherControllerIsAskedWhereOneFails() async throws {
    let (first, second) = (try Controller(), try Controller())
    let (bell, clock) = (Doorbell(), ManualClock())
    var quiet = Logger(label: "link")
    quiet.logLevel = .critical
    let link = ControllerLink(
      configuration: ControllerLink.Configuration(
        controllers: ["http://127.0.0.1:1", first.address, second.address], name: "n1",
        spec: NodeSpec(address: "http://127.0.0.1:1")),
      logger: quiet, bell: bell, clock: clock
    ) {
      NodeStateDocument(
        name: "n1", simulated: true,
        observed: ObservedNode(simulated: true, source: "memory", driverVersion: "SIMULATED", gpus: []), verified: nil,
        owned: [], services: [], operation: nil)
    }
    let running = Task { await link.run() }
    await clock.untilAwaited(.seconds(1))
    #expect(first.heartbeats == 1 && second.heartbeats == 0)
    await first.shutdown()
    bell.ring()
    clock.advance(to: .seconds(1))
    await clock.untilAwaited(.seconds(2))
    #expect(second.heartbeats == 1)
    running.cancel()
    clock.advance(to: .seconds(100))
    await running.value
    await second.shutdown()
  }

  /// A change is told once, a second after the last exchange at the earliest, and the next heartbeat comes ten seconds
  /// after that one: nothing of the waits before is heard later.
  @Test("no pause is longer than a node may be silent", arguments: [0.5: 2.0, 1: 3, 10: 30, 100: 30])
  func pausesAreBounded(interval: Double, longest: Double) {
    let configuration = ControllerLink.Configuration(
      controllers: ["http://127.0.0.1:1"], name: "n1", spec: NodeSpec(address: "http://127.0.0.1:1"))
    var pause = configuration.pause
    for _ in 0..<10 { pause = configuration.pause(after: pause, interval: .seconds(interval)) }
    #expect(pause == .seconds(longest))
  }

  @Test("F1: a change costs one heartbeat, not all that follow", .timeLimit(.minutes(15)))
  func changesAreToldOnce() async throws {
    let (controller, bell, clock) = (try Controller(), Doorbell(), ManualClock())
    let running = Task { await Self.link(controller, bell, clock).run() }
    await clock.untilAwaited(.seconds(1))
    #expect(controller.heartbeats == 1)
    // Keys are in order, so that equal states are equal bytes.
    let body = controller.state.withLock(\.last)
    let sorted = try JSONSerialization.data(
      withJSONObject: try JSONSerialization.jsonObject(with: body), options: [.sortedKeys, .withoutEscapingSlashes])
    #expect(!body.isEmpty && body == sorted)
    var (now, count) = (Duration.zero, 1)
    for rings in [0, 1, 5, 0, 0, 2, 0, 0, 0] {
      for _ in 0..<rings { bell.ring() }
      clock.advance(to: now + .seconds(1))
      now += .seconds(1)
      if rings == 0 {
        await clock.untilAwaited(now + .seconds(9))
        #expect(controller.heartbeats == count)
        clock.advance(to: now + .seconds(9))
        now += .seconds(9)
      }
      await clock.untilAwaited(now + .seconds(1))
      count += 1
      #expect(controller.heartbeats == count)
    }
    // In the middle of a wait.
    clock.advance(to: now + .seconds(1))
    await clock.untilAwaited(now + .seconds(10))
    clock.advance(to: now + .seconds(4))
    bell.ring()
    await clock.untilAwaited(now + .seconds(5))
    #expect(controller.heartbeats == count + 1)
    running.cancel()
    await running.value
    await controller.shutdown()
  }

  @Test("F5: a registration names what it changes", arguments: [false, true])
  func registrationsCarryPreconditions(isRaced: Bool) async throws {
    let clock = ManualClock()
    for revision in [0, 7] {
      let controller = try Controller(revision: revision, isRaced: isRaced)
      let running = Task { await Self.link(controller, Doorbell(), clock).run() }
      await clock.untilAwaited(.seconds(1))
      #expect(controller.heartbeats == 1)
      let (reached, puts) = controller.state.withLock { ($0.revision, $0.puts) }
      #expect(reached == revision + (isRaced ? 2 : 1))
      #expect(puts.count == (isRaced ? 2 : 1))
      #expect(puts.first?.noneMatch == (revision == 0 ? "*" : nil))
      #expect(puts.first?.match == (revision == 0 ? nil : "\"7\""))
      running.cancel()
      await running.value
      await controller.shutdown()
    }
  }

  @Test("an agent that starts anew leaves a drain as it is", arguments: [false, true])
  func drainsOutliveTheAgent(isDraining: Bool) async throws {
    let (controller, clock) = (try Controller(revision: 7), ManualClock())
    controller.state.withLock { $0.isDraining = isDraining }
    let running = Task { await Self.link(controller, Doorbell(), clock).run() }
    await clock.untilAwaited(.seconds(1))
    #expect(controller.heartbeats == 1)
    #expect(controller.state.withLock { $0.puts.map(\.drain) } == [isDraining ? "keep" : nil])
    running.cancel()
    await running.value
    await controller.shutdown()
  }
}
