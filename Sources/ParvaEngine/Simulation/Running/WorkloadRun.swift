/// One workload played through once. Workloads share nothing, so each is a run of its own.
struct WorkloadRun {
  /// What a run leaves behind.
  struct Outcome: Sendable {
    var tally: RequestTally
    var histogram: LatencyHistogram
    /// By number of the segment within the workload.
    var usage: [SegmentUsage]
    /// Arrivals, those before time 0 included.
    var simulated: Int
  }

  /// Arrivals between two reports of progress.
  private static let stride = 1 << 18

  private let course: WorkloadCourse
  private let options: SimulationOptions
  /// Those of each segment side by side, see ``queuesOf``.
  private var queues: [BatchQueue] = []
  /// By number of the segment within the workload.
  private var queuesOf: [Range<Int>] = []
  private var tally: RequestTally
  private var gaps: GapSource
  private var curve: RateCurve
  private var random: Xoshiro256
  private let meanGap: Double
  private var turn = 0

  init(
    _ workload: Workload, _ course: WorkloadCourse,
    _ changes: [(time: Double, factor: Double, over: Double)], _ options: SimulationOptions, seed: UInt64
  ) {
    self.course = course
    self.options = options
    for segment in course.segments {
      var queue = BatchQueue(
        latencies: segment.latencies, processes: segment.processes / segment.queues,
        longestWait: options.longestWaitMs / 1000, queueLimit: options.queueLimit,
        usage: SegmentUsage(horizon: options.duration, buckets: options.buckets))
      if let first = segment.outages.first { queue.willFail(at: first.start) }
      queuesOf.append(queues.count..<queues.count + segment.queues)
      for _ in 0..<segment.queues { queues.append(queue) }
    }
    tally = RequestTally(
      sloSeconds: workload.sloLatencyMs / 1000, horizon: options.duration, buckets: options.buckets)
    gaps = GapSource(
      options.shape(of: workload),
      random: Xoshiro256(seed: seed, name: workload.id, purpose: 0))
    random = Xoshiro256(seed: seed, name: workload.id, purpose: 1)
    curve = RateCurve(from: -options.warmup, changes)
    meanGap = 1 / workload.rate
  }

  /// Plays to the end: arrivals stop at the horizon, and what is in the queues then is still served.
  ///
  /// - Complexity: O(requests + batches x processes); memory does not depend on the duration.
  mutating func play(_ progress: (Int) -> Void) -> Outcome {
    var simulated = 0
    var time = curve.advance(from: -options.warmup, by: gaps.first() * meanGap)
    while true {
      while turn < course.turns.count, course.turns[turn].time <= time, course.turns[turn].time < options.duration {
        take(course.turns[turn])
      }
      guard time < options.duration else { break }
      simulated += 1
      if simulated % Self.stride == 0 { progress(Self.stride) }
      tally.arrive(at: time)
      send(time, now: time, unless: .unserved)
      time = curve.advance(from: time, by: gaps.next() * meanGap)
    }
    for index in queues.indices { queues[index].advance(before: .infinity, &tally) }
    progress(simulated % Self.stride)
    return Outcome(
      tally: tally, histogram: tally.histogram.trimmed(),
      usage: queuesOf.map { SegmentUsage.together(queues[$0].map(\.figures)) }, simulated: simulated)
  }

  /// Gives a request to a segment of the split in force; loses it for the reason given where there is none.
  private mutating func send(_ arrival: Double, now: Double, unless reason: RequestLoss) {
    let split = turn - 1
    guard !course.turns[split].split.isEmpty else {
      tally.lose(arrival, at: now, reason)
      return
    }
    let own = queuesOf[course.turns[split].split.pick(&random)]
    // Servers of one segment are equally likely.
    let queue =
      own.count == 1
      ? own.lowerBound
      : own.lowerBound + Int(random.next().multipliedFullWidth(by: UInt64(own.count)).high)
    queues[queue].advance(before: now, &tally)
    queues[queue].push(arrival, now: now, &tally)
  }

  private mutating func take(_ next: WorkloadCourse.Turn) {
    turn += 1
    var orphans: [Double] = []
    for (index, recovery) in next.failing {
      let later = course.segments[index].outages.first { $0.start > next.time }
      for queue in queuesOf[index] {
        queues[queue].advance(before: next.time, &tally)
        let (waiting, running) = queues[queue].fail(until: recovery)
        if let later { queues[queue].willFail(at: later.start) }
        orphans += waiting + running
      }
    }
    for arrival in orphans.sorted() {
      if options.failurePolicy == .retry {
        send(arrival, now: next.time, unless: .failure)
      } else {
        tally.lose(arrival, at: next.time, .failure)
      }
    }
  }
}
