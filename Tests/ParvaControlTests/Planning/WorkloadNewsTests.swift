import Foundation
import ParvaControlTestSupport
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct WorkloadNewsTests {
  private struct General: Encodable {
    var id: String
    var conditions: [ConditionDocument]
  }

  @Test("news are written as a general encoder writes them")
  func textIsThatOfAnEncoder() throws {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    let texts = [
      "", "plain", "a/b", "with \"quotes\" and \\", "ünïcode ✓", "line\nbreak\t\u{1}\u{7f}", "</script>\u{2028}",
    ]
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    for _ in 0..<500 {
      func text() -> String { texts.randomElement(using: &random) ?? "" }
      let news = WorkloadNews(
        id: text(),
        changed: (0..<Int.random(in: 0...3, using: &random)).map { _ in
          WorkloadNews.Changed(
            condition: Condition(
              "Planned", Condition.Status.allCases.randomElement(using: &random) ?? .unknown, text(), text()),
            since: Samples.time + Double.random(in: 0...1e9, using: &random))
        })
      let general = General(
        id: news.id,
        conditions: news.changed.map {
          ConditionDocument(
            type: $0.condition.type, status: $0.condition.status, reason: $0.condition.reason,
            message: $0.condition.message, since: Timestamp.text($0.since))
        })
      #expect(news.text == String(decoding: try encoder.encode(general), as: UTF8.self), "seed \(seed)")
    }
  }
}
