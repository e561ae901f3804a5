import Synchronization

/// Streams of arrivals at rate 1, drawn when they are first needed and then shared by all that are judged by them.
final class ArrivalStore: Sendable {
  private struct Key: Hashable {
    var cv2: Double
    var tail: Double
    var exponent: Int
  }

  /// Streams kept, each of 2 to 35 MB; beyond it all are dropped.
  private static let limit = 24
  private let known = Mutex<[Key: UnitArrivals]>([:])

  /// What a point has to keep the percentile under, each by itself. O(arrivals) the first time.
  ///
  /// - Parameter exponent: ``CapacityGrid/runExponent(load:)``.
  func streams(_ arrivals: CertifiedArrivals, tail: Double, exponent: Int) -> [UnitArrivals] {
    switch arrivals {
    case .poisson: [stream(Key(cv2: 1, tail: tail, exponent: exponent))]
    case .gamma(let cv2): [stream(Key(cv2: cv2, tail: tail, exponent: exponent))]
    case .recorded(let recording): [UnitArrivals(recording), stream(Key(cv2: 1, tail: tail, exponent: exponent))]
    }
  }

  private func stream(_ key: Key) -> UnitArrivals {
    if let stream = known.withLock({ $0[key] }) { return stream }
    let made = UnitArrivals(cv2: key.cv2, tail: key.tail, exponent: key.exponent)
    return known.withLock { known in
      if let stream = known[key] { return stream }
      if known.count >= Self.limit { known = [:] }
      known[key] = made
      return made
    }
  }
}
