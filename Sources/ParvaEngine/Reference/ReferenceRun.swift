/// The test of one rate that docs/admission.md describes: a run in equal stretches, whose late requests must stay below
/// the allowed share with 99 % confidence.
struct ReferenceRun: Sendable {
  /// Quantile of Student's distribution with 14 degrees of freedom that 99 of 100 values stay below.
  private static let student = 2.624

  private let times: [Double]
  /// Requests of one stretch; as many come before the first, to fill the queue.
  private let size: Int
  private let stretches: Int
  /// Arrivals per unit of time.
  private let pace: Double
  private let tail: Double
  /// By stretch: how much longer it took than all on average.
  private let delays: [Double]

  /// A run of `judged` requests of a drawn stream, of which `times` are the first at least.
  ///
  /// Runs of n cannot tell paces apart that differ by sqrt(cv2 / n), so it is played faster by that much.
  init(drawn times: [Double], judged: Int, cv2: Double, tail: Double) {
    (self.times, self.tail, stretches, size) = (times, tail, 16, judged / 16)
    let size = size
    let ends = (1...17).map { times[$0 * size - 1] }
    let mean = (ends[16] - ends[0]) / 16
    delays = zip(ends, ends.dropFirst()).map { $1 - $0 - mean }
    pace = Double(judged) / (ends[16] - ends[0]) / (1 + (cv2 / Double(judged)).squareRoot())
  }

  /// A recording that was laid out twice: judged as it is, in one stretch.
  init(recorded times: [Double], tail: Double) {
    (self.times, self.tail, stretches, size, pace, delays) = (times, tail, 1, times.count / 2, 1, [0])
  }

  /// Whether a segment keeps an objective in milliseconds, and every looser one, at `rate` requests/s. O(requests + late
  /// requests x log late requests), less where it does not.
  ///
  /// - Parameter milliseconds: execution times of batches of 1 to the limit.
  func keeps(_ objective: Double, rate: Double, milliseconds: [Double], processes: Int) -> Bool {
    let scale = rate / 1000 / pace
    let unit = 1 / scale
    let execution = milliseconds.map { $0 * scale }
    // The run begins with two batches a process that wait.
    var queue = ReferenceQueue(execution: execution, processes: processes, freeAt: 2 * execution[execution.count - 1])
    let limit = Float(objective)
    let longest = ReferenceGrid.step(milliseconds.min() ?? 0) + ReferenceGrid.span
    let arrivals = times.span.extracting(first: (stretches + 1) * size)
    var late: [Late] = []
    var stretch = 0
    var isKept = true
    queue.serve(arrivals) { batch, done in
      guard batch.lowerBound >= size else { return true }
      // A batch counts for the stretch in which it begins.
      if batch.lowerBound >= (stretch + 2) * size {
        isKept = late.count <= allowed(stretch)
        stretch = batch.lowerBound / size - 1
      }
      for arrival in batch {
        let sojourn = Float((done - arrivals[arrival]) * unit)
        guard sojourn >= limit else { break }
        late.append(Late(step: ReferenceGrid.step(Double(sojourn)), stretch: stretch))
      }
      let first = ReferenceGrid.step((done - arrivals[batch.lowerBound]) * unit)
      return isKept && first < longest
    }
    guard isKept else { return false }
    late.sort { $0.step > $1.step }
    var counts = [Int](repeating: 0, count: stretches)
    for (index, request) in late.enumerated() {
      guard request.step < longest else { return false }
      counts[request.stretch] += 1
      let isLastOfStep = index + 1 == late.count || late[index + 1].step < request.step
      if isLastOfStep && !allows(counts) { return false }
    }
    return true
  }

  private struct Late {
    var step: Int
    var stretch: Int
  }

  /// Late requests up to the end of a stretch: as many as in two stretches more would be allowed.
  private func allowed(_ stretch: Int) -> Int { Int(tail * Double(size * min(stretch + 3, stretches))) }

  /// Whether no stretch would have ended the run, and the mean and 2.624 of its standard errors are within the tail. What a stretch owes to its own pace is no
  /// doubt about the mean; it is taken out by a linear regression.
  private func allows(_ late: [Int]) -> Bool {
    var sum = 0
    for (stretch, count) in late.enumerated() {
      sum += count
      if sum > allowed(stretch) { return false }
    }
    let count = Double(stretches)
    let mean = Double(sum) / count
    guard stretches > 2 else { return mean <= tail * Double(size) }
    let square = late.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let product = zip(late, delays).reduce(0) { $0 + Double($1.0) * $1.1 }
    let spread = delays.reduce(0) { $0 + $1 * $1 }
    let variance = max(0, square - (spread == 0 ? 0 : product * product / spread)) / (count - 2)
    return mean + Self.student * (variance / count).squareRoot() <= tail * Double(size)
  }
}
