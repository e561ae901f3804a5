/// The search for the point with most capacity under one objective, as a series of questions whether a point keeps the
/// objective at a load. What it asks depends on the answers alone.
struct OfferSearch {
  /// A point worth a try.
  struct Candidate {
    var index: Int
    var point: KindCapacity.Point
    /// The first load at which one queue carries the whole of a smooth stream.
    var loadOfWhole: Int?
  }

  private enum Stage {
    /// Whether the point does better than the best at all: the loads still to be asked, the next one last.
    case promise([Int])
    case capacity(LoadSearch)
  }

  let step: Int
  let maxProcesses: Int
  /// Those that promise most first.
  private let candidates: [Candidate]
  private var place = 0
  private var stage = Stage.promise([])
  /// The best of the points asked so far; ``Offer/none`` while none keeps the objective at any load.
  private(set) var best = Offer.none
  /// What has to be known next; nil at the end.
  private(set) var question: (point: Int, load: Int)?

  init(step: Int, maxProcesses: Int, _ candidates: [Candidate]) {
    (self.step, self.maxProcesses, self.candidates) = (step, maxProcesses, candidates)
    seek()
  }

  /// One that has ended.
  init(found best: Offer, step: Int, maxProcesses: Int) {
    (self.step, self.maxProcesses, candidates) = (step, maxProcesses, [])
    self.best = best
  }

  /// The best that is known to be kept, though not all was asked yet.
  var soFar: Offer {
    guard question != nil, case .capacity(let search) = stage, let load = search.kept else { return best }
    let offer = offer(candidates[place].point, load: load)
    return offer.capacity > best.capacity ? offer : best
  }

  private func offer(_ point: KindCapacity.Point, load: Int) -> Offer {
    Offer(
      capacity: CapacityGrid.loads[load] * point.throughput, batch: Int32(point.batch),
      processes: Int32(point.processes), latencyMs: point.latencyMs)
  }

  mutating func answer(_ isKept: Bool) {
    switch stage {
    case .promise(let loads) where !isKept:
      stage = .promise(loads)
      if !ask(loads) { seekNext() }
    case .promise:
      let search = LoadSearch(first: candidates[place].loadOfWhole)
      stage = .capacity(search)
      question = search.load.map { (candidates[place].index, $0) }
    case .capacity(var search):
      search.answer(isKept)
      stage = .capacity(search)
      if let load = search.load {
        question = (candidates[place].index, load)
        return
      }
      if let load = search.kept {
        let found = offer(candidates[place].point, load: load)
        if found.capacity > best.capacity { best = found }
      }
      seekNext()
    }
  }

  private mutating func seekNext() {
    place += 1
    seek()
  }

  /// The next point that could do better at all. One answer tells whether it does, or two.
  private mutating func seek() {
    question = nil
    while place < candidates.count {
      let candidate = candidates[place]
      let above = CapacityGrid.loads.firstIndex { $0 * candidate.point.throughput > best.capacity }
      if let above, ask([candidate.loadOfWhole.flatMap { $0 > above ? $0 : nil }, above].compactMap { $0 }) { return }
      place += 1
    }
  }

  private mutating func ask(_ loads: [Int]) -> Bool {
    guard let load = loads.last else { return false }
    stage = .promise(loads.dropLast())
    question = (candidates[place].index, load)
    return true
  }
}

/// The search for the highest load at which a point keeps an objective. Its order of tries is fixed, so a looser objective
/// never ends lower. Smooth streams may be kept in whole though parts of them are not, so that is tried first.
struct LoadSearch {
  private var low = -1
  private var high = CapacityGrid.loads.count
  /// The load to be tried next; nil at the end.
  private(set) var load: Int?
  /// The highest that is found to be kept; nil where none is.
  var kept: Int? { low < 0 ? nil : low }

  init(first: Int?) { load = first ?? high * 3 / 4 }

  mutating func answer(_ isKept: Bool) {
    guard let load else { return }
    if isKept { low = load } else { high = load }
    self.load = high - low > 1 ? (low + high) / 2 : nil
  }
}
