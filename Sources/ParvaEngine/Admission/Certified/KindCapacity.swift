import Synchronization

/// What one model can do on one kind of instance with one form of queue, stream and percentile, for every objective.
///
/// The sojourn times at a given load do not hang on the objective, so the least objective that a point keeps at a load
/// is worked out once and answers for all objectives; a capacity is the result of a search over the loads. Answers
/// depend on what is asked alone, never on what was asked before.
final class KindCapacity: Sendable {
  /// A way to run the model: a batch limit and a number of processes.
  struct Point: Sendable {
    var batch: Int
    var processes: Int
    var latencyMs: Double
    /// Execution times of batches of 1...`batch` requests in milliseconds.
    var milliseconds: [Double]
    /// Requests per second when every batch is full.
    var throughput: Double
    /// Queues of the segment. All are alike, and each sees a random share of the requests, so one is played for all.
    var queues: Int

    /// Processes that take from one queue.
    var processesPerQueue: Int { processes / queues }
  }

  private enum Known {
    /// Objectives up to this step are missed; nothing else is known.
    case misses(upTo: Int)
    /// Objectives from this step on are kept, and no others.
    case keeps(from: Int)
  }

  private struct Cell: Hashable {
    var step: Int
    var maxProcesses: Int
  }

  private struct State {
    /// Row-major: point x load.
    var known: [Known]
    var offers: [Cell: Offer] = [:]
  }

  let points: [Point]
  private let arrivals: CertifiedArrivals
  private let tail: Double
  private let store: ArrivalStore
  private let state: Mutex<State>

  init(
    _ profile: ModelProfile, kind: Int, _ queue: QueueForm, _ arrivals: CertifiedArrivals, tail: Double,
    _ store: ArrivalStore
  ) {
    var curves: [Int: LatencyCurve] = [:]
    points = profile.points.filter { $0.profile == kind }.compactMap { point in
      let curve = curves[point.processes] ?? LatencyCurve(profile, instance: kind, processes: point.processes)
      curves[point.processes] = curve
      guard let times = curve?.table(limit: point.batch), let full = times.last else { return nil }
      return Point(
        batch: point.batch, processes: point.processes, latencyMs: point.latencyMs, milliseconds: times,
        throughput: 1000 * Double(point.batch * point.processes) / full,
        queues: queue.count(processes: point.processes))
    }
    self.arrivals = arrivals
    self.tail = tail
    self.store = store
    state = Mutex(
      State(known: [Known](repeating: .misses(upTo: 0), count: points.count * CapacityGrid.loads.count)))
  }

  /// The point with most capacity among those of at most `maxProcesses` processes; ``Offer/none`` where none keeps the
  /// objective at any load. Some ten runs the first time, O(1) from then on.
  func offer(step: Int, maxProcesses: Int) -> Offer {
    let cell = Cell(step: step, maxProcesses: maxProcesses)
    if let known = state.withLock({ $0.offers[cell] }) { return known }
    var run = SojournRun(tail: tail)
    var best = Offer.none
    for index in order(step: step, maxProcesses: maxProcesses) {
      let point = points[index]
      // One run tells whether the point does better at all, or two.
      guard let above = CapacityGrid.loads.firstIndex(where: { $0 * point.throughput > best.capacity }),
        [above, loadOfWhole(point) ?? 0].contains(where: { $0 >= above && keeps(step, index, load: $0, &run) })
      else { continue }
      let capacity = capacity(of: index, step: step, &run)
      guard capacity > best.capacity else { continue }
      best = Offer(
        capacity: capacity, batch: Int32(point.batch), processes: Int32(point.processes), latencyMs: point.latencyMs)
    }
    state.withLock { $0.offers[cell] = best }
    return best
  }

  /// Capacity of one point in requests per second; nil where there is no such point.
  func capacity(batch: Int, processes: Int, step: Int) -> Double? {
    var run = SojournRun(tail: tail)
    return points.firstIndex { $0.batch == batch && $0.processes == processes }.map {
      capacity(of: $0, step: step, &run)
    }
  }

  /// The least objective in milliseconds under which some point of at most `maxProcesses` processes takes any load.
  func leastObjective(maxProcesses: Int) -> Double? {
    var run = SojournRun(tail: tail)
    var least: Int?
    for index in points.indices where points[index].processes <= maxProcesses {
      guard let found = leastStep(index, load: 0, &run), let full = points[index].milliseconds.last else { continue }
      // Points whose full batch takes longer are not tried, see ``order(step:maxProcesses:)``.
      least = min(least ?? .max, max(found, CapacityGrid.step(ofObjective: full) + 1))
    }
    return least.map { CapacityGrid.milliseconds(step: $0) }
  }

  /// What is known about points and loads: the place, twice and one more where the objectives kept are known, in the upper
  /// half of each entry, the step in the lower; the last step stands for none.
  func facts() -> [UInt64] {
    state.withLock { state in
      state.known.enumerated().compactMap { place, known in
        switch known {
        case .misses(upTo: 0): nil
        case .misses(let step): UInt64(place) << 33 | UInt64(UInt32(clamping: step))
        case .keeps(let step): (UInt64(place) << 1 | 1) << 32 | UInt64(UInt32(clamping: step))
        }
      }
    }
  }

