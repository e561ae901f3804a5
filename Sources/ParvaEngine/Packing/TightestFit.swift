/// GPUs of one product indexed by what stands on them, to find the one that an instance fills most tightly.
///
/// All GPUs with the same occupied units and used slices are alike, and there are few such states (below a few
/// hundred), so a query looks at states, not at GPUs. O(states + log GPUs) per operation.
struct TightestFit: Sendable {
  private struct State: Hashable {
    var taken: UInt64
    var slices: Int
  }

  private let product: GPUProduct
  private var states: [State] = []
  private var numberOf: [State: Int] = [:]
  /// Per state a min-heap of GPU indices.
  private var members: [MinHeap] = []
  private(set) var gpuCount = 0

  init(_ product: GPUProduct) {
    self.product = product
  }

  /// Adds one more GPU with these placements and gives its index.
  mutating func append(_ placements: [Placement] = []) -> Int {
    var state = State(taken: 0, slices: 0)
    for placement in placements { state = adding(placement.profile, placement.start, to: state) }
    let index = gpuCount
    gpuCount += 1
    insert(index, into: state)
    return index
  }

  /// Puts an instance of `profile` on the GPU with most used slices among those where one of `starts` is free - the
  /// lowest index on ties, the first free start in the order given - or on a new GPU. Returns the GPU and the start;
  /// nil when an empty GPU cannot hold it.
  mutating func place(_ profile: Int, starts: [Int]) -> (gpu: Int, start: Int)? {
    var best: (state: Int, start: Int)?
    for number in states.indices {
      guard let gpu = members[number].first, let start = freeStart(profile, starts, in: states[number]) else {
        continue
      }
      if let current = best {
        let (a, b) = (states[number].slices, states[current.state].slices)
        guard a > b || (a == b && gpu < members[current.state].first ?? .max) else { continue }
      }
      best = (number, start)
    }
    if let best, let gpu = members[best.state].popFirst() {
      insert(gpu, into: adding(profile, best.start, to: states[best.state]))
      return (gpu, best.start)
    }
    let empty = State(taken: 0, slices: 0)
    guard let start = freeStart(profile, starts, in: empty) else { return nil }
    let gpu = gpuCount
    gpuCount += 1
    insert(gpu, into: adding(profile, start, to: empty))
    return (gpu, start)
  }

  private func freeStart(_ profile: Int, _ starts: [Int], in state: State) -> Int? {
    let kind = product.profiles[profile]
    guard state.slices + kind.computeSlices <= product.computeSlices else { return nil }
    return starts.first { kind.mask(at: $0) & state.taken == 0 }
  }

  private func adding(_ profile: Int, _ start: Int, to state: State) -> State {
    let kind = product.profiles[profile]
    return State(taken: state.taken | kind.mask(at: start), slices: state.slices + kind.computeSlices)
  }

  private mutating func insert(_ gpu: Int, into state: State) {
    if let number = numberOf[state] {
      members[number].insert(gpu)
    } else {
      numberOf[state] = states.count
      states.append(state)
      members.append(MinHeap(gpu))
    }
  }
}
