/// How busy one segment was from time 0 to the horizon.
struct SegmentUsage: Sendable {
  private let horizon: Double
  private let bucketsPerSecond: Double
  private(set) var batches = 0
  /// Requests in those batches.
  private(set) var requests = 0
  /// Request-seconds spent waiting, for the requests taken.
  private(set) var waited = 0.0
  private(set) var longestQueue = 0
  /// End of the last execution, at most the horizon.
  private(set) var lastEnd = 0.0
  /// Process-seconds of execution.
  private(set) var busy = 0.0
  /// The same in equal stretches of the horizon.
  private(set) var busyOverTime: [Double]

  init(horizon: Double, buckets: Int) {
    self.horizon = horizon
    bucketsPerSecond = Double(buckets) / horizon
    busyOverTime = [Double](repeating: 0, count: buckets)
  }

  /// Of the queues of one segment, at least one; all of the same horizon and stretches. The longest queue is that of one server.
  static func together(_ queues: [SegmentUsage]) -> SegmentUsage {
    var sum = queues[0]
    for queue in queues.dropFirst() {
      sum.batches += queue.batches
      sum.requests += queue.requests
      sum.waited += queue.waited
      sum.longestQueue = max(sum.longestQueue, queue.longestQueue)
      sum.lastEnd = max(sum.lastEnd, queue.lastEnd)
      sum.busy += queue.busy
      for index in sum.busyOverTime.indices { sum.busyOverTime[index] += queue.busyOverTime[index] }
    }
    return sum
  }

  /// A process takes the `count` oldest of those that wait. O(count).
  mutating func start(_ count: Int, of waiting: borrowing RequestRing, at start: Double, until end: Double) {
    let from = max(0, start)
    let to = min(end, horizon)
    if to > from { occupy(from, to) }
    guard start >= 0, start < horizon else { return }
    batches += 1
    requests += count
    if waiting.count > longestQueue, start > waiting[0] { longestQueue = waiting.count }
    for index in 0..<count { waited += start - max(0, waiting[index]) }
  }

  private mutating func occupy(_ from: Double, _ to: Double) {
    busy += to - from
    lastEnd = max(lastEnd, to)
    let first = min(Int(from * bucketsPerSecond), busyOverTime.count - 1)
    let last = min(Int(to * bucketsPerSecond), busyOverTime.count - 1)
    if first == last {
      busyOverTime[first] += to - from
      return
    }
    for bucket in first...last {
      let begin = Double(bucket) / bucketsPerSecond
      let end = Double(bucket + 1) / bucketsPerSecond
      busyOverTime[bucket] += max(0, min(to, end) - max(from, begin))
    }
  }
}
