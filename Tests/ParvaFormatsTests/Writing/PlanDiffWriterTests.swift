import Foundation
import ParvaEngine
import ParvaFormats
import Testing

@Suite struct PlanDiffWriterTests {
  private static func plan(node: String?, uuid: String?) throws -> Plan {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let profile = try #require(product.profileIndex(named: "1g.10gb"))
    let segment = Segment(
      workload: "w", ordinal: 0, model: "m", profile: profile, start: 0, batch: 1, processes: 1, capacity: 9, load: 7,
      latencyMs: 5)
    let gpus = [PlannedGPU(pool: "a", product: product, node: node, uuid: uuid, segments: [segment])]
    return Plan(
      planner: "optimal", admission: "half-slo", status: .optimal, gpus: gpus, unplaced: [],
      summary: PlanMetrics.summary(of: gpus, pools: [Pool(name: "a", product: product)], profileSource: .measured))
  }

  @Test("a move between real GPUs names the node and the UUID of both, in every format")
  func boundGPUs() throws {
    let diff = PlanDiffWriter(
      from: try Self.plan(node: "n1", uuid: "GPU-0123abcd-0000-0000-0000-000000000001"),
      to: try Self.plan(node: "n2", uuid: "GPU-9876fedc-0000-0000-0000-000000000002"))
    let text = diff.text(TextStyle(unicode: false))
    #expect(text.contains("w/0: moved n1 GPU-0123abcd 1g.10gb at 0 -> n2 GPU-9876fedc 1g.10gb at 0\n"), "\(text)")
    let json = try JSONSerialization.jsonObject(with: diff.json()) as? [String: Any]
    let change = (json?["changes"] as? [[String: Any]])?.first
    let places = ["from", "to"].map { change?[$0] as? [String: Any] }
    #expect(places.map { $0?["node"] as? String } == ["n1", "n2"])
    #expect(places.map { ($0?["uuid"] as? String)?.last } == ["1", "2"])
    let rows = String(decoding: diff.csv(), as: UTF8.self).split(separator: "\n").map { $0.split(separator: ",") }
    let columns = ["from_node", "from_uuid", "to_node"].map { name in rows[0].firstIndex(of: Substring(name)) ?? 0 }
    #expect(columns.map { rows[1][$0] } == ["n1", "GPU-0123abcd-0000-0000-0000-000000000001", "n2"])
  }

  @Test("a move between GPUs of plans that are bound to none goes by their numbers")
  func unboundGPUs() throws {
    var new = try Self.plan(node: nil, uuid: nil)
    new.gpus[0].segments[0].start = 1
    let text = PlanDiffWriter(from: try Self.plan(node: nil, uuid: nil), to: new).text(TextStyle(unicode: false))
    #expect(text.contains("w/0: moved GPU 0 1g.10gb at 0 -> GPU 0 1g.10gb at 1\n"), "\(text)")
  }
}
