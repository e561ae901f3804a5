import Foundation
import ParvaEngine
import ParvaFormats
import Testing

@Suite struct CapacityFileTests {
  private func facts(_ random: inout SeededGenerator) -> [CapacityFacts] {
    (0..<Int.random(in: 0...9, using: &random)).map { _ in
      CapacityFacts(
        key: .init(high: random.next(), low: random.next()),
        entries: (0..<Int.random(in: 0...30, using: &random)).map { _ in random.next() })
    }
  }

  @Test("what is written reads back", arguments: 0..<20)
  func roundTrip(_ seed: Int) {
    var random = SeededGenerator(UInt64(seed))
    let facts = facts(&random)
    #expect(CapacityFile.facts(CapacityFile.data(facts)) == facts, "seed \(seed)")
  }

  @Test("a file that is cut or of which a bit is wrong holds nothing", arguments: 0..<20)
  func damaged(_ seed: Int) {
    var random = SeededGenerator(UInt64(seed))
    let whole = CapacityFile.data(facts(&random) + [CapacityFacts(key: .init(high: 1, low: 2), entries: [3])])
    var flipped = whole
    flipped[Int.random(in: whole.indices, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
    #expect(CapacityFile.facts(flipped) == [], "seed \(seed)")
    #expect(CapacityFile.facts(whole.prefix(Int.random(in: 0..<whole.count, using: &random))) == [], "seed \(seed)")
    #expect(CapacityFile.facts(Data("something else".utf8)) == [])
    #expect(CapacityFile.facts(Data()) == [])
  }

  @Test("a file stays within its limit, and what is asked first is what stays")
  func bounded() {
    let facts = (0..<5).map {
      CapacityFacts(key: .init(high: $0, low: 0), entries: [UInt64](repeating: 7, count: 500_000))
    }
    let data = CapacityFile.data(facts)
    #expect(data.count <= CapacityFile.limit)
    #expect(CapacityFile.facts(data) == Array(facts.prefix(4)))
  }
}
