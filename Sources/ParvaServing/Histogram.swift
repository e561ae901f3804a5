/// Counts of values by upper bound.
package struct Histogram: Hashable, Sendable {
  package let bounds: [Double]
  /// One more than the bounds: the last counts what is above them all.
  package private(set) var counts: [Int]
  package private(set) var sum = 0.0

  package init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  package mutating func add(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }
}
