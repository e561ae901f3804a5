/// What happens to one workload's segments in the course of a simulation.
struct WorkloadCourse: Sendable {
  /// A time at which the split of the stream changes.
  struct Turn: Sendable {
    var time: Double
    /// Segments, by their number within the workload, that fail now, and when they are back.
    var failing: [(segment: Int, recovery: Double)]
    /// Segments that take the stream from now on: in proportion to their planned loads while all are there, else to
    /// their capacities.
    var split: SplitTable
  }

  let segments: [SimulatedSegment]
  /// The first is before all time; in order.
  private(set) var turns: [Turn] = []

  /// O(turns x segments).
  init(_ segments: [SimulatedSegment]) {
    self.segments = segments
    var times: Set<Double> = []
    for segment in segments {
      times.formUnion([segment.from, segment.until])
      times.formUnion(segment.loads.map(\.from))
      for outage in segment.outages { times.formUnion([outage.start, outage.end]) }
    }
    times.insert(-.infinity)
    for time in times.sorted() where time < .infinity {
      let failing = segments.indices.compactMap { index in
        segments[index].outages.first { $0.start == time }.map { (index, $0.end) }
      }
      turns.append(Turn(time: time, failing: failing, split: Self.split(segments, at: time)))
    }
  }

  private static func split(_ segments: [SimulatedSegment], at time: Double) -> SplitTable {
    let accepting = segments.indices.filter { segments[$0].accepts(at: time) }
    let planned = segments.indices.count { segments[$0].isPlanned(at: time, since: segments[$0].loads[0].from) }
    let weights = accepting.map { index in
      let share = segments[index].share(at: time)
      return accepting.count == planned ? share.load : share.capacity
    }
    return SplitTable(accepting, weights: weights)
  }
}
