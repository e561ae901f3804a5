/// The gaps of a recorded stream, at least one above 0, brought to mean 1.
public struct ArrivalRecording: Equatable, Sendable {
  public let name: String
  public let gaps: [Double]

  /// - Parameters:
  ///   - arrivals: times in ascending order, in any unit; at least two different ones.
  /// - Returns: nil where the times are fewer, or not in order. The gap from the last arrival back to the first is the
  ///   mean gap. O(n).
  public init?(name: String, arrivals: [Double]) {
    guard let first = arrivals.first, let last = arrivals.last, last > first, (last - first).isFinite else {
      return nil
    }
    let mean = (last - first) / Double(arrivals.count - 1)
    var gaps: [Double] = []
    gaps.reserveCapacity(arrivals.count)
    for (earlier, later) in zip(arrivals, arrivals.dropFirst()) {
      guard later >= earlier else { return nil }
      gaps.append((later - earlier) / mean)
    }
    gaps.append(1)
    self.name = name
    self.gaps = gaps
  }

  /// A recording that was made before, from its gaps.
  ///
  /// - Returns: nil where a gap is below 0 or not finite, or there are fewer than two.
  package init?(name: String, gaps: [Double]) {
    guard gaps.count >= 2, gaps.allSatisfy({ $0 >= 0 && $0.isFinite }) else { return nil }
    self.name = name
    self.gaps = gaps
  }
}

extension ArrivalRecording: Hashable {
  /// By name and length, so that asking for what is known of one costs little. O(1).
  public func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(gaps.count)
  }
}
