/// A segment over the whole of a simulation: what it runs, and when it is there.
struct SimulatedSegment: Sendable {
  /// When the segment is down, and takes nothing.
  struct Outage: Sendable {
    var start: Double
    /// Infinite where it does not come back.
    var end: Double
  }

  var id: String
  /// Index into the input's workloads.
  var workload: Int
  /// Index into the model's GPUs.
  var gpu: Int
  /// Index of the first plan that has it.
  var plan: Int
  var profile: Int
  var computeSlices: Int
  var batch: Int
  var processes: Int
  /// Queues, each before as many of the processes.
  var queues: Int
  /// Seconds by batch size.
  var latencies: [Double]
  /// First and last time at which it takes requests, outages apart.
  var from: Double
  var until = Double.infinity
  /// In order, apart from each other.
  var outages: [Outage] = []
  /// Shares of its workload's stream that the plans give it, from each time on, and its share where others are missing.
  var loads: [(from: Double, load: Double, capacity: Double)]

  func accepts(at time: Double) -> Bool {
    time >= from && time < until && !outages.contains { time >= $0.start && time < $0.end }
  }

  /// Whether the plan in force wants it at that time, up or not.
  func isPlanned(at time: Double, since planned: Double) -> Bool { time >= planned && time < until }

  func share(at time: Double) -> (load: Double, capacity: Double) {
    let current = loads.last { $0.from <= time } ?? loads[0]
    return (current.load, current.capacity)
  }

  mutating func addOutage(_ outage: Outage) {
    outages.append(outage)
    outages.sort { $0.start < $1.start }
    var merged: [Outage] = []
    for next in outages {
      if let last = merged.last, next.start <= last.end {
        merged[merged.count - 1].end = max(last.end, next.end)
      } else {
        merged.append(next)
      }
    }
    outages = merged
  }

  /// Seconds from 0 to `horizon` in which it takes requests.
  func secondsUp(until horizon: Double) -> Double {
    let (first, last) = (max(0, from), min(until, horizon))
    guard last > first else { return 0 }
    let down = outages.reduce(0) { $0 + max(0, min($1.end, last) - max($1.start, first)) }
    return last - first - down
  }
}
