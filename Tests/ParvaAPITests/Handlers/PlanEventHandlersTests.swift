import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import Testing

@Suite struct PlanEventHandlersTests {
  /// Runs a stream and hands out its pieces; ends when the stream does.
  private static func pieces(_ response: HTTPResponse) throws -> (AsyncStream<String>, Task<Void, any Error>) {
    let stream = try #require(response.stream)
    let (pieces, continuation) = AsyncStream.makeStream(of: String.self)
    let task = Task {
      defer { continuation.finish() }
      try await stream(HTTPBodyWriter { continuation.yield(String(decoding: $0, as: UTF8.self)) })
    }
    return (pieces, task)
  }

  @Test func currentPlanComesFirstAndThenEveryNewOne() async throws {
    let api = try await Harness()
    _ = await api.send("GET", "/v1/plan")
    let response = await api.send("GET", "/v1/plan/events")
    #expect(response.headers["Content-Type"] == "text/event-stream")
    let (pieces, task) = try Self.pieces(response)
    var events = pieces.makeAsyncIterator()
    #expect(await events.next() == ": plans\n\n")
    let first = try #require(await events.next())
    #expect(first.hasPrefix("id: 1\nevent: plan\ndata: {"))
    #expect(first.contains(#""gpuCount": 0"#))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    let second = try #require(await events.next())
    #expect(second.hasPrefix("id: 2\n"))
    #expect(second.contains(#""gpuCount": 1"#))
    // The end of the controller is the end of the stream.
    api.controller.releaseWaiters()
    try await task.value
  }

  @Test func lastEventIDLeavesOutWhatTheClientHas() async throws {
    let api = try await Harness()
    _ = await api.send("GET", "/v1/plan")
    let (pieces, task) = try Self.pieces(await api.send("GET", "/v1/plan/events", ["Last-Event-ID": "1"]))
    var events = pieces.makeAsyncIterator()
    #expect(await events.next() == ": plans\n\n")
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    #expect(await events.next()?.hasPrefix("id: 2\n") == true)
    api.controller.releaseWaiters()
    try await task.value
    for bad in ["x", "-1", ""] {
      #expect(
        await api.send("GET", "/v1/plan/events", ["Last-Event-ID": bad]).problem == "400 invalid_last_event_id")
    }
  }
}
