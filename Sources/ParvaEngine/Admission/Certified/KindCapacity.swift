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
    /// Trials since ``KindCapacity/news()`` was asked last.
    var trials = 0

    var facts: [UInt64] {
      known.enumerated().compactMap { place, known in
        switch known {
        case .misses(upTo: 0): nil
        case .misses(let step): UInt64(place) << 33 | UInt64(UInt32(clamping: step))
        case .keeps(let step): (UInt64(place) << 1 | 1) << 32 | UInt64(UInt32(clamping: step))
        }
      }
    }
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
    var search = search(step: step, maxProcesses: maxProcesses)
    var spare: [SojournTally] = []
    while let question = search.question { search.answer(keeps(step, question.point, load: question.load, &spare)) }
    note(search)
    return search.best
  }

  /// No point of at most `maxProcesses` processes is ever given more. O(points).
  func most(maxProcesses: Int) -> Double {
    let throughputs = points.lazy.filter { $0.processes <= maxProcesses }.map(\.throughput)
    return (throughputs.max() ?? 0) * (CapacityGrid.loads.last ?? 0)
  }

  /// The search for the best point; one that has ended where it is known.
  func search(step: Int, maxProcesses: Int) -> OfferSearch {
    let cell = Cell(step: step, maxProcesses: maxProcesses)
    if let known = state.withLock({ $0.offers[cell] }) {
      return OfferSearch(found: known, step: step, maxProcesses: maxProcesses)
    }
    let order = order(step: step, maxProcesses: maxProcesses)
    return OfferSearch(
      step: step, maxProcesses: maxProcesses,
      order.map { OfferSearch.Candidate(index: $0, point: points[$0], loadOfWhole: loadOfWhole(points[$0])) })
  }

  /// Remembers what a search that has ended came to.
  func note(_ search: OfferSearch) {
    let cell = Cell(step: search.step, maxProcesses: search.maxProcesses)
    state.withLock { $0.offers[cell] = search.best }
  }

  /// Whether an objective is kept by a point at a load, where that is known.
  func known(_ step: Int, _ index: Int, load: Int) -> Bool? {
    switch state.withLock({ $0.known[index * CapacityGrid.loads.count + load] }) {
    case .keeps(let from): step >= from
    case .misses(let upTo): step <= upTo ? false : nil
    }
  }

  /// Capacity of one point in requests per second; nil where there is no such point.
  func capacity(batch: Int, processes: Int, step: Int) -> Double? {
    guard let index = points.firstIndex(where: { $0.batch == batch && $0.processes == processes }) else { return nil }
    var spare: [SojournTally] = []
    var search = LoadSearch(first: loadOfWhole(points[index]))
    while let load = search.load { search.answer(keeps(step, index, load: load, &spare)) }
    return search.kept.map { CapacityGrid.loads[$0] * points[index].throughput } ?? 0
  }

  /// The least objective in milliseconds under which some point of at most `maxProcesses` processes takes any load.
  func leastObjective(maxProcesses: Int) -> Double? {
    var spare: [SojournTally] = []
    var least: Int?
    for index in points.indices where points[index].processes <= maxProcesses {
      guard let found = leastStep(index, load: 0, &spare), let full = points[index].milliseconds.last else { continue }
      // Points whose full batch takes longer are not tried, see ``order(step:maxProcesses:)``.
      least = min(least ?? .max, max(found, CapacityGrid.step(ofObjective: full) + 1))
    }
    return least.map { CapacityGrid.milliseconds(step: $0) }
  }

  /// What is known about points and loads: the place, twice and one more where the objectives kept are known, in the upper
  /// half of each entry, the step in the lower; the last step stands for none.
  func facts() -> [UInt64] { state.withLock(\.facts) }

  /// ``facts()`` with the number of trials since the last call; nil where there were none.
  func news() -> (entries: [UInt64], trials: Int)? {
    state.withLock { state in
      guard state.trials > 0 else { return nil }
      defer { state.trials = 0 }
      return (state.facts, state.trials)
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

  private func keeps(_ step: Int, _ index: Int, load: Int, _ spare: inout [SojournTally]) -> Bool {
    if let known = known(step, index, load: load) { return known }
    return finish(CapacityTrial(self, index, load: load, objective: step), &spare).keeps(step)
  }

  private func leastStep(_ index: Int, load: Int, _ spare: inout [SojournTally]) -> Int? {
    let place = index * CapacityGrid.loads.count + load
    if case .keeps(let from) = state.withLock({ $0.known[place] }) { return from == .max ? nil : from }
    let least = finish(CapacityTrial(self, index, load: load, objective: .max), &spare).least
    return least == .max ? nil : least
  }

  /// Plays a trial to its end.
  private func finish(_ trial: CapacityTrial, _ spare: inout [SojournTally]) -> CapacityTrial {
    var trial = trial
    while let begun = trial.next(&spare) {
      var run = begun
      while run.outcome == nil { run.play() }
      trial.take(run.outcome)
      run.end(&spare)
    }
    note(trial)
    return trial
  }

  /// Remembers what a trial that has ended came to.
  func note(_ trial: CapacityTrial) {
    let place = trial.point * CapacityGrid.loads.count + trial.load
    state.withLock { state in
      state.known[place] = trial.least.map { .keeps(from: $0) } ?? .misses(upTo: trial.objective)
      state.trials += 1
    }
  }

  /// A run of a point at a rate, to be played against one of ``streams(rate:exponent:)``.
  func run(
    _ index: Int, _ stream: UnitArrivals, rate: Double, objective: Int, _ spare: inout [SojournTally]
  ) -> SojournRun {
    let point = points[index]
    return SojournRun(
      stream, tail: tail, rate: rate, milliseconds: point.milliseconds, processes: point.processesPerQueue,
      objective: objective, &spare)
  }

  /// The streams that a point has to keep at a load, with the rate of one queue; nil where no run that is affordable would
  /// tell.
  func streams(_ index: Int, load: Int) -> (rate: Double, streams: [UnitArrivals])? {
    let point = points[index]
    let share = CapacityGrid.loads[load]
    let rate = share * point.throughput / Double(point.queues)
    return CapacityGrid.runExponent(load: share, batch: point.batch, cv2: arrivals.cv2).map {
      (rate, streams(rate: rate, exponent: $0))
    }
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
