/// Counts of latencies in buckets of equal relative width: 128 to the octave, so that a latency read back is within
/// 1/256 of the one that was put in, whatever its size. Memory does not grow with the number of requests.
public struct LatencyHistogram: Hashable, Sendable {
  /// Largest relative error of a latency read back, for latencies in ``range``.
  public static let relativeError = 1.0 / 256
  /// Seconds that are told apart; what lies outside counts in the first or last bucket.
  public static let range = 0x1p-20..<0x1p16

  private static let bitsPerOctave = 7
  private static let shift = Double.significandBitCount - bitsPerOctave
  private static let base = Int(range.lowerBound.bitPattern >> UInt64(shift))
  private static let size = Int(range.upperBound.bitPattern >> UInt64(shift)) - base

  /// Buckets from `first` on; the whole range while counting, trimmed afterwards.
  private var counts: [Int]
  private var first = 0
  public private(set) var total = 0
  private var least = Double.infinity
  private var greatest = 0.0
  private var sum = 0.0

  public init() { counts = [Int](repeating: 0, count: Self.size) }

  /// The bucket is the exponent with the upper bits of the mantissa: one shift, no logarithm. O(1).
  mutating func add(_ seconds: Double) {
    let bucket = Int(seconds.bitPattern >> UInt64(Self.shift)) - Self.base
    counts[min(max(bucket, 0), Self.size - 1)] += 1
    total += 1
    sum += seconds
    if seconds < least { least = seconds }
    if seconds > greatest { greatest = seconds }
  }

  /// Mean in seconds; 0 where nothing was counted.
  public var mean: Double { total == 0 ? 0 : sum / Double(total) }
  /// Exact; 0 where nothing was counted.
  public var maximum: Double { greatest }
  /// Exact; 0 where nothing was counted.
  public var minimum: Double { total == 0 ? 0 : least }

  /// The least latency in seconds that at least a share `q` of the requests do not exceed (nearest rank), within
  /// ``relativeError``; 0 where nothing was counted. O(buckets).
  public func quantile(_ q: Double) -> Double {
    guard total > 0 else { return 0 }
    let rank = min(max(1, Int((q * Double(total)).rounded(.up))), total)
    var seen = 0
    for (index, count) in counts.enumerated() {
      seen += count
      if seen >= rank { return min(max(Self.middle(first + index), least), greatest) }
    }
    return greatest
  }

  private static func edge(_ bucket: Int) -> Double { Double(bitPattern: UInt64(bucket + base) << UInt64(shift)) }
  private static func middle(_ bucket: Int) -> Double { (edge(bucket) + edge(bucket + 1)) / 2 }

  /// The buckets that hold something, in order: their edges in seconds and their counts.
  public var buckets: [(from: Double, to: Double, count: Int)] {
    counts.enumerated().compactMap { index, count in
      count == 0 ? nil : (Self.edge(first + index), Self.edge(first + index + 1), count)
    }
  }

  /// The same counts in the memory that they need. O(buckets).
  func trimmed() -> LatencyHistogram {
    var result = self
    guard let low = counts.firstIndex(where: { $0 > 0 }), let high = counts.lastIndex(where: { $0 > 0 }) else {
      result.counts = []
      return result
    }
    result.counts = Array(counts[low...high])
    result.first = first + low
    return result
  }

  /// Adds the counts of another. O(buckets).
  mutating func merge(_ other: LatencyHistogram) {
    guard other.total > 0 else { return }
    if total == 0 {
      self = other
      return
    }
    let low = min(first, other.first)
    let high = max(first + counts.count, other.first + other.counts.count)
    if low < first || high > first + counts.count {
      var wider = [Int](repeating: 0, count: high - low)
      for (index, count) in counts.enumerated() { wider[first - low + index] = count }
      counts = wider
      first = low
    }
    for (index, count) in other.counts.enumerated() { counts[other.first - first + index] += count }
    total += other.total
    sum += other.sum
    least = min(least, other.least)
    greatest = max(greatest, other.greatest)
  }
}
