/// Arrivals that capacities are certified for: what the segments of a workload see of its stream.
///
/// Requests are dealt to segments at random. A Poisson stream stays one. A renewal stream of squared coefficient of
/// variation c, of which a share q is kept, has q c + 1 - q: nearer to a Poisson stream than before. So a stream with
/// c below 1 is certified as Poisson, and one with c above 1 at its own c, whatever the share.
enum CertifiedArrivals: Hashable, Sendable {
  case poisson
  /// `cv2` is above 1 and on the grid.
  case gamma(cv2: Double)
  /// A recording, and a Poisson stream of the same rate: few of the recorded requests, picked at random, look like that.
  case recorded(ArrivalRecording)

  /// Nil for a trace that is not among `traces`.
  init?(_ process: ArrivalProcess, traces: [String: ArrivalRecording]) {
    switch process {
    case .poisson, .deterministic: self = .poisson
    case .gamma(let cv2): self = cv2 > 1 ? .gamma(cv2: CapacityGrid.burstiness(cv2: cv2)) : .poisson
    case .trace(let name):
      guard let recording = traces[name] else { return nil }
      self = .recorded(recording)
    }
  }
}

/// Times of arrivals at rate 1, drawn once and scaled to every rate that is tried: all points and rates are judged by the
/// same stream, so that their order does not hang on luck.
struct UnitArrivals: Sendable {
  /// Ascending; the first `warmup` fill the queue and are not judged.
  let times: [Double]
  let warmup: Int
  /// Equal stretches of the judged part whose differences tell how sure the whole is; 1 for a recording, which is
  /// judged as it is.
  let groups: Int
  /// Judged arrivals of one group.
  let groupSize: Int

  var judged: Int { groups * groupSize }

  private static let groups = 16
  private static let seed: UInt64 = 0x5061_7276_61

  /// A fresh stream of 2^`exponent` judged arrivals, or more where a share `tail` below a hundredth asks for it.
  init(cv2: Double, tail: Double, exponent: Int) {
    groups = Self.groups
    groupSize = max(1 << exponent, min(1 << 22, Int(2621.44 / tail))) / Self.groups
    warmup = groupSize
    var random = UnitRandom(seed: Self.seed)
    var times: [Double] = []
    times.reserveCapacity(warmup + groups * groupSize)
    var time = 0.0
    for _ in 0..<(warmup + groups * groupSize) {
      time += cv2 == 1 ? random.exponential() : random.gamma(shape: 1 / cv2) * cv2
      times.append(time)
    }
    self.times = times
  }

  /// The recording twice in a circle: once to fill the queue, once to be judged.
  init(_ recording: ArrivalRecording) {
    groups = 1
    groupSize = recording.gaps.count
    warmup = recording.gaps.count
    var time = 0.0
    times = (recording.gaps + recording.gaps).map { gap in
      time += gap
      return time
    }
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
        if exponential() >= x { return x }
      } else {
        let x = -Elementary.log((bound - p) / shape)
        if Elementary.log(uniform()) <= (shape - 1) * Elementary.log(x) { return x }
      }
    }
  }
}
