import Synchronization

/// Streams of arrivals at rate 1, drawn as far as they are needed and shared by all that are judged by them.
final class ArrivalStore: Sendable {
  /// One stream, which grows under its own lock: who needs it meanwhile waits instead of drawing it too.
  private final class Growing<Source: GrowingStream>: Sendable {
    private let source: Mutex<Source>

    init(_ source: sending Source) { self.source = Mutex(source) }

    func stream(_ count: Int) -> UnitStream {
      source.withLock { source in
        source.draw(count)
        return source.stream
      }
    }

    var count: Int { source.withLock { $0.stream.count } }
  }

  private struct Part: Hashable {
    var whole: WholeStream
    var share: Double
  }

  /// Streams kept of each sort, the drawn ones of up to 10 MB; beyond it all are dropped.
  private static let limit = 12
  /// Arrivals kept of parts, five bytes each; beyond it all are dropped.
  private static let mostArrivals = 1 << 24
  private let known = Mutex<[Double: Growing<DrawnStream>]>([:])
  private let parts = Mutex<[Part: Growing<PartStream>]>([:])
  private let recordings = Mutex<[ArrivalRecording: UnitArrivals]>([:])

  /// A recording as it is played in whole. O(arrivals).
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
      let made = Growing(DrawnStream(cv2: cv2))
      known[cv2] = made
      return made
    }
    let judged = UnitArrivals.judged(exponent: exponent, tail: tail)
    return UnitArrivals(growing.stream(UnitArrivals.length(judged: judged)), judged: judged, cv2: cv2)
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
    let growing = parts.withLock { parts in
      let key = Part(whole: whole, share: share)
      if let growing = parts[key] { return growing }
      if parts.values.reduce(0, { $0 + $1.count }) > Self.mostArrivals { parts = [:] }
      let made = Growing(PartStream(of: whole, share: share))
      parts[key] = made
      return made
    }
    return UnitArrivals(
      growing.stream(UnitArrivals.length(judged: judged)), judged: judged, cv2: whole.cv2(share: share))
  }
}

/// What grows by being drawn from.
private protocol GrowingStream {
  var stream: UnitStream { get }
  mutating func draw(_ count: Int)
}

extension DrawnStream: GrowingStream {}
extension PartStream: GrowingStream {}
