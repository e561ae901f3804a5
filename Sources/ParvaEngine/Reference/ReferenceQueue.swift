/// A segment written down as plainly as it can be: one queue, first in first out, and processes that take what waits,
/// up to the batch limit, when they are free. What others promise of a segment is judged by it.
struct ReferenceQueue {
  /// How long batches of 1 to the limit execute, in the unit of the arrivals.
  let execution: [Double]
  /// By process: when its batch ends.
  private var freeAt: [Double]

  init(execution: [Double], processes: Int, freeAt: Double = 0) {
    self.execution = execution
    self.freeAt = [Double](repeating: freeAt, count: processes)
  }

  /// Serves arrivals in ascending order batch by batch, until all are served or `served` says no more. O(arrivals).
  ///
  /// - Parameter served: is told the arrivals of a batch and the time at which it is done.
  @inline(__always)
  mutating func serve(_ arrivals: Span<Double>, _ served: (Range<Int>, Double) -> Bool) {
    var first = 0
    while first < arrivals.count {
      var process = 0
      for other in 1..<max(1, freeAt.count) where freeAt[other] < freeAt[process] { process = other }
      let start = max(freeAt[process], arrivals[first])
      let most = min(arrivals.count, first + execution.count)
      var end = first + 1
      while end < most, arrivals[end] <= start { end += 1 }
      let done = start + execution[end - first - 1]
      freeAt[process] = done
      guard served(first..<end, done) else { return }
      first = end
    }
  }
}
