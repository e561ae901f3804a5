/// One segment played through at one rate: its queue is served by `processes` processes, each of which takes what waits
/// when it is free, up to the batch limit, oldest first.
///
/// Every batch is one step, and of its requests only those near the tail are looked at: O(batches + late requests),
/// which is far below the number of requests where batches are large. A run goes on stretch by stretch, beside others.
struct SojournRun {
  /// How a run ends.
  enum Outcome: Hashable {
    /// The least step of an objective that is kept; `Int.max` where none is.
    case keeps(step: Int)
    /// The objective that was asked for is missed; the run broke off when that was certain.
    case misses
  }

  private let arrivals: UnitArrivals
  private let patience: SojournPatience
  private let tail: Double
  /// In a unit of time of the stream.
  private let milliseconds: Double
  private var queue: ServedQueue
  private var tally: SojournTally
  /// The stretch of arrivals that is served; nil for the warm-up, of which nothing is counted.
  private var group: Int?
  /// Milliseconds from which on sojourns are counted.
  private var floor = Double.infinity
  /// Nil until it has ended.
  private(set) var outcome: Outcome?
  /// After so many sojourns it is asked which ones need not be counted any more.
  private static let looking = 64

  /// Begins to play `rate` requests/s through a segment.
  ///
  /// - Parameters:
  ///   - milliseconds: execution times of batches of 1 to the limit.
  ///   - objective: the step that is asked for.
  ///   - spare: what earlier runs counted in, to be used again.
  init(
    _ arrivals: UnitArrivals, tail: Double, rate: Double, milliseconds: [Double], processes: Int, objective: Int,
    _ spare: inout [SojournTally]
  ) {
    self.arrivals = arrivals
    self.tail = tail
    // Time is counted in the unit of the stream.
    let scale = rate / 1000 / arrivals.pace
    let execution = milliseconds.map { $0 * scale }
    self.milliseconds = 1 / scale
    // To begin with a queue is safer than without: what is left of it after the warm-up makes sojourns longer.
    queue = ServedQueue(
      arrivals, execution: execution,
      freeAt: [Double](repeating: 2 * (execution.last ?? 0), count: processes))
    tally = spare.popLast() ?? SojournTally()
    tally.clear(shortest: milliseconds.min() ?? 0, objective: objective)
    patience = SojournPatience(arrivals, tail: tail)
    queue.stop(at: arrivals.warmup, threshold: .infinity)
    advance()
  }

  /// Plays on for a stretch.
  mutating func play() {
    ServedQueue.serve(&queue)
    advance()
  }

  /// Plays two on side by side, neither of which has ended.
  static func play(_ a: inout SojournRun, _ b: inout SojournRun) {
    ServedQueue.serve(&a.queue, &b.queue)
    a.advance()
    b.advance()
  }

  /// Plays four on side by side, none of which has ended.
  static func play(_ a: inout SojournRun, _ b: inout SojournRun, _ c: inout SojournRun, _ d: inout SojournRun) {
    ServedQueue.serve(&a.queue, &b.queue, &c.queue, &d.queue)
    a.advance()
    b.advance()
    c.advance()
    d.advance()
  }

  /// Leaves what it counted in to the next run.
  consuming func end(_ spare: inout [SojournTally]) { spare.append(tally) }

  private mutating func advance() {
    if let group {
      let (milliseconds, allowed) = (milliseconds, patience.allowed[group])
      var (left, threshold) = (Self.looking, floor / milliseconds)
      queue.eachLate { sojourn in
        tally.count(sojourn * milliseconds, group: group)
        left -= 1
        if left == 0 { (left, threshold) = (Self.looking, tally.rise(allowed: allowed) / milliseconds) }
        return threshold
      }
    }
    while outcome == nil, queue.isThere {
      if let group {
        if tally.late > patience.allowed[group] {
          outcome = .misses
          return
        }
        floor = tally.rise(allowed: patience.allowed[group])
      } else {
        floor = 0
      }
      let next = (group ?? -1) + 1
      guard next < arrivals.groups else {
        outcome = .keeps(step: tally.leastStep(patience, floor: floor))
        return
      }
      group = next
      queue.stop(at: arrivals.warmup + (next + 1) * arrivals.groupSize, threshold: floor / milliseconds)
    }
  }
}
