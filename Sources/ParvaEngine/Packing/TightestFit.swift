/// GPUs of one product indexed by what stands on them, to find the one that an instance fills most tightly.
///
/// All GPUs with the same occupied units and used slices are alike, and there are few such states (below a few
/// hundred), so a query looks at states, not at GPUs. O(states + log GPUs) per operation.
struct TightestFit: Sendable {
  private struct State: Hashable {
    var taken: UInt64
    var slices: Int
    /// Four bits for each profile of which fewer may stand than it has starts.
    var counts: UInt64 = 0
  }

  private let product: GPUProduct
  /// Per profile where its bits are in ``State/counts``; nil where its starts are the only limit.
  private let shift: [Int?]
  private var states: [State] = []
  private var numberOf: [State: Int] = [:]
  /// Per state a min-heap of GPU indices; an entry counts only while `stateOf` agrees.
  private var members: [Heap<Int>] = []
  /// Number of each GPU's state; nil once the GPU is closed.
  private var stateOf: [Int?] = []

  /// GPUs ever opened, closed ones included.
  var gpuCount: Int { stateOf.count }

  init(_ product: GPUProduct) {
    self.product = product
    var next = 0
    shift = product.profiles.map { profile in
      guard profile.maxInstances < min(profile.starts.count, 16), next < 64 else { return nil }
      next += 4
      return next - 4
    }
  }

  /// Puts an instance of `profile` on the GPU with most used slices among those where one of `starts` is free - the
  /// lowest index on ties, the first free start in the order given - or on a new GPU. Returns the GPU and the start;
  /// nil when there is no room, or only on a new GPU and `opening` is false.
  mutating func place(_ profile: Int, starts: [Int], opening: Bool = true) -> (gpu: Int, start: Int)? {
    var best: (state: Int, start: Int, gpu: Int)?
    for number in states.indices {
      guard let start = freeStart(profile, starts, in: states[number]), let gpu = firstMember(number) else { continue }
      if let best {
        let (a, b) = (states[number].slices, states[best.state].slices)
        guard a > b || (a == b && gpu < best.gpu) else { continue }
      }
      best = (number, start, gpu)
    }
    if let best {
      move(best.gpu, to: adding(profile, best.start, to: states[best.state]))
      return (best.gpu, best.start)
    }
    let empty = State(taken: 0, slices: 0)
    guard opening, let start = freeStart(profile, starts, in: empty) else { return nil }
    stateOf.append(nil)
    move(gpuCount - 1, to: adding(profile, start, to: empty))
    return (gpuCount - 1, start)
  }

  /// Puts an instance of `profile` on the GPU of lowest index where one of `starts` is free, at the first free start in
  /// the order given, or on a new GPU; nil when not even an empty GPU has room.
  mutating func placeFirst(_ profile: Int, starts: [Int]) -> (gpu: Int, start: Int)? {
    var best: (state: Int, start: Int, gpu: Int)?
    for number in states.indices {
      guard let start = freeStart(profile, starts, in: states[number]), let gpu = firstMember(number) else { continue }
      if gpu < best?.gpu ?? .max { best = (number, start, gpu) }
    }
    guard let best else { return place(profile, starts: starts) }
    move(best.gpu, to: adding(profile, best.start, to: states[best.state]))
    return (best.gpu, best.start)
  }

  /// Puts an instance of `profile` on the first of some GPUs where one of `starts` is free; nil where there is none. O(GPUs named).
  mutating func place(_ profile: Int, starts: [Int], among gpus: [Int]) -> (gpu: Int, start: Int)? {
    for gpu in gpus {
      guard let number = stateOf[gpu], let start = freeStart(profile, starts, in: states[number]) else { continue }
      move(gpu, to: adding(profile, start, to: states[number]))
      return (gpu, start)
    }
    return nil
  }

  /// Takes an instance away again.
  mutating func remove(_ profile: Int, start: Int, gpu: Int) {
    guard let number = stateOf[gpu] else { return }
    let kind = product.profiles[profile]
    let state = states[number]
    move(
      gpu,
      to: State(
        taken: state.taken & ~kind.mask(at: start), slices: state.slices - kind.computeSlices,
        counts: state.counts - (shift[profile].map { 1 << UInt64($0) } ?? 0)))
  }

  /// Keeps anything from being placed on the GPU until ``reopen(_:with:)``.
  mutating func close(_ gpu: Int) { stateOf[gpu] = nil }

  /// Adds a GPU with these placements on it and returns its index.
  mutating func append(_ placements: [Placement]) -> Int {
    stateOf.append(nil)
    reopen(gpuCount - 1, with: placements)
    return gpuCount - 1
  }

  /// Opens a closed GPU with these placements on it.
  mutating func reopen(_ gpu: Int, with placements: [Placement]) {
    var state = State(taken: 0, slices: 0)
    for placement in placements { state = adding(placement.profile, placement.start, to: state) }
    move(gpu, to: state)
  }

  private mutating func firstMember(_ number: Int) -> Int? {
    while let gpu = members[number].first {
      if stateOf[gpu] == number { return gpu }
      _ = members[number].popFirst()
    }
    return nil
  }

  private func freeStart(_ profile: Int, _ starts: [Int], in state: State) -> Int? {
    let kind = product.profiles[profile]
    guard state.slices + kind.computeSlices <= product.computeSlices else { return nil }
    if let shift = shift[profile], Int(state.counts >> UInt64(shift) & 15) >= kind.maxInstances { return nil }
    return starts.first { kind.mask(at: $0) & state.taken == 0 }
  }

  private func adding(_ profile: Int, _ start: Int, to state: State) -> State {
    let kind = product.profiles[profile]
    return State(
      taken: state.taken | kind.mask(at: start), slices: state.slices + kind.computeSlices,
      counts: state.counts + (shift[profile].map { 1 << UInt64($0) } ?? 0))
  }

  private mutating func move(_ gpu: Int, to state: State) {
    let number = numberOf[state] ?? states.count
    if number == states.count {
      numberOf[state] = number
      states.append(state)
      members.append(Heap<Int>())
    }
    members[number].insert(gpu)
    stateOf[gpu] = number
  }
}
