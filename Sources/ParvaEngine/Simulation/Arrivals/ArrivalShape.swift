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

/// The gaps of a recorded stream, at least one above 0, brought to mean 1.
public struct ArrivalRecording: Hashable, Sendable {
  public let name: String
  public let gaps: [Double]

  /// - Parameters:
  ///   - arrivals: times in ascending order, in any unit; at least two different ones.
  /// - Returns: nil where the times are fewer, or not in order. The gap from the last arrival back to the first is the
  ///   mean gap. O(n).
  public init?(name: String, arrivals: [Double]) {
    guard let first = arrivals.first, let last = arrivals.last, last > first, (last - first).isFinite else {
      return nil
    }
    let mean = (last - first) / Double(arrivals.count - 1)
    var gaps: [Double] = []
    gaps.reserveCapacity(arrivals.count)
    for (earlier, later) in zip(arrivals, arrivals.dropFirst()) {
      guard later >= earlier else { return nil }
      gaps.append((later - earlier) / mean)
    }
    gaps.append(1)
    self.name = name
    self.gaps = gaps
  }

  /// A recording that was made before, from its gaps.
  ///
  /// - Returns: nil where a gap is below 0 or not finite, or there are fewer than two.
  package init?(name: String, gaps: [Double]) {
    guard gaps.count >= 2, gaps.allSatisfy({ $0 >= 0 && $0.isFinite }) else { return nil }
    self.name = name
    self.gaps = gaps
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
