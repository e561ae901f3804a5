/// Arrivals at rate 1 from the seed that docs/admission.md states, drawn as far as they are needed.
struct ReferenceStream {
  private static let seed: UInt64 = 0x5061_7276_61
  enum Kind: Hashable {
    /// Squared coefficient of variation of the gaps: 1 for a Poisson stream, above 1 for gamma gaps.
    case renewal(cv2: Double)
    /// Of the arrivals of a whole each with a probability of `share`, at most 1.
    case part(ReferenceArrivals.Whole, share: Double)

    /// What the pace of a run is uncertain by.
    var cv2: Double {
      switch self {
      case .renewal(let cv2): cv2
      case .part(.recording, _): 1
      case .part(.even, let share): 1 - share
      case .part(.stages(let stages), let share): 1 - share + share / Double(stages)
      }
    }
  }

  private let kind: Kind
  private var state = seed
  private var time = 0.0
  private(set) var times: [Double] = []

  /// Of a recording, when its arrivals come.
  private var ends: [Double] = []
  /// Arrivals of the whole so far.
  private var passed = 0

  init(_ kind: Kind) {
    self.kind = kind
    guard case .part(.recording(let recording), _) = kind else { return }
    var end = 0.0
    ends = recording.gaps.map { gap in
      end += gap
      return end
    }
  }

  /// Draws until there are `count` arrivals. O(arrivals drawn), times the stages of a smooth stream.
  mutating func draw(_ count: Int) {
    times.reserveCapacity(count)
    while times.count < count {
      let next = next()
      times.append(Self.stored(next, after: times))
    }
  }

  private mutating func next() -> Double {
    switch kind {
    case .renewal(let cv2):
      time += cv2 == 1 ? exponential() : gamma(cv2) * cv2
      return time
    case .part(let whole, let share):
      let tries = share == 1 ? 1 : 1 + Int(Elementary.log(uniform()) / Elementary.log(1 - share))
      passed += tries
      switch whole {
      case .even: return Double(passed) * share
      case .stages(let stages):
        time += stagesOf(tries * stages)
        return time * share / Double(stages)
      case .recording:
        let (rounds, place) = (passed - 1).quotientAndRemainder(dividingBy: ends.count)
        return (Double(rounds) * ends[ends.count - 1] + ends[place]) * share
      }
    }
  }

  /// So many exponential times, sixteen at a time from the product of their uniform numbers.
  private mutating func stagesOf(_ count: Int) -> Double {
    var sum = 0.0
    for first in stride(from: 0, to: count, by: 16) {
      sum -= Elementary.log((first..<min(first + 16, count)).reduce(1.0) { product, _ in product * uniform() })
    }
    return sum
  }

  /// A recording twice in a circle.
  static func twice(_ recording: ArrivalRecording) -> [Double] {
    var (times, time): ([Double], Double) = ([], 0)
    times.reserveCapacity(2 * recording.gaps.count)
    for gap in recording.gaps + recording.gaps {
      time += gap
      times.append(stored(time, after: times))
    }
    return times
  }

  /// A time with as many bits as the rule keeps: 24 of what passed since the first of its sixteen, rounded down.
  private static func stored(_ time: Double, after times: [Double]) -> Double {
    guard times.count % 16 != 0 else { return time }
    let mark = times[times.count / 16 * 16]
    let since = Float(time - mark)
    return mark + Double(Double(since) > time - mark ? since.nextDown : since)
  }

  /// SplitMix64 (Steele, Lea and Flood 2014), as a number in (0, 1).
  private mutating func uniform() -> Double {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    mixed ^= mixed >> 31
    return (Double(mixed >> 12) + 0.5) / 0x1p52
  }

  /// By inversion.
  private mutating func exponential() -> Double { -Elementary.log(uniform()) }

  /// Algorithm GS of Ahrens and Dieter (1974) for shape 1 / cv2, below 1.
  private mutating func gamma(_ cv2: Double) -> Double {
    let e = 2.718_281_828_459_045
    let shape = 1 / cv2
    let bound = (e + shape) / e
    while true {
      let p = bound * uniform()
      if p <= 1 {
        let x = Elementary.exp(Elementary.log(p) * cv2)
        if uniform() <= Elementary.exp(-x) { return x }
      } else {
        let x = -Elementary.log((bound - p) * cv2)
        if Elementary.log(uniform()) <= (shape - 1) * Elementary.log(x) { return x }
      }
    }
  }
}
