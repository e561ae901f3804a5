/// The rate of a workload over time as a multiple of its declared rate: steps and ramps.
struct RateCurve: Sendable {
  /// A stretch in which the factor is linear in time.
  private struct Piece {
    var start: Double
    var end: Double
    /// Factor at `start`.
    var factor: Double
    /// Change of the factor per second.
    var slope: Double
  }

  private var pieces: [Piece]
  private var current = 0

  /// - Parameter changes: in order of time; each takes the factor from what it is to `factor` within `over` seconds. A
  ///   change that begins while another is under way ends it there. O(changes).
  init(from start: Double, _ changes: [(time: Double, factor: Double, over: Double)]) {
    pieces = [Piece(start: start, end: .infinity, factor: 1, slope: 0)]
    for change in changes {
      while let last = pieces.last, last.start >= change.time, pieces.count > 1 { pieces.removeLast() }
      let last = pieces.count - 1
      let before = pieces[last].factor + pieces[last].slope * (change.time - pieces[last].start)
      pieces[last].end = change.time
      if change.over > 0 {
        let slope = (change.factor - before) / change.over
        pieces.append(Piece(start: change.time, end: change.time + change.over, factor: before, slope: slope))
      }
      pieces.append(Piece(start: change.time + change.over, end: .infinity, factor: change.factor, slope: 0))
    }
  }

  /// The time after `time` by which `work` seconds at the declared rate are used up; infinite where the rate stays 0.
  /// Times must be asked in ascending order. Amortised O(1).
  mutating func advance(from time: Double, by work: Double) -> Double {
    var time = time
    var work = work
    while true {
      let piece = pieces[current]
      let factor = piece.factor + piece.slope * (time - piece.start)
      let step: Double
      if piece.slope == 0 {
        step = factor > 0 ? work / factor : .infinity
      } else {
        // Root of slope/2 step^2 + factor step = work, in the form that does not cancel.
        let square = factor * factor + 2 * piece.slope * work
        step = work == 0 ? 0 : square >= 0 ? 2 * work / (factor + square.squareRoot()) : .infinity
      }
      if time + step <= piece.end || current == pieces.count - 1 { return time + step }
      let rest = piece.end - time
      work = max(0, work - rest * (factor + 0.5 * piece.slope * rest))
      time = piece.end
      current += 1
    }
  }
}
