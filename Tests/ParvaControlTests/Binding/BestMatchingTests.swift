import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct BestMatchingTests {
  /// The greatest sum by trying everything.
  private static func exhaustive(_ weights: [[Int]], _ row: Int = 0, _ taken: Set<Int> = []) -> Int {
    guard row < weights.count else { return 0 }
    var best = weights.count > weights[0].count ? exhaustive(weights, row + 1, taken) : Int.min
    for column in weights[0].indices where !taken.contains(column) {
      best = max(best, weights[row][column] + exhaustive(weights, row + 1, taken.union([column])))
    }
    return best
  }

  @Test func theSumIsTheGreatestThereIs() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for round in 0..<400 {
      let (rows, columns) = (Int.random(in: 1...5, using: &random), Int.random(in: 1...6, using: &random))
      let weights = (0..<rows).map { _ in (0..<columns).map { _ in Int.random(in: 0...9, using: &random) } }
      let found = BestMatching.of(rows: rows, columns: columns) { weights[$0][$1] }
      let used = found.compactMap(\.self)
      #expect(Set(used).count == used.count && used.count == min(rows, columns), "seed \(seed), round \(round)")
      var sum = 0
      for (row, column) in found.enumerated() { if let column { sum += weights[row][column] } }
      #expect(sum == Self.exhaustive(weights), "seed \(seed), round \(round)")
    }
  }

  @Test func equalWeightsGoInOrder() {
    #expect(BestMatching.of(rows: 3, columns: 4) { _, _ in 0 } == [0, 1, 2])
    #expect(BestMatching.of(rows: 0, columns: 4) { _, _ in 0 } == [])
    #expect(BestMatching.of(rows: 2, columns: 0) { _, _ in 0 } == [nil, nil])
  }
}
