import Synchronization

/// Streams of arrivals at rate 1, drawn as far as they are needed and shared by all that are judged by them.
final class ArrivalStore: Sendable {
  /// One stream, which grows under its own lock: who needs it meanwhile waits instead of drawing it too.
  private final class Growing: Sendable {
    private let drawn: Mutex<DrawnStream>

    init(cv2: Double) { drawn = Mutex(DrawnStream(cv2: cv2)) }

    func stream(_ count: Int) -> UnitStream {
      drawn.withLock { drawn in
        drawn.draw(count)
        return drawn.stream
      }
    }
  }

  /// Streams kept, each of 3 to 54 MB; beyond it all are dropped.
  private static let limit = 12
  private let known = Mutex<[Double: Growing]>([:])

  /// What a point has to keep the percentile under, each by itself. O(arrivals) the first time.
  ///
  /// - Parameter exponent: ``CapacityGrid/runExponent(load:batch:)``.
  func arrivals(_ arrivals: CertifiedArrivals, tail: Double, exponent: Int) -> [UnitArrivals] {
    switch arrivals {
    case .poisson: [drawn(cv2: 1, tail, exponent)]
    case .gamma(let cv2): [drawn(cv2: cv2, tail, exponent)]
    case .recorded(let recording): [UnitArrivals(recording), drawn(cv2: 1, tail, exponent)]
    }
  }

  private func drawn(cv2: Double, _ tail: Double, _ exponent: Int) -> UnitArrivals {
    let growing = known.withLock { known in
      if let growing = known[cv2] { return growing }
      if known.count >= Self.limit { known = [:] }
      let made = Growing(cv2: cv2)
      known[cv2] = made
      return made
    }
    let judged = UnitArrivals.judged(exponent: exponent, tail: tail)
    return UnitArrivals(growing.stream(UnitArrivals.length(judged: judged)), judged: judged, cv2: cv2)
  }
}
