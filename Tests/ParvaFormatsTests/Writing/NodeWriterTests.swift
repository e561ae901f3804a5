import Foundation
import ParvaFormats
import ParvaTestSupport
import ParvaWire
import Testing

@Suite struct NodeWriterTests {
  /// Every member there and not there, and text that JSON escapes.
  private struct Draw {
    var random: SeededGenerator

    mutating func number() -> Int { Int.random(in: 0..<100_000, using: &random) }
    mutating func flag() -> Bool { Bool.random(using: &random) }
    mutating func text() -> String {
      ["a", "", "\"\\/", "line\nend\u{1}", "Straße ☃"].randomElement(using: &random) ?? ""
    }
    mutating func maybe<Value>(_ value: Value) -> Value? { flag() ? value : nil }
    mutating func list<Value>(_ one: (inout Draw) -> Value) -> [Value] {
      (0..<Int.random(in: 0...3, using: &random)).map { _ in one(&self) }
    }

    mutating func node() -> NodeResource {
      NodeResource(
        name: text(), address: text(), hasWebhookSecret: flag(), webhookSecretRef: maybe(text()), zone: maybe(text()),
        labels: Dictionary(list { ($0.text(), $0.text()) }, uniquingKeysWith: { first, _ in first }),
        revision: number(),
        createdAt: text(), updatedAt: text(),
        status: NodeResource.Status(
          state: text(), lastHeartbeat: maybe(text()), simulated: maybe(flag()), driverVersion: maybe(text()),
          verifiedRevision: maybe(number()), matchesPlan: maybe(flag()), degraded: maybe(text()), usableGPUs: number(),
          gpus: list { $0.gpu() }, services: number(), unhealthyServices: number(), duty: text(),
          conditions: list {
            ConditionDocument(
              type: $0.text(), status: $0.flag() ? .isTrue : .unknown, reason: $0.text(), message: $0.text(),
              since: $0.text())
          },
          faults: maybe(
            list {
              GPUFaultDocument(
                gpu: $0.text(), xid: $0.number(), instance: $0.maybe(1), count: $0.number(), last: $0.text())
            })))
    }

    mutating func gpu() -> NodeResource.GPU {
      NodeResource.GPU(
        index: number(), uuid: text(), board: text(), product: maybe(text()), pool: maybe(text()),
        memoryMiB: maybe(number()), memorySlices: maybe(number()), migMode: text(), usable: flag(),
        reason: maybe(text()), message: maybe(text()),
        instances: list {
          NodeResource.Instance(
            profile: $0.text(), profileId: $0.number(), start: $0.number(), size: $0.number(),
            uuid: $0.maybe($0.text()), owned: $0.flag(), workload: $0.maybe($0.text()))
        })
    }
  }

  @Test("a page holds what a general encoder writes of it, member for member", arguments: 0..<200 as Range<UInt64>)
  func samePage(offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var draw = Draw(random: SeededGenerator(seed))
    let list = NodeList(nodes: draw.list { $0.node() }, nextCursor: draw.maybe(draw.text()))
    let written = NodeWriter.json(list)
    #expect(try JSONDecoder().decode(NodeList.self, from: written) == list, "seed \(seed)")
    let (own, general) = (
      try JSONSerialization.jsonObject(with: written) as? NSDictionary,
      try JSONSerialization.jsonObject(with: WireWriter.json(list)) as? NSDictionary
    )
    #expect(own != nil && own == general, "seed \(seed)")
  }
}
