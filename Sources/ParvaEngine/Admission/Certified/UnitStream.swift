/// Arrivals at rate 1 in the order of time, in sixteens: four bytes each, so that a long stream stays in the caches.
struct UnitStream: Sendable {
  /// Of every sixteen arrivals the time of the first.
  private(set) var marks: [Double] = []
  /// How long after the first of its sixteen each arrival comes, rounded down; ascending in each sixteen. The last sixteen is
  /// filled up with infinity.
  private(set) var offsets: [Float] = []
  private(set) var count = 0

  init() {}

  init(gaps: [Double]) {
    var time = 0.0
    extend(by: gaps.count) { index in
      time += gaps[index]
      return time
    }
  }

  func time(_ index: Int) -> Double { marks[index >> 4] + Double(offsets[index]) }

  /// Adds `count` arrivals at times that do not fall. O(count).
  mutating func extend(by count: Int, _ next: (Int) -> Double) {
    offsets.removeLast(offsets.count - self.count)
    offsets.reserveCapacity((self.count + count + 15) & ~15)
    for index in 0..<count {
      let time = next(index)
      if offsets.count & 15 == 0 { marks.append(time) }
      let after = time - marks[marks.count - 1]
      // Without the bits that a Float has no place for there is nothing to round up.
      offsets.append(Float(Double(bitPattern: after.bitPattern & ~0x1fff_ffff)))
    }
    self.count += count
    while offsets.count & 15 != 0 { offsets.append(.infinity) }
  }
}

/// A stream of unit rate that is drawn as far as it was asked for, always from the same seed.
struct DrawnStream {
  enum Kind: Hashable {
    /// Gaps of this squared coefficient of variation: exponential for 1, gamma above.
    case renewal(cv2: Double)
    /// Of the arrivals of a whole each with a probability of `share`, above 0 and at most 1.
    case part(of: WholeStream, share: Double)

    /// Squared coefficient of variation of the gaps; 1 for a part of a recording.
    var cv2: Double {
      switch self {
      case .renewal(let cv2): cv2
      case .part(let whole, let share): whole.cv2(share: share)
      }
    }
  }

  private let kind: Kind
  /// Of a part of a recording: when the arrivals of the whole come.
  private let ends: [Double]
  private var random = UnitRandom()
  private var time = 0.0
  /// Arrivals of the whole that went by, in the present round of a recording.
  private var passed = 0
  private var rounds = 0
  private(set) var stream = UnitStream()

  init(_ kind: Kind) {
    self.kind = kind
    var (ends, time): ([Double], Double) = ([], 0)
    if case .part(of: .recording(let recording), _) = kind {
      ends.reserveCapacity(recording.gaps.count)
      for gap in recording.gaps {
        time += gap
        ends.append(time)
      }
    }
    self.ends = ends
  }

  /// Draws until there are `count` arrivals at least. O(arrivals drawn), times the stages of a smooth stream.
  mutating func draw(_ count: Int) {
    guard stream.count < count else { return }
    // In variables of their own they stay in registers.
    var (random, time, passed, rounds) = (random, time, passed, rounds)
    let ends = ends
    let missing = count - stream.count
    switch kind {
    case .renewal(cv2: 1):
      stream.extend(by: missing) { _ in
        time += random.exponential()
        return time
      }
    case .renewal(let cv2):
      stream.extend(by: missing) { _ in
        time += random.gamma(cv2: cv2) * cv2
        return time
      }
    case .part(of: .recording, let share):
      let length = ends[ends.count - 1]
      stream.extend(by: missing) { _ in
        passed += random.tries(share: share)
        while passed > ends.count {
          passed -= ends.count
          rounds += 1
        }
        return (Double(rounds) * length + ends[passed - 1]) * share
      }
    case .part(of: .even, let share):
      stream.extend(by: missing) { _ in
        passed += random.tries(share: share)
        return Double(passed) * share
      }
    case .part(of: .erlang(let stages), let share):
      stream.extend(by: missing) { _ in
        time += random.exponentials(random.tries(share: share) * stages)
        return time * share / Double(stages)
      }
    }
    (self.random, self.time, self.passed, self.rounds) = (random, time, passed, rounds)
  }
}

/// SplitMix64 (Steele, Lea and Flood, 2014) with the variates that arrivals need.
private struct UnitRandom {
  /// Where every stream begins.
  private var state: UInt64 = 0x5061_7276_61

  /// In (0, 1).
  private mutating func uniform() -> Double {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return (Double((z ^ (z >> 31)) >> 12) + 0.5) * 0x1p-52
  }

  mutating func exponential() -> Double { -Elementary.log(uniform()) }

  /// The sum of so many exponential variates; a product of sixteen is far from the least number there is.
  mutating func exponentials(_ count: Int) -> Double {
    var sum = 0.0
    var left = count
    while left > 0 {
      var product = 1.0
      for _ in 0..<min(16, left) { product *= uniform() }
      sum -= Elementary.log(product)
      left -= 16
    }
    return sum
  }

  /// How many come until the first that is kept, that one counted, where each is with a probability of `share`.
  mutating func tries(share: Double) -> Int {
    share < 1 ? 1 + Int(Elementary.log(uniform()) / Elementary.log(1 - share)) : 1
  }

  /// A gamma variate of mean and shape 1 / `cv2`, which is above 1, by algorithm GS of Ahrens and Dieter (1974).
  mutating func gamma(cv2: Double) -> Double {
    let e = 2.718_281_828_459_045
    let bound = (e + 1 / cv2) / e
    while true {
      let p = bound * uniform()
      if p <= 1 {
        let x = Self.power(p, cv2)
        // exp(-x) is at least 1 - x, which is mostly enough to know.
        let u = uniform()
        if u <= 1 - x || u <= Elementary.exp(-x) { return x }
      } else {
        let x = -Elementary.log((bound - p) * cv2)
        if Elementary.log(uniform()) <= (1 / cv2 - 1) * Elementary.log(x) { return x }
      }
    }
  }

  /// `base`, between 0 and 1, to the power of `exponent`: by products where that is a multiple of a half, as all of the
  /// grid are.
  private static func power(_ base: Double, _ exponent: Double) -> Double {
    guard exponent < 1e4, exponent * 2 == Double(Int(exponent * 2)) else {
      return Elementary.exp(Elementary.log(base) * exponent)
    }
    var halves = Int(exponent * 2)
    var factor = base.squareRoot()
    var product = 1.0
    while halves > 0 {
      if halves & 1 == 1 { product *= factor }
      factor *= factor
      halves >>= 1
    }
    return product
  }
}
