/// How many requests of each group of a run took how long.
struct SojournTally {
  /// Steps that are told apart above the shortest execution time: ten octaves.
  private static let width = 10 * CapacityGrid.octave
  private static let lanes = UnitArrivals.mostGroups

  /// Row-major: step above ``base`` x group. The last row holds all that is longer still.
  private var counts: [UInt32] = []
  private var base = 0
  /// Row of the objective that is asked for.
  private var objective = 0
  /// The highest row that is not zero.
  private var highest = 0
  /// Requests of all groups that miss the objective.
  private(set) var late = 0
  /// A row that cannot be kept any more, nor any below it, so that only those from it on are counted; and the requests there.
  private var risen = 0
  private var above = 0

  /// Begins anew for sojourns of at least `shortest` milliseconds.
  mutating func clear(shortest: Double, objective: Int) {
    if counts.isEmpty { counts = [UInt32](repeating: 0, count: Self.width * Self.lanes) }
    for index in 0..<(highest + 1) * Self.lanes { counts[index] = 0 }
    base = CapacityGrid.step(ofSojourn: shortest) - 1
    self.objective = max(0, objective - base)
    highest = 0
    late = 0
    risen = 0
    above = 0
  }

  mutating func count(_ milliseconds: Double, group: Int) {
    let row = min(max(CapacityGrid.step(ofSojourn: milliseconds) - base, 0), Self.width - 1)
    counts[row * Self.lanes + group] += 1
    highest = max(highest, row)
    late += row >= objective ? 1 : 0
    above += row >= risen ? 1 : 0
  }

  /// Passes over rows from which on there are more than `allowed` requests already: whatever comes, they are not kept.
  ///
  /// - Returns: milliseconds below which no sojourn has to be counted any more.
  mutating func rise(allowed: Int) -> Double {
    while above > allowed {
      var own = 0
      for index in risen * Self.lanes..<(risen + 1) * Self.lanes { own += Int(counts[index]) }
      guard above - own > allowed else { break }
      above -= own
      risen += 1
    }
    // A row less, so that rounding takes nothing away.
    return risen > 1 ? CapacityGrid.milliseconds(step: base + risen - 1) : 0
  }

  /// The least step that is kept, where sojourns below `floor` milliseconds were not counted: at every step from it on
  /// no more than `patience` allows are late. `Int.max` where even the longest that is told apart is not kept.
  func leastStep(_ patience: SojournPatience, floor: Double) -> Int {
    if highest == Self.width - 1 { return .max }
    var late = [Int](repeating: 0, count: patience.allowed.count)
    let lowest = floor > 0 ? CapacityGrid.step(ofObjective: floor) - base : 0
    var row = highest + 1
    while row > lowest {
      for group in late.indices { late[group] += Int(counts[(row - 1) * Self.lanes + group]) }
      if !patience.allows(late) { break }
      row -= 1
    }
    return base + row
  }
}

/// What is asked of the late requests of a run.
struct SojournPatience {
  /// Quantile of Student's distribution with 14 degrees of freedom that 99 of 100 values stay below.
  private static let student = 2.624
  /// By group: late requests of it and those before that a run may have to go on. The last one's are those of the tail;
  /// after fewer groups as many as in two more, so that a run which has no chance ends early.
  let allowed: [Int]
  /// By group: how much longer its arrivals took than those of all groups on average, and the sum of the squares.
  private let delays: [Double]
  private let spread: Double
  private let tail: Double
  private let groupSize: Double

  init(_ arrivals: UnitArrivals, tail: Double) {
    self.tail = tail
    groupSize = Double(arrivals.groupSize)
    allowed = (1...arrivals.groups).map { Int(tail * Double(arrivals.groupSize * min($0 + 2, arrivals.groups))) }
    let ends = (0...arrivals.groups).map { arrivals.stream.time(arrivals.warmup + $0 * arrivals.groupSize - 1) }
    let mean = (ends[arrivals.groups] - ends[0]) / Double(arrivals.groups)
    delays = (0..<arrivals.groups).map { ends[$0 + 1] - ends[$0] - mean }
    spread = delays.reduce(0) { $0 + $1 * $1 }
  }

  /// Whether the upper confidence bound of the share of late requests is within the tail, and no run would have been
  /// broken off.
  ///
  /// The run as a whole is played at its own pace, so what a group owes to its pace is no sign of how sure the mean is:
  /// it is taken out by a linear regression.
  ///
  /// - Parameter late: by group.
  func allows(_ late: [Int]) -> Bool {
    var sum = 0
    var squares = 0.0
    var product = 0.0
    for (group, count) in late.enumerated() {
      sum += count
      squares += Double(count) * Double(count)
      product += Double(count) * delays[group]
      if sum > allowed[group] { return false }
    }
    let groups = Double(late.count)
    let mean = Double(sum) / groups
    guard late.count > 2 else { return mean <= tail * groupSize }
    // Even arrivals come at one pace in all groups.
    let owed = spread > 0 ? product * product / spread : 0
    let variance = max(0, squares - groups * mean * mean - owed) / (groups - 2)
    return mean + Self.student * (variance / groups).squareRoot() <= tail * groupSize
  }
}
