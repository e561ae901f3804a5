import Foundation
import Logging
import ParvaHTTP
import ParvaWire
import Testing

@testable import ParvaNode

@Suite struct FaultWatchTests {
  private static func report(_ lines: [String], on node: SimulatedNode) throws {
    let file = node.directory.appendingPathComponent("events")
    let before = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    try (before + lines.map { $0 + "\n" }.joined()).write(to: file, atomically: true, encoding: .utf8)
  }

  @Test func errorsComeInOrderAndOnlyOnce() throws {
    let node = try SimulatedNode(["A100-80GB", "A100-80GB"])
    try Self.report(["0 13 -1 -1"], on: node)
    let feed = try #require(try node.driver.faults())
    #expect(try feed.next(within: 0) == nil)
    try Self.report(["1 79 -1 -1", "nonsense", "99 1 -1 -1", "0 31 5 0"], on: node)
    #expect(try feed.next(within: 30_000) == GPUFault(gpu: SimulatedNode.uuid(1), xid: 79))
    #expect(try feed.next(within: 30_000) == GPUFault(gpu: SimulatedNode.uuid(0), xid: 31, instance: 5))
    #expect(try feed.next(within: 0) == nil)
  }

  @Test func theNodeCountsThemByKind() async throws {
    let node = try SimulatedNode(["A100-80GB"])
    let (faults, told) = AsyncStream<Void>.makeStream()
    let watch = FaultWatch(driver: node.driver, logger: Logger(label: "test")) { told.yield() }
    #expect(watch.documents == nil)
    watch.start()
    #expect(watch.documents == [])
    let running = Task { await watch.run() }
    try Self.report(["0 31 5 0", "0 31 5 0", "0 79 -1 -1"], on: node)
    for await _ in faults.prefix(3) {}
    running.cancel()
    await running.value
    let documents = try #require(watch.documents)
    #expect(documents.map(\.xid) == [31, 79])
    #expect(documents.map(\.count) == [2, 1])
    #expect(documents.map(\.instance) == [5, nil])
  }

  @Test func theyAreShownAndMeasured() async throws {
    let (faults, told) = AsyncStream<Void>.makeStream()
    let bench = try NodeAgentTests.Bench(["A100-80GB"]) { told.yield() }
    try await bench.agent.start()
    let running = Task { await bench.agent.run() }
    try Self.report(["0 63 -1 -1"], on: bench.node)
    for await _ in faults.prefix(1) {}
    running.cancel()
    await running.value
    let state = try JSONDecoder().decode(NodeStateDocument.self, from: await bench.get("/v1/state").body)
    #expect(state.faults?.map(\.xid) == [63])
    let text = String(decoding: await bench.get("/metrics").body, as: UTF8.self)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("parva_node_xid_errors_total{") })
    for label in [
      "UUID=\"\(SimulatedNode.uuid(0))\"", "device=\"nvidia0\"", "gpu=\"0\"", "xid=\"63\"", "Hostname=\"",
      "model_name=\"NVIDIA A100-SXM4-80GB",
    ] { #expect(line.contains(label), "\(label) is missing in \(line)") }
    #expect(line.hasSuffix("} 1"))
  }

  @Test func aDriverWithoutEventsSaysNothing() async {
    let watch = FaultWatch(driver: MemoryDriver([]), logger: Logger(label: "test")) {}
    watch.start()
    await watch.run()
    #expect(watch.documents == nil)
  }
}
