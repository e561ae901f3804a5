/// Spare capacity from slices that a plan leaves over: segments are enlarged in place or added, never a GPU.
///
/// The most loaded workload - least capacity per rate - goes first and takes the least step that helps it: fewest slices,
/// then most capacity. It then queues again, so that the smallest ratio rises as long as any step can raise it. A
/// segment that is kept from an earlier plan is not touched, and nothing is added that would count as a change.
struct Headroom {
  private struct State: Hashable {
    var pool: Int
    /// Whose GPU it is; see ``Tenants``.
    var tenant: Int
    var taken: UInt64
    var slices: Int
    /// Bit per profile of the product: no further instance of it is allowed.
    var exhausted: UInt64
  }

  /// One way to give a workload more capacity.
  private struct Step {
    var gpu: Int
    /// Index of the segment that is enlarged; nil to add one.
    var segment: Int?
    var column: Int
    var start: Int
    var slices: Int
    var gain: Double
  }

  private let market: Market
  /// Requests per second that each workload is to get.
  private let rates: [Double]
  private let tenants: Tenants
  private var gpus: [DraftGPU]
  /// Requests per second that each workload's segments can take.
  private var capacity: [Double]
  /// GPUs with unused room that hold a segment of the workload, most promising last.
  private var openGPUs: [[Int32]]
  private var states: [State] = []
  private var numberOf: [State: Int] = [:]
  /// Per state its GPUs, highest index first; an entry counts only while the GPU is in that state.
  private var members: [[Int]] = []
  /// Whether some GPU may still have room for one more instance of the column. Room only shrinks.
  private var hasRoom: [Bool]
  /// How many segments may be added to each workload; nil for as many as there is room for.
  private var additions: [Int]?

  /// After so many steps each it is asked whether there is time left; fewer take hardly any.
  private static let asking = 1024

  /// `draft` with its unused slices put to work, as far as there is time. O(segments + steps x states).
  static func fill(
    _ draft: [DraftGPU], _ market: Market, rates: [Double], additions: [Int]? = nil, _ context: PlanningContext
  ) -> [DraftGPU] {
    // Many GPUs take their time before the first step.
    if draft.count > asking, context.shouldStop() { return draft }
    var headroom = Headroom(draft, market, rates, additions)
    headroom.run(context)
    return headroom.gpus
  }

  private init(_ draft: [DraftGPU], _ market: Market, _ rates: [Double], _ additions: [Int]?) {
    self.market = market
    self.rates = rates
    tenants = Tenants(market)
    self.additions = additions
    gpus = draft
    capacity = [Double](repeating: 0, count: market.input.workloads.count)
    openGPUs = [[Int32]](repeating: [], count: capacity.count)
    hasRoom = [Bool](repeating: true, count: market.columns.count)
    for index in gpus.indices.reversed() {
      for segment in gpus[index].segments {
        capacity[segment.workload] += market.capacity(segment.workload, segment.column)
      }
      let state = state(of: index)
      let product = market.cuts[state.pool].product
      // On a full axis a segment can still grow where its kind leaves compute slices unused.
      guard state.slices < product.computeSlices || state.taken.nonzeroBitCount < product.axisLength else { continue }
      file(index, state)
      for segment in gpus[index].segments where openGPUs[segment.workload].last != Int32(index) {
        openGPUs[segment.workload].append(Int32(index))
      }
    }
  }

  private mutating func run(_ context: PlanningContext) {
    guard !states.isEmpty else { return }
    var queue = Heap<Keyed>()
    for workload in capacity.indices where capacity[workload] > 0 && mayGrow(workload) {
      queue.insert(Keyed(key: capacity[workload] / rates[workload], item: workload))
    }
    var steps = 0
    while let workload = queue.popFirst()?.item {
      steps += 1
      if steps % Self.asking == 0, context.shouldStop() { return }
      guard let step = best(addition(of: workload), enlargement(of: workload)) else { continue }
      apply(step, workload)
      queue.insert(Keyed(key: capacity[workload] / rates[workload], item: workload))
    }
  }

  /// Whether any step could ever help the workload: of one that is kept as it stands there is none. O(its segments on GPUs with
  /// room).
  private func mayGrow(_ workload: Int) -> Bool {
    additions.map { $0[workload] > 0 } ?? true
      || openGPUs[workload].contains { gpu in
        gpus[Int(gpu)].segments.contains { $0.workload == workload && !$0.isKept }
      }
  }

