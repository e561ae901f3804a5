/// One segment played through at one rate: its queue is served by `processes` processes, each of which takes what waits
/// when it is free, up to the batch limit, oldest first.
///
/// Every batch is one step, and of its requests only those near the tail are looked at: O(batches + late requests),
/// which is far below the number of requests where batches are large.
struct SojournRun {
  /// How a run ends.
  enum Outcome: Hashable {
    /// The least step of an objective that is kept; `Int.max` where none is.
    case keeps(step: Int)
    /// The objective that was asked for is missed; the run broke off when that was certain.
    case misses
  }

  private let tail: Double
  private var tally = SojournTally()

  init(tail: Double) { self.tail = tail }

  /// Plays `rate` requests/s through a segment.
  ///
  /// - Parameters:
  ///   - milliseconds: execution times of batches of 1 to the limit.
  ///   - objective: the step that is asked for.
  mutating func play(
    _ arrivals: UnitArrivals, rate: Double, milliseconds: [Double], processes: Int, objective: Int
  ) -> Outcome {
    // Time is counted in the unit of the stream.
    let scale = rate / 1000 / arrivals.pace
    let execution = milliseconds.map { $0 * scale }
    // To begin with a queue is safer than without: what is left of it after the warm-up makes sojourns longer.
    var queue = ServedQueue(
      arrivals, execution: execution, milliseconds: 1 / scale,
      freeAt: [Double](repeating: 2 * (execution.last ?? 0), count: processes))
    tally.clear(shortest: milliseconds.min() ?? 0, objective: objective)
    let patience = SojournPatience(arrivals, tail: tail)
    // Of the warm-up nothing is counted.
    queue.serve(until: arrivals.warmup, group: 0, floor: .infinity, &tally)
    var floor = 0.0
    for group in 0..<arrivals.groups {
      queue.serve(until: arrivals.warmup + (group + 1) * arrivals.groupSize, group: group, floor: floor, &tally)
      if tally.late > patience.allowed[group] { return .misses }
      // Later groups need only count what can come near the tail.
      if group == 0 { floor = tally.floor(enough: Int(4 * tail * Double(arrivals.groupSize))) }
    }
    return .keeps(step: tally.leastStep(patience, floor: floor))
  }
}

/// The queue of a segment with the processes that serve it; times are in the unit of its stream of arrivals.
private struct ServedQueue {
  private let stream: UnitStream
  /// Arrivals of the run: those that the stream may have beyond them are not looked at.
  private let total: Int
  /// Of batches of 1 to the limit.
  private let execution: [Double]
  /// In a unit of time.
  private let milliseconds: Double
  /// By process: when it ends its batch.
  private var freeAt: [Double]
  /// The first arrival not served.
  private var head = 0

  init(_ arrivals: UnitArrivals, execution: [Double], milliseconds: Double, freeAt: [Double]) {
    stream = arrivals.stream
    total = arrivals.warmup + arrivals.judged
    self.execution = execution
    self.milliseconds = milliseconds
    self.freeAt = freeAt
  }

  /// Serves batches until the one that would begin with arrival `end`, and counts sojourns of at least `floor`
  /// milliseconds.
  mutating func serve(until end: Int, group: Int, floor: Double, _ tally: inout SojournTally) {
    let (stream, batches) = (stream, execution)
    let marks = stream.marks.span
    let offsets = stream.offsets.span
    let execution = batches.span
    let limit = execution.count
    let threshold = floor / milliseconds
    var head = head
    while head < end {
      let (process, free) = firstFree()
      let start = max(free, marks[head >> 4] + Double(offsets[head]))
      let last = min(head + limit, total)
      // Who came last of those that wait: first the sixteen it is among, then itself.
      let sixteen = marks.last(in: head >> 4...(last - 1) >> 4) { start - $0 }
      let candidates = max(head, 16 * sixteen)...min(last, 16 * sixteen + 16) - 1
      let sinceMark = start - marks[sixteen]
      let next = offsets.last(in: candidates) { sinceMark - Double($0) } + 1
      let done = start + execution[next - head - 1]
      freeAt[process] = done
      while head < next {
        let sojourn = done - (marks[head >> 4] + Double(offsets[head]))
        if sojourn < threshold { break }
        tally.count(sojourn * milliseconds, group: group)
        head += 1
      }
      head = next
    }
    self.head = head
  }

  @inline(__always)
  private func firstFree() -> (process: Int, time: Double) {
    var first = 0
    var free = freeAt[0]
    for process in 1..<max(1, freeAt.count) {
      let other = freeAt[process]
      first = other < free ? process : first
      free = min(other, free)
    }
    return (first, free)
  }
}

extension Span {
  /// The last of ascending times that is not after now: `since` tells how long ago a time is, and the first of the range is
  /// not in the future. O(log range), without a branch on what is found.
  @inline(__always)
  fileprivate func last(in range: ClosedRange<Int>, since: (Element) -> Double) -> Int where Element: Copyable {
    var found = range.lowerBound
    var left = range.upperBound - found + 1
    while left > 1 {
      let half = left >> 1
      // 1 where it is in the future: the sign of the difference.
      let isAfter = Int(truncatingIfNeeded: since(self[found + half]).bitPattern >> 63)
      found &+= half & (isAfter &- 1)
      left -= half
    }
    return found
  }
}
