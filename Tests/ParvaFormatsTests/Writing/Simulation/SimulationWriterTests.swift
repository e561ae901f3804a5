import Foundation
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import Testing
import Yams

@Suite("Writing simulations")
struct SimulationWriterTests {
  private func report(events: [SimulationEvent] = []) throws -> SimulationReport {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let demand = RandomDemand.input(seed: 2, products: [product], models: 3, workloads: 6)
    return try Simulator.run(
      SimulationInput(
        plan: ParvaGPUPlanner().plan(demand), workloads: demand.workloads, profiles: demand.profiles, events: events,
        options: SimulationOptions(duration: 4, warmup: 1, seeds: [1, 2], buckets: 8)))
  }

  /// Equal but for the last digits of numbers, which the two parsers round differently.
  private func same(_ a: Any, _ b: Any) -> Bool {
    switch (a, b) {
    case (let a as [String: Any], let b as [String: Any]):
      Set(a.keys) == Set(b.keys) && a.allSatisfy { key, value in b[key].map { same(value, $0) } ?? false }
    case (let a as [Any], let b as [Any]): a.count == b.count && zip(a, b).allSatisfy { same($0, $1) }
    case (let a as String, let b as String): a == b
    case (let a as NSNumber, let b as NSNumber): abs(a.doubleValue - b.doubleValue) <= 1e-12 * abs(a.doubleValue)
    case (let a as NSNumber, let b as Double): abs(a.doubleValue - b) <= 1e-12 * abs(b)
    case (let a as NSNumber, let b as Int): a.intValue == b
    default: false
    }
  }

  @Test func jsonAndYAMLSayTheSame() throws {
    let report = try report()
    let json = try #require(try JSONSerialization.jsonObject(with: SimulationWriter.json(report)) as? [String: Any])
    let yaml = try #require(try Yams.load(yaml: String(decoding: SimulationWriter.yaml(report), as: UTF8.self)))
    #expect(same(json, yaml))
    #expect((json["workloads"] as? [[String: Any]])?.count == 6)
    let first = try #require((json["workloads"] as? [[String: Any]])?.first)
    #expect(first["requests"] as? Int == report.workloads[0].requests)
    #expect((first["attainmentBySeed"] as? [Double])?.count == 2)
    #expect(((json["gpus"] as? [[String: Any]])?.first?["loadOverTime"] as? [Double])?.count == 8)
  }

  @Test func csvHasARowAWorkload() throws {
    let lines = String(decoding: SimulationWriter.csv(try report()), as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 7)
    #expect(Set(lines.map { $0.split(separator: ",").count }) == [21])
  }

  @Test func tableFitsAndStaysASCIIWhereItMust() throws {
    let text = SimulationWriter.text(try report(), TextStyle(width: 110, unicode: false, color: false))
    #expect(text.utf8.allSatisfy { $0 < 0x80 })
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 132 })
    #expect(text.contains("worst"))
  }

  @Test("the page names its parts, shows the events and escapes what users wrote")
  func page() throws {
    var report = try report(events: [
      .rate(time: 1, factor: 2, over: 0, workload: nil), .failure(time: 2, target: .gpu(0), duration: 1),
    ])
    report.planner = "<script>&\""
    let page = String(decoding: SimulationPage(report).html(), as: UTF8.self)
    for part in ["<h2>Workloads", "<h2>Latencies", "<h2>SLO attainment over time", "<h2>GPU load over time"] {
      #expect(page.contains(part))
    }
    #expect(page.contains("GPU 0 fails"))
    #expect(page.contains("GPU 0 is back"))
    #expect(page.contains("&lt;script&gt;&amp;"))
    #expect(!page.contains("<script"))
    #expect(!page.contains("http"), "needs nothing from elsewhere")
    #expect(!page.contains("nan") && !page.contains("inf\""))
    #expect(page.components(separatedBy: "<svg").count - 1 == 6 + 2)
  }
}