  private func best(_ a: Step?, _ b: Step?) -> Step? {
    guard let a, let b else { return a ?? b }
    return (b.slices, -b.gain) < (a.slices, -a.gain) ? b : a
  }

  /// The least addition anywhere, on the GPU with least room for it. O(columns x states).
  private mutating func addition(of workload: Int) -> Step? {
    if let additions, additions[workload] <= 0 { return nil }
    var found: Step?
    for column in market.columns.indices where hasRoom[column] {
      let gain = market.capacity(workload, column)
      let slices = market.columns[column].computeSlices
      guard gain > 0, best(found, Step(gpu: 0, column: column, start: 0, slices: slices, gain: gain))?.column == column
      else { continue }
      var place: (gpu: Int, start: Int, used: Int)?
      var isFull = true
      for number in states.indices where states[number].pool == market.columns[column].pool {
        guard let start = start(column, in: states[number]), let gpu = firstMember(number) else { continue }
        isFull = false
        guard states[number].tenant == tenants.numbers[workload] else { continue }
        let used = states[number].slices
        if let place, (used, -gpu) <= (place.used, -place.gpu) { continue }
        place = (gpu, start, used)
      }
      if isFull { hasRoom[column] = false }
      if let place { found = Step(gpu: place.gpu, column: column, start: place.start, slices: slices, gain: gain) }
    }
    return found
  }

  /// The least enlargement of one of the workload's own segments. O(segments on GPUs with room x columns x starts).
  private func enlargement(of workload: Int) -> Step? {
    var found: Step?
    for gpu in openGPUs[workload].reversed().map(Int.init) {
      for (index, segment) in gpus[gpu].segments.enumerated() where segment.workload == workload && !segment.isKept {
        let old = market.columns[segment.column]
        let rest = state(of: gpu, without: index)
        let now = market.capacity(workload, segment.column)
        for column in market.poolColumns[old.pool] where column != segment.column {
          let slices = market.columns[column].computeSlices - old.computeSlices
          let gain = market.capacity(workload, column) - now
          guard gain > 0, slices >= 0, let start = start(column, in: rest) else { continue }
          found = best(
            found, Step(gpu: gpu, segment: index, column: column, start: start, slices: slices, gain: gain))
        }
      }
    }
    return found
  }

  private mutating func apply(_ step: Step, _ workload: Int) {
    if let segment = step.segment {
      gpus[step.gpu].segments[segment].column = step.column
      gpus[step.gpu].segments[segment].start = step.start
    } else {
      gpus[step.gpu].segments.append(DraftSegment(workload: workload, column: step.column, start: step.start))
      additions?[workload] -= 1
      openGPUs[workload].append(Int32(step.gpu))
    }
    capacity[workload] += step.gain
    file(step.gpu, state(of: step.gpu))
  }

  // MARK: - Room

  /// What stands on a GPU, or would stand there without one of its segments.
  private func state(of gpu: Int, without left: Int? = nil) -> State {
    var state = State(pool: gpus[gpu].pool, tenant: tenants.of(gpus[gpu]), taken: 0, slices: 0, exhausted: 0)
    let product = market.cuts[state.pool].product
    for (index, segment) in gpus[gpu].segments.enumerated() where index != left {
      let column = market.columns[segment.column]
      let profile = product.profiles[column.profile]
      state.taken |= profile.mask(at: segment.start)
      state.slices += column.computeSlices
      let alike = gpus[gpu].segments.indices.count {
        $0 != left && gpus[gpu].segments[$0].column == segment.column
      }
      if alike >= profile.maxInstances { state.exhausted |= 1 << UInt64(column.profile) }
    }
    return state
  }

  private mutating func file(_ gpu: Int, _ state: State) {
    let number = numberOf[state] ?? states.count
    if number == states.count {
      numberOf[state] = number
      states.append(state)
      members.append([])
    }
    members[number].append(gpu)
  }

  /// Some GPU in the state; entries of GPUs that have left it are dropped on the way.
  private mutating func firstMember(_ number: Int) -> Int? {
    while let gpu = members[number].last {
      if state(of: gpu) == states[number] { return gpu }
      members[number].removeLast()
    }
    return nil
  }

  /// The first legal start that is free.
  private func start(_ column: Int, in state: State) -> Int? {
    let product = market.cuts[state.pool].product
    let number = market.columns[column].profile
    let profile = product.profiles[number]
    guard state.slices + profile.computeSlices <= product.computeSlices, state.exhausted >> UInt64(number) & 1 == 0
    else {
      return nil
    }
    return profile.starts.first { profile.mask(at: $0) & state.taken == 0 }
  }
}
