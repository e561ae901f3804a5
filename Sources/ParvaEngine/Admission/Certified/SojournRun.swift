/// One segment played through at one rate: its queue is served by `processes` processes, each of which takes what waits
/// when it is free, up to the batch limit, oldest first.
///
/// Every batch is one step, and of its requests only those near the tail are looked at: O(batches log limit + late
/// requests), which is far below the number of requests where batches are large.
struct SojournRun {
  /// How a run ends.
  enum Outcome: Hashable {
    /// The least step of an objective that is kept.
    case keeps(step: Int)
    /// The objective that was asked for is missed; the run broke off when that was certain.
    case misses
  }

  /// Quantile of Student's distribution with 15 degrees of freedom that 99 of 100 values stay below.
  private static let student = 2.602
  /// Steps that are told apart above the shortest execution time: ten octaves.
  private static let width = 10 * CapacityGrid.octave

  private let arrivals: UnitArrivals
  private let tail: Double
  /// By group and step: requests with such a sojourn.
  private var counts: [UInt32]
  private var freeAt: [Double] = []
  private var execution: [Double] = []

  init(_ arrivals: UnitArrivals, tail: Double) {
    self.arrivals = arrivals
    self.tail = tail
    counts = [UInt32](repeating: 0, count: arrivals.groups * Self.width)
  }

  /// Plays `rate` requests/s through a segment.
  ///
  /// - Parameters:
  ///   - milliseconds: execution times of batches of 1 to the limit.
  ///   - wait: the longest time in milliseconds that a free process waits for a batch to fill.
  ///   - objective: the step that is asked for.
  mutating func play(
    rate: Double, milliseconds: [Double], processes: Int, wait: Double = 0, objective: Int
  ) -> Outcome {
    let scale = rate / 1000
    execution.removeAll(keepingCapacity: true)
    var shortest = Double.infinity
    for time in milliseconds {
      execution.append(time * scale)
      shortest = min(shortest, time)
    }
    freeAt.removeAll(keepingCapacity: true)
    // To begin with a queue is safer than without: what is left of it after the warm-up makes sojourns longer.
    for _ in 0..<processes { freeAt.append(2 * (execution.last ?? 0)) }
    for index in counts.indices { counts[index] = 0 }
    let base = CapacityGrid.step(ofSojourn: shortest) - 1
    let allowed = Int(tail * Double(arrivals.judged))
    var head = 0
    var floor = 0.0
    var late = 0
    head = advance(to: arrivals.warmup, from: head, wait * scale, scale, base, group: nil, floor: 0)
    for group in 0..<arrivals.groups {
      let end = arrivals.warmup + (group + 1) * arrivals.groupSize
      head = advance(to: end, from: head, wait * scale, scale, base, group: group, floor: floor)
      late += misses(of: objective, in: group, base)
      if late > allowed { return .misses }
      // Later groups need only count what can come near the tail.
      if group == 0 { floor = self.floor(base) }
    }
    return .keeps(step: leastStep(base, floor))
  }

  /// Serves batches until the one that would begin with arrival `end`; returns the first arrival not served.
  private mutating func advance(
    to end: Int, from first: Int, _ wait: Double, _ scale: Double, _ base: Int, group: Int?, floor: Double
  ) -> Int {
    let times = arrivals.times
    let total = times.count
    let limit = execution.count
    let processes = freeAt.count
    let offset = (group ?? 0) * Self.width
    let unit = 1 / scale
    let threshold = floor * scale
    var head = first
    while head < end {
      var which = 0
      var free = freeAt[0]
      for process in 1..<max(1, processes) where freeAt[process] < free {
        which = process
        free = freeAt[process]
      }
      var start = max(free, times[head])
      if wait > 0 {
        let full = head + limit <= total ? times[head + limit - 1] : .infinity
        start = max(start, min(full, times[head] + wait))
      }
      let last = min(head + limit, total)
      var next = last
      if times[last - 1] > start {
        next = head + 1
        // Where few wait a look at each is quickest.
        let near = min(next + 8, last)
        while next < near, times[next] <= start { next += 1 }
        if next == near {
          var beyond = last
          while next < beyond {
            let middle = (next + beyond) >> 1
            if times[middle] <= start { next = middle + 1 } else { beyond = middle }
          }
        }
      }
      let done = start + execution[next - head - 1]
      freeAt[which] = done
      if group != nil {
        var request = head
        while request < next {
          let sojourn = done - times[request]
          if sojourn < threshold { break }
          let step = CapacityGrid.step(ofSojourn: sojourn * unit) - base
          counts[offset + min(max(step, 0), Self.width - 1)] += 1
          request += 1
        }
      }
      head = next
    }
    return head
  }

  private func misses(of objective: Int, in group: Int, _ base: Int) -> Int {
    let from = max(0, objective - base)
    guard from < Self.width else { return 0 }
    return counts[(group * Self.width + from)..<((group + 1) * Self.width)].reduce(0) { $0 + Int($1) }
  }

  /// Milliseconds below which sojourns are not counted any more: of the first group twelve times the tail lies above.
  private func floor(_ base: Int) -> Double {
    var above = 0
    let enough = Int(12 * tail * Double(arrivals.groupSize))
    var step = Self.width
    while step > 0, above < enough {
      step -= 1
      above += Int(counts[step])
    }
    return step > 0 ? CapacityGrid.milliseconds(step: base + step) : 0
  }

  /// The least step such that the upper confidence bound of the share of requests at or above it is within the tail.
  private func leastStep(_ base: Int, _ floor: Double) -> Int {
    let groups = arrivals.groups
    var above = [Int](repeating: 0, count: groups)
    let lowest = floor > 0 ? CapacityGrid.step(ofObjective: floor) - base : 0
    var step = Self.width
    while step > lowest {
      var sum = 0
      var squares = 0.0
      for group in 0..<groups {
        above[group] += Int(counts[group * Self.width + step - 1])
        sum += above[group]
        squares += Double(above[group]) * Double(above[group])
      }
      if bound(Double(sum), squares) > tail { break }
      step -= 1
    }
    // The topmost step holds all that is longer still, so nothing is known when it is too full.
    return step == Self.width ? .max : base + step
  }

  private func bound(_ sum: Double, _ squares: Double) -> Double {
    let size = Double(arrivals.groupSize)
    let groups = Double(arrivals.groups)
    let mean = sum / groups
    guard arrivals.groups > 1 else { return mean / size }
    let variance = max(0, squares - groups * mean * mean) / (groups - 1)
    return (mean + Self.student * (variance / groups).squareRoot()) / size
  }
}
