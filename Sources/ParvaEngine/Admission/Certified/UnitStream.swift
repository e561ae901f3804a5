/// Arrivals at rate 1 in the order of time, with an index by time.
struct UnitStream: Sendable {
  /// Ascending.
  private(set) var times: [Double] = []
  /// By unit of time: the first arrival at or after its beginning. The last unit begins after the last arrival.
  private(set) var firstAt: [UInt32] = [0]

  init() {}

  init(gaps: [Double]) {
    var time = 0.0
    extend(by: gaps.count) { index in
      time += gaps[index]
      return time
    }
  }

  /// Adds `count` arrivals at times that do not fall. O(count + time).
  mutating func extend(by count: Int, _ next: (Int) -> Double) {
    let known = times.count
    times.reserveCapacity(known + count)
    for index in 0..<count { times.append(next(index)) }
    // Each arrival is, until a later one comes, the last before the next unit; units without any take what was before.
    let units = Int(times.last ?? 0) + 2
    let indexed = firstAt.count
    firstAt.append(contentsOf: repeatElement(0, count: units - indexed))
    for number in known..<times.count { firstAt[Int(times[number]) + 1] = UInt32(number + 1) }
    for unit in indexed..<units { firstAt[unit] = max(firstAt[unit], firstAt[unit - 1]) }
  }
}

/// A renewal stream of unit rate that is drawn as far as it was asked for, always from the same seed.
struct DrawnStream {
  private static let seed: UInt64 = 0x5061_7276_61
  private let cv2: Double
  private var random = UnitRandom(seed: seed)
  private var time = 0.0
  private(set) var stream = UnitStream()

  /// Gaps of squared coefficient of variation `cv2`: exponential for 1, gamma above.
  init(cv2: Double) { self.cv2 = cv2 }

  /// Draws until there are `count` arrivals at least. O(arrivals drawn).
  mutating func draw(_ count: Int) {
    guard stream.times.count < count else { return }
    // In variables of their own they stay in registers.
    var (random, time) = (random, time)
    let missing = count - stream.times.count
    if cv2 == 1 {
      stream.extend(by: missing) { _ in
        time += random.exponential()
        return time
      }
    } else {
      let (shape, scale) = (1 / cv2, cv2)
      stream.extend(by: missing) { _ in
        time += random.gamma(shape: shape) * scale
        return time
      }
    }
    (self.random, self.time) = (random, time)
  }
}

/// SplitMix64 (Steele, Lea and Flood, 2014) with the variates that arrivals need.
private struct UnitRandom {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// In (0, 1).
  private mutating func uniform() -> Double {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return (Double((z ^ (z >> 31)) >> 12) + 0.5) * 0x1p-52
  }

  mutating func exponential() -> Double { -Elementary.log(uniform()) }

  /// A gamma variate of mean `shape`, which is below 1, by algorithm GS of Ahrens and Dieter (1974).
  mutating func gamma(shape: Double) -> Double {
    let e = 2.718_281_828_459_045
    let bound = (e + shape) / e
    while true {
      let p = bound * uniform()
      if p <= 1 {
        let x = Elementary.exp(Elementary.log(p) / shape)
        // exp(-x) is at least 1 - x, which is mostly enough to know.
        let u = uniform()
        if u <= 1 - x || u <= Elementary.exp(-x) { return x }
      } else {
        let x = -Elementary.log((bound - p) / shape)
        if Elementary.log(uniform()) <= (shape - 1) * Elementary.log(x) { return x }
      }
    }
  }
}
