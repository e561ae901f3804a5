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

  /// Streams kept of each sort, the drawn ones of up to 10 MB; beyond it all are dropped.
  private static let limit = 12
  private let known = Mutex<[Double: Growing]>([:])
  private let recordings = Mutex<[ArrivalRecording: UnitArrivals]>([:])

  /// A recording as it is played. O(arrivals).
  func recorded(_ recording: ArrivalRecording) -> UnitArrivals {
    recordings.withLock { known in
      if let arrivals = known[recording] { return arrivals }
      if known.count >= Self.limit { known = [:] }
      let made = UnitArrivals(recording)
      known[recording] = made
      return made
    }
  }

  /// A renewal stream whose gaps have a squared coefficient of variation of `cv2`. O(arrivals) the first time.
  ///
  /// - Parameter exponent: ``CapacityGrid/runExponent(load:batch:cv2:)``.
  func drawn(cv2: Double, tail: Double, exponent: Int) -> UnitArrivals {
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
