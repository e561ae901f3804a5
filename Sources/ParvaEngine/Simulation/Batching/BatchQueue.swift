/// One segment: a first-in first-out queue before `p` equal processes that serve it in batches.
///
/// A free process takes the oldest requests that wait, at most `b`, at once; with a longest wait `d` above 0 only when
/// `b` wait or the oldest has waited `d`. A batch of n runs for the latency of n, and its requests end together.
///
/// The queue is worked off lazily: nothing happens between two arrivals but batches that start, so ``advance(before:)``
/// starts those that are due. Between calls every waiting request has arrived by ``nextStart``. Times are seconds.
struct BatchQueue: Sendable {
  /// Execution time by batch size; entry 0 is unused.
  private let latencies: [Double]
  private let batchLimit: Int
  private let longestWait: Double
  private var waiting: RequestRing
  /// When each process becomes free.
  private var freeAt: [Double]
  private var earliest = 0
  /// Start of the next batch as things stand; infinite while nothing waits.
  private(set) var nextStart = Double.infinity
  /// When the segment fails next: what has not ended by then does not end.
  private var failsAt = Double.infinity
  private var usage: SegmentUsage
  /// Requests that ran when the segment failed.
  private var interrupted: [Double] = []

  /// - Parameter latencies: execution time in seconds by batch size, from 0 (unused) to the limit.
  init(latencies: [Double], processes: Int, longestWait: Double, queueLimit: Int, usage: SegmentUsage) {
    self.latencies = latencies
    batchLimit = latencies.count - 1
    self.longestWait = longestWait
    waiting = RequestRing(limit: queueLimit)
    freeAt = [Double](repeating: -.infinity, count: processes)
    self.usage = usage
  }

  var figures: SegmentUsage { usage }

  /// Starts every batch that is due before `time`, not at it: what arrives at the very time that a process becomes free
  /// still joins. O(requests taken x 1 + batches x processes).
  mutating func advance(before time: Double, _ tally: inout RequestTally) {
    while nextStart < time { startBatch(&tally) }
  }

  /// Takes in a request that arrived at `arrival`, `now` or before; ``advance(before:)`` must have been called with `now`.
  mutating func push(_ arrival: Double, now: Double, _ tally: inout RequestTally) {
    if waiting.isFull {
      tally.lose(arrival, at: now, .overflow)
      return
    }
    waiting.append(arrival)
    let count = waiting.count
    if count == 1 || (count == batchLimit && longestWait > 0) { schedule(notBefore: now) }
  }

  private mutating func schedule(notBefore time: Double) {
    guard waiting.count > 0 else {
      nextStart = .infinity
      return
    }
    var ready = waiting[0]
    if longestWait > 0 {
      ready += longestWait
      if waiting.count >= batchLimit { ready = min(ready, waiting[batchLimit - 1]) }
    }
    nextStart = max(time, ready, freeAt[earliest])
  }

  private mutating func startBatch(_ tally: inout RequestTally) {
    let start = nextStart
    let count = min(waiting.count, batchLimit)
    let finish = start + latencies[count]
    usage.start(count, of: waiting, at: start, until: min(finish, failsAt))
    if finish <= failsAt {
      tally.serve(waiting, count, finish: finish)
    } else {
      for index in 0..<count { interrupted.append(waiting[index]) }
    }
    waiting.removeFirst(count)
    freeAt[earliest] = finish
    for index in freeAt.indices where freeAt[index] < freeAt[earliest] { earliest = index }
    schedule(notBefore: start)
  }

  /// Says when the segment fails next. Before anything that could still run then has started.
  mutating func willFail(at time: Double) { failsAt = time }

  /// Empties the segment at its failure; it takes requests again from `recovery` on.
  ///
  /// - Returns: arrival times of what waited and of what ran.
  mutating func fail(until recovery: Double) -> (waiting: [Double], running: [Double]) {
    let held = (0..<waiting.count).map { waiting[$0] }
    let running = interrupted
    waiting.removeFirst(waiting.count)
    interrupted = []
    nextStart = .infinity
    failsAt = .infinity
    for index in freeAt.indices { freeAt[index] = recovery }
    earliest = 0
    return (held, running)
  }
}
