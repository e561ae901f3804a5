/// How long a batch of any size executes on one instance profile with a number of processes: piecewise linear between
/// the measured batch sizes, and the smallest one's time below them.
///
/// A point tells of time twice, by its latency and by its throughput; the longer of the two counts, so that a segment
/// neither answers faster than measured nor serves more than measured.
public struct LatencyCurve: Hashable, Sendable {
  /// Measured batch sizes, ascending; at least one.
  public let batches: [Int]
  /// Execution time in milliseconds of each of ``batches``.
  public let milliseconds: [Double]

  /// Nil where the profile has no point with that many processes on the instance.
  ///
  /// - Parameter instance: index into ``GPUProduct/profiles``.
  /// - Complexity: O(points of the profile).
  public init?(_ profile: ModelProfile, instance: Int, processes: Int) {
    let points = profile.points.filter { $0.profile == instance && $0.processes == processes }
    guard !points.isEmpty else { return nil }
    batches = points.map(\.batch)
    milliseconds = points.map { point in
      max(point.latencyMs, 1000 * Double(point.batch * point.processes) / point.throughput)
    }
  }

  /// Execution time of a batch of `size` requests, at least 1; beyond the largest measured batch that one's time per
  /// request goes on. O(log batches).
  public func milliseconds(batch size: Int) -> Double {
    var low = 0
    var high = batches.count
    while low < high {
      let middle = (low + high) / 2
      if batches[middle] < size { low = middle + 1 } else { high = middle }
    }
    if low == 0 { return milliseconds[0] }
    guard low < batches.count else { return milliseconds[low - 1] * Double(size) / Double(batches[low - 1]) }
    let share = Double(size - batches[low - 1]) / Double(batches[low] - batches[low - 1])
    return milliseconds[low - 1] + share * (milliseconds[low] - milliseconds[low - 1])
  }

  /// Execution times of batches of 1...`limit` requests, at index size - 1. O(limit log batches).
  public func table(limit: Int) -> [Double] { (0..<limit).map { milliseconds(batch: $0 + 1) } }
}
