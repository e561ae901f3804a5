/// Why a request was not served.
public enum RequestLoss: Int, Hashable, Sendable, CaseIterable {
  /// The queue of its segment was full.
  case overflow
  /// It waited or ran on a segment that failed, or that a new plan took away.
  case failure
  /// No segment of its workload was up.
  case unserved
}

/// What became of the requests of one workload in one run. Requests that arrived before time 0 are not counted.
struct RequestTally: Sendable {
  let sloSeconds: Double
  let horizon: Double
  private let bucketsPerSecond: Double

  private(set) var arrived = 0
  /// Finished by the horizon.
  private(set) var completed = 0
  /// Waiting or running at the horizon; they are still served, and their latencies count.
  private(set) var pending = 0
  private(set) var lost = [Int](repeating: 0, count: RequestLoss.allCases.count)
  private(set) var withinSLO = 0
  private(set) var histogram = LatencyHistogram()
  /// Requests and those within the SLO by the time of their end, in equal stretches of the horizon.
  private(set) var ended: [Int]
  private(set) var endedWithinSLO: [Int]

  init(sloSeconds: Double, horizon: Double, buckets: Int) {
    self.sloSeconds = sloSeconds
    self.horizon = horizon
    bucketsPerSecond = Double(buckets) / horizon
    ended = [Int](repeating: 0, count: buckets)
    endedWithinSLO = ended
  }

  mutating func arrive(at time: Double) { if time >= 0 { arrived += 1 } }

  /// The requests that arrived at `arrivals` of a ring, `count` from `head` on, end together at `finish`. O(count).
  mutating func serve(_ ring: borrowing RequestRing, _ count: Int, finish: Double) {
    var counted = 0
    var within = 0
    for index in 0..<count {
      let arrival = ring[index]
      guard arrival >= 0 else { continue }
      let sojourn = finish - arrival
      counted += 1
      if sojourn <= sloSeconds { within += 1 }
      histogram.add(sojourn)
    }
    withinSLO += within
    if finish <= horizon { completed += counted } else { pending += counted }
    let bucket = self.bucket(finish)
    ended[bucket] += counted
    endedWithinSLO[bucket] += within
  }

  /// One request that arrived at `arrival` is given up at `time`.
  mutating func lose(_ arrival: Double, at time: Double, _ reason: RequestLoss) {
    guard arrival >= 0 else { return }
    lost[reason.rawValue] += 1
    ended[bucket(time)] += 1
  }

  private func bucket(_ time: Double) -> Int {
    min(max(0, Int(min(time, horizon) * bucketsPerSecond)), ended.count - 1)
  }
}
