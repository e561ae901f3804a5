import Synchronization

/// Streams of arrivals at rate 1, drawn as far as they are needed and shared by all that are judged by them.
final class ArrivalStore: Sendable {
  /// One stream, which grows under its own lock: who needs it meanwhile waits instead of drawing it too.
  private final class Growing: Sendable {
    private let drawn: Mutex<DrawnStream>

    init(_ kind: DrawnStream.Kind) { drawn = Mutex(DrawnStream(kind)) }

    func stream(_ count: Int) -> UnitStream {
      drawn.withLock { drawn in
        drawn.draw(count)
        return drawn.stream
      }
    }

    var count: Int { drawn.withLock { $0.stream.count } }
  }

  /// Arrivals kept of drawn streams, five bytes each; beyond it all are dropped.
  private static let mostArrivals = 1 << 25
  /// Recordings kept.
  private static let mostRecordings = 12
  private let known = Mutex<[DrawnStream.Kind: Growing]>([:])
  private let recordings = Mutex<[ArrivalRecording: UnitArrivals]>([:])

  /// A recording as it is played in whole. O(arrivals).
  func recorded(_ recording: ArrivalRecording) -> UnitArrivals {
    recordings.withLock { known in
      if let arrivals = known[recording] { return arrivals }
      if known.count >= Self.mostRecordings { known = [:] }
      let made = UnitArrivals(recording)
      known[recording] = made
      return made
    }
  }

  /// A renewal stream whose gaps have a squared coefficient of variation of `cv2`. O(arrivals) the first time.
  ///
  /// - Parameter exponent: ``CapacityGrid/runExponent(load:batch:cv2:)``.
  func drawn(cv2: Double, tail: Double, exponent: Int) -> UnitArrivals {
    arrivals(.renewal(cv2: cv2), judged: UnitArrivals.judged(exponent: exponent, tail: tail))
  }

  /// A random share of a stream; a share of 1 of a recording is judged as it is. O(arrivals) the first time.
  ///
  /// A stretch of a recording is as long as it takes to go round it, or to go round it several times.
  func part(of whole: WholeStream, share: Double, tail: Double, exponent: Int) -> UnitArrivals {
    var judged = UnitArrivals.judged(exponent: exponent, tail: tail)
    if case .recording(let recording) = whole {
      let round = share * Double(recording.gaps.count)
      let stretch = (Double(judged / UnitArrivals.mostGroups) / round).rounded(.up) * round
      judged = Int(stretch) * UnitArrivals.mostGroups
      if share == 1 || UnitArrivals.length(judged: judged) > UnitArrivals.longestPart { return recorded(recording) }
    }
    return arrivals(.part(of: whole, share: share), judged: judged)
  }

  private func arrivals(_ kind: DrawnStream.Kind, judged: Int) -> UnitArrivals {
    let growing = known.withLock { known in
      if let growing = known[kind] { return growing }
      if known.values.reduce(0, { $0 + $1.count }) > Self.mostArrivals { known = [:] }
      let made = Growing(kind)
      known[kind] = made
      return made
    }
    return UnitArrivals(growing.stream(UnitArrivals.length(judged: judged)), judged: judged, cv2: kind.cv2)
  }
}
