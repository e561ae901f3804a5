/// Arrivals that capacities are certified for: what the segments of a workload see of its stream.
///
/// Requests are dealt to segments at random. A Poisson stream stays one. A renewal stream of squared coefficient of
/// variation c, of which a share q is kept, has q c + 1 - q: nearer to a Poisson stream than before. So one with c above 1
/// is certified at its own c, whatever the share; of smoother ones and of recordings it is played what is left of them.
enum CertifiedArrivals: Hashable, Sendable {
  case poisson
  /// `cv2` is above 1 and on the grid.
  case gamma(cv2: Double)
  /// A random share of a stream of `rate` requests per second in whole; on the grid.
  case part(of: WholeStream, rate: Double)

  /// Squared coefficient of variation of the gaps of the stream that is drawn.
  var cv2: Double {
    if case .gamma(let cv2) = self { cv2 } else { 1 }
  }

  /// Nil for a trace that is not among `traces`.
  ///
  /// The whole comes at the declared rate and the margin, since that much is certified. Where it is faster, less of it is for
  /// a segment: that makes recordings calmer and even streams more random, so for those it is rounded down, for these up.
  init?(_ workload: Workload, margin: Double, traces: [String: ArrivalRecording]) {
    let rate = workload.rate * (1 + (workload.margin ?? margin))
    switch workload.arrivals {
    case .gamma(let cv2) where cv2 > 1: self = .gamma(cv2: CapacityGrid.burstiness(cv2: cv2))
    case .gamma(let cv2) where cv2 > 0.5: self = .poisson
    case .gamma(let cv2):
      self = .part(of: .erlang(stages: CapacityGrid.stages(cv2: cv2)), rate: CapacityGrid.rate(above: rate))
    case .poisson: self = .poisson
    case .deterministic: self = .part(of: .even, rate: CapacityGrid.rate(above: rate))
    case .trace(let name):
      guard let recording = traces[name] else { return nil }
      self = .part(of: .recording(recording), rate: CapacityGrid.rate(below: rate))
    }
  }
}

/// The stream of a workload, of which each of its segments sees a random share.
enum WholeStream: Hashable, Sendable {
  case recording(ArrivalRecording)
  /// Equal gaps.
  case even
  /// Gaps of so many exponential ones each: a gamma distribution with a squared coefficient of variation of 1 / `stages`.
  case erlang(stages: Int)

  /// Whether it is smoother than a Poisson stream in all its parts.
  var isSmooth: Bool { if case .recording = self { false } else { true } }

  /// Squared coefficient of variation of the gaps of a share of it, where it is a renewal stream; 1 for a recording.
  func cv2(share: Double) -> Double {
    switch self {
    case .recording: 1
    case .even: 1 - share
    case .erlang(let stages): 1 - share + share / Double(stages)
    }
  }
}
