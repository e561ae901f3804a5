/// Arrivals at rate 1 from the seed that docs/admission.md states, drawn as far as they are needed.
struct ReferenceStream {
  private static let seed: UInt64 = 0x5061_7276_61
  /// Squared coefficient of variation of the gaps: 1 for a Poisson stream, above 1 for gamma gaps.
  private let cv2: Double
  private var state = seed
  private var time = 0.0
  private(set) var times: [Double] = []

  init(cv2: Double) { self.cv2 = cv2 }

  /// Draws until there are `count` arrivals. O(arrivals drawn).
  mutating func draw(_ count: Int) {
    times.reserveCapacity(count)
    while times.count < count {
      time += cv2 == 1 ? exponential() : gamma() * cv2
      times.append(Self.stored(time, after: times))
    }
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
  private mutating func gamma() -> Double {
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
