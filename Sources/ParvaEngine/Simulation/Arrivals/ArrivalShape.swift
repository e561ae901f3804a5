/// The pattern of a stream of requests, free of its rate: gaps of mean 1.
public enum ArrivalShape: Hashable, Sendable {
  /// Independent arrivals: exponential gaps.
  case poisson
  /// Equal gaps.
  case deterministic
  /// Independent gamma-distributed gaps with this squared coefficient of variation, above 0.
  case gamma(cv2: Double)
  /// A recorded sequence of gaps, played in a circle from a random place; brought to mean 1.
  case recorded(ArrivalRecording)

  /// - Parameter traces: what a process may refer to by name.
  /// - Returns: nil where it refers to another.
  public init?(_ process: ArrivalProcess, traces: [String: ArrivalRecording]) {
    switch process {
    case .poisson: self = .poisson
    case .deterministic: self = .deterministic
    case .gamma(let cv2): self = .gamma(cv2: cv2)
    case .trace(let name):
      guard let recording = traces[name] else { return nil }
      self = .recorded(recording)
    }
  }
}

/// Draws the gaps of a shape, one after the other.
struct GapSource: Sendable {
  private enum Kind {
    case poisson, deterministic, gamma, recorded
  }

  private let kind: Kind
  private var random: Xoshiro256
  private let exponential = ExponentialSampler.shared
  /// Used by ``Kind/gamma`` alone.
  private var gamma = GammaSampler(cv2: 1)
  /// Used by ``Kind/recorded`` alone.
  private var gaps: [Double] = []
  private var position = 0

  init(_ shape: ArrivalShape, random: Xoshiro256) {
    self.random = random
    switch shape {
    case .poisson: kind = .poisson
    case .deterministic: kind = .deterministic
    case .gamma(let cv2):
      kind = .gamma
      gamma = GammaSampler(cv2: cv2)
    case .recorded(let recording):
      kind = .recorded
      gaps = recording.gaps
      position = Int(self.random.next().multipliedFullWidth(by: UInt64(gaps.count)).high)
    }
  }

  /// The gap before the first arrival: a random part of one where gaps are equal, so that streams are not in step.
  mutating func first() -> Double { kind == .deterministic ? random.unit() : next() }

  mutating func next() -> Double {
    switch kind {
    case .poisson: return exponential.next(&random)
    case .deterministic: return 1
    case .gamma: return gamma.next(&random)
    case .recorded:
      let gap = gaps[position]
      position += 1
      if position == gaps.count { position = 0 }
      return gap
    }
  }
}
