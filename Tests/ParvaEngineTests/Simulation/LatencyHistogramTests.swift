import Foundation
import ParvaTestSupport
import Testing

@testable import ParvaEngine

@Suite("Latency histogram") struct LatencyHistogramTests {
  private func values(_ seed: UInt64, _ count: Int) -> [Double] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in exp(Double.random(in: log(1e-5)...log(100), using: &random)) }
  }

  @Test("quantiles are within the stated error of the true ones", arguments: [1, 2, 3] as [UInt64])
  func quantiles(_ seed: UInt64) {
    let sample = values(seed, 20_000)
    var histogram = LatencyHistogram()
    for value in sample { histogram.add(value) }
    let sorted = sample.sorted()
    for q in [0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1] {
      let exact = sorted[min(sorted.count - 1, max(0, Int((q * Double(sorted.count)).rounded(.up)) - 1))]
      #expect(abs(histogram.quantile(q) / exact - 1) <= LatencyHistogram.relativeError)
    }
    #expect(histogram.maximum == sorted.last)
    #expect(histogram.minimum == sorted.first)
    #expect(abs(histogram.mean / (sample.reduce(0, +) / 20_000) - 1) < 1e-12)
  }

  @Test("trimmed and merged in any order it is the histogram of all")
  func merging() {
    var whole = LatencyHistogram()
    let parts = (0..<5).map { part in
      var histogram = LatencyHistogram()
      for value in values(UInt64(part), part * 500) {
        histogram.add(value)
        whole.add(value)
      }
      return histogram.trimmed()
    }
    for order in [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1]] {
      var merged = LatencyHistogram().trimmed()
      for part in order { merged.merge(parts[part]) }
      #expect(merged.total == whole.total)
      #expect(merged.buckets.map(\.count) == whole.buckets.map(\.count))
      #expect(merged.buckets.map(\.from) == whole.buckets.map(\.from))
      #expect(merged.maximum == whole.maximum)
      #expect(merged.quantile(0.99) == whole.quantile(0.99))
    }
  }

  @Test("what lies outside its range counts at the edge")
  func edges() {
    var histogram = LatencyHistogram()
    for value in [0, 1e-9, 1e9] { histogram.add(value) }
    #expect(histogram.total == 3)
    #expect(histogram.maximum == 1e9)
    #expect(histogram.buckets.reduce(0) { $0 + $1.count } == 3)
    #expect(LatencyHistogram().quantile(0.5) == 0)
  }
}