  /// Takes over what ``facts()`` told of an equal table.
  func learn(_ facts: [UInt64]) {
    state.withLock { state in
      for fact in facts {
        let (place, step) = (Int(fact >> 33), UInt32(truncatingIfNeeded: fact))
        guard state.known.indices.contains(place) else { continue }
        let isKept = fact >> 32 & 1 == 1
        state.known[place] = isKept ? .keeps(from: step == .max ? .max : Int(step)) : .misses(upTo: Int(step))
      }
    }
  }

  /// Points worth a try, those that promise most first. A batch that takes longer than the objective when it is full is
  /// none of them: a smaller limit does better.
  private func order(step: Int, maxProcesses: Int) -> [Int] {
    let objective = CapacityGrid.milliseconds(step: step)
    let promising = points.indices.compactMap { index -> (index: Int, promise: Double)? in
      let point = points[index]
      guard point.processes <= maxProcesses, let full = point.milliseconds.last, full <= objective else { return nil }
      // What is left for waiting, in units of the time between two starts.
      let spare = (objective / full - 1) * Double(point.processesPerQueue)
      return (index, point.throughput * min(1, 0.3 + 0.6 * spare))
    }
    return promising.sorted { ($1.promise, $0.index) < ($0.promise, $1.index) }.map(\.index)
  }

  /// The first load at which one queue carries the whole of a smooth stream, nil for other streams and beyond the last.
  private func loadOfWhole(_ point: Point) -> Int? {
    guard case .part(of: let whole, let rate) = arrivals, whole.isSmooth else { return nil }
    return CapacityGrid.loads.firstIndex { $0 * point.throughput / Double(point.queues) >= rate }
  }

  /// The highest load of the grid that a binary search finds to be kept. Its order of tries is fixed, so a looser
  /// objective never ends lower. Smooth streams may be kept in whole though parts of them are not, so that is tried first.
  private func capacity(of index: Int, step: Int, _ run: inout SojournRun) -> Double {
    let loads = CapacityGrid.loads
    var kept = -1
    var missed = loads.count
    var load = loadOfWhole(points[index]) ?? loads.count * 3 / 4
    while true {
      if keeps(step, index, load: load, &run) { kept = load } else { missed = load }
      guard missed - kept > 1 else { break }
      load = (kept + missed) / 2
    }
    return kept < 0 ? 0 : loads[kept] * points[index].throughput
  }

  private func keeps(_ step: Int, _ index: Int, load: Int, _ run: inout SojournRun) -> Bool {
    let place = index * CapacityGrid.loads.count + load
    switch state.withLock({ $0.known[place] }) {
    case .keeps(let from): return step >= from
    case .misses(let upTo) where step <= upTo: return false
    case .misses: break
    }
    let known = play(index, load: load, objective: step, &run)
    state.withLock { $0.known[place] = known }
    if case .keeps(let from) = known { return step >= from }
    return false
  }

  private func leastStep(_ index: Int, load: Int, _ run: inout SojournRun) -> Int? {
    let place = index * CapacityGrid.loads.count + load
    if case .keeps(let from) = state.withLock({ $0.known[place] }) { return from == .max ? nil : from }
    let known = play(index, load: load, objective: .max, &run)
    guard case .keeps(let from) = known else { return nil }
    state.withLock { $0.known[place] = known }
    return from == .max ? nil : from
  }

  private func play(_ index: Int, load: Int, objective: Int, _ run: inout SojournRun) -> Known {
    let point = points[index]
    let share = CapacityGrid.loads[load]
    let rate = share * point.throughput / Double(point.queues)
    guard let exponent = CapacityGrid.runExponent(load: share, batch: point.batch, cv2: arrivals.cv2) else {
      return .keeps(from: .max)
    }
    var least = 0
    for stream in streams(rate: rate, exponent: exponent) {
      let outcome = run.play(
        stream, rate: rate, milliseconds: point.milliseconds, processes: point.processesPerQueue, objective: objective)
      switch outcome {
      case .misses: return .misses(upTo: objective)
      case .keeps(let step): least = max(least, step)
      }
    }
    return .keeps(from: least)
  }

  /// What a queue that gets `rate` requests per second has to keep. Of a recording a small part looks like a Poisson
  /// stream in the short run, whatever it is in the long one.
  private func streams(rate: Double, exponent: Int) -> [UnitArrivals] {
    let drawn = { [store, tail, arrivals] in store.drawn(cv2: arrivals.cv2, tail: tail, exponent: exponent) }
    guard case .part(of: let whole, let all) = arrivals else { return [drawn()] }
    let part = { [store, tail] (share: Double) in store.part(of: whole, share: share, tail: tail, exponent: exponent) }
    guard whole.isSmooth else { return [part(CapacityGrid.share(above: rate / all)), drawn()] }
    return [CapacityGrid.share(below: rate / all).map(part) ?? drawn()]
  }
}
