import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaWire
import Testing

@Suite struct EventHandlersTests {
  /// Reads a stream until a piece holds this, or it ends; answers all that came.
  private static func read(_ api: Harness, after id: String?, until text: String) async throws -> [String] {
    let response = await api.send("GET", "/v1/events", id.map { ["Last-Event-ID": $0] } ?? [:])
    let stream = try #require(response.stream, "\(response.problem)")
    let (pieces, continuation) = AsyncStream.makeStream(of: String.self)
    let task = Task {
      defer { continuation.finish() }
      try await stream(HTTPBodyWriter { continuation.yield(String(decoding: $0, as: UTF8.self)) })
    }
    var seen: [String] = []
    for await piece in pieces {
      seen.append(piece)
      if piece.contains(text) { break }
    }
    task.cancel()
    _ = try? await task.value
    return seen
  }

  private static func id(_ event: String?) throws -> String {
    let line = try #require(event?.split(separator: "\n").first { $0.hasPrefix("id: ") })
    return String(line.dropFirst(4))
  }

  @Test func nodesWorkloadsAndOperationsAreInOneStream() async throws {
    let api = try await Harness()
    let start = String(api.controller.events.newest)
    try await api.join(try FleetSamples.state("n1", gpus: 1))
    let nodes = try await Self.read(api, after: start, until: #""status":"True","type":"Reachable""#)
    #expect(nodes.first == ": events\n\n")
    let others = nodes.dropFirst().filter { !$0.contains("event: plan\n") }
    #expect(others.allSatisfy { $0.contains("event: node") && $0.contains(#""name":"n1""#) })
    let last = try Self.id(nodes.last)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("w"))
    _ = await api.send("GET", "/v1/workloads/w")
    let workloads = try await Self.read(api, after: last, until: #""type":"Planned""#)
    #expect(workloads.last?.contains(#""id":"w""#) == true)
    // The plan that covers the workload is one event, told when it can be read.
    let plans = try await Self.read(api, after: last, until: #""demandRevision":1"#)
    let read = await api.send("GET", "/v1/plan")
    let revision = try #require(read.headers["Parva-Plan-Revision"])
    #expect(plans.last?.contains("event: plan\n") == true)
    #expect(plans.last?.contains(#""revision":\#(revision),"#) == true)
    _ = await api.send("POST", "/v1/plan/apply")
    let operations = try await Self.read(api, after: last, until: "event: operation")
    #expect(operations.last?.contains(#""status":"running""#) == true)
    // What came once comes once more for whoever asks again.
    #expect(try await Self.read(api, after: last, until: "event: operation").last == operations.last)
    try await api.controller.stop()
  }

  @Test func whoMissedEventsIsTold() async throws {
    let api = try await Harness()
    let gap = try await Self.read(api, after: "5", until: "event: gap")
    #expect(gap.last?.contains("/v1/nodes") == true)
    #expect(try Self.id(gap.last) == String(api.controller.events.newest))
    for bad in ["x", "-1", ""] {
      #expect(await api.send("GET", "/v1/events", ["Last-Event-ID": bad]).problem == "400 invalid_last_event_id")
    }
    try await api.controller.stop()
  }

  @Test("a reader that takes nothing while more comes than is kept is told, and its stream ends")
  func slowReadersAreDropped() async throws {
    let api = try await Harness()
    let log = api.controller.events
    let response = await api.send("GET", "/v1/events", ["Last-Event-ID": String(log.newest)])
    let stream = try #require(response.stream)
    log.add("node", "{}")
    let pieces = Pieces()
    // The first event is not taken until far more have come than are kept.
    try await stream(
      HTTPBodyWriter { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if await pieces.add(text) == 2 { for _ in 0..<EventLog.capacity + 10 { log.add("node", "{}") } }
      })
    #expect(await pieces.all.count == 3)
    #expect(await pieces.all.last?.contains("event: gap") == true)
    try await api.controller.stop()
  }

  private actor Pieces {
    private(set) var all: [String] = []

    func add(_ text: String) -> Int {
      all.append(text)
      return all.count
    }
  }
}
