/// Times of arrivals at rate 1, drawn once and scaled to every rate that is tried: all points and rates are judged by the
/// same stream, so that their order does not hang on luck.
struct UnitArrivals: Sendable {
  let stream: UnitStream
  /// Arrivals that fill the queue to begin with and are not judged.
  let warmup: Int
  /// Equal stretches of the judged part whose differences tell how sure the whole is; 1 for a recording, which is
  /// judged as it is.
  let groups: Int
  /// Judged arrivals of one group.
  let groupSize: Int

  var judged: Int { groups * groupSize }
  /// What one arrival per unit of time is in this stream, see ``init(_:judged:cv2:)``.
  let pace: Double

  static let mostGroups = 16
  /// Arrivals of the longest run of a part of a recording; where it had to be longer, the recording is played in whole.
  static let longestPart = 1 << 23

  /// The judged arrivals of a run of 2^`exponent` for one late request in a hundred: more where a share `tail` below
  /// that asks for it.
  static func judged(exponent: Int, tail: Double) -> Int {
    max(1 << exponent, min(1 << 21, Int(Double(1 << CapacityGrid.shortRun) / (100 * tail)))) / mostGroups * mostGroups
  }

  /// All arrivals, judged or not, of such a run.
  static func length(judged: Int) -> Int { judged + judged / mostGroups }

  /// The first ``length(judged:)`` of a stream of at least as many whose gaps have a squared coefficient of variation of
  /// `cv2`.
  ///
  /// By chance these arrivals come a little faster or slower than the stream does in the long run; they are played at
  /// the pace that they really have. How far a run of n can tell paces apart, sqrt(cv2 / n), is then added on the safe side.
  init(_ stream: UnitStream, judged: Int, cv2: Double) {
    self.stream = stream
    groups = Self.mostGroups
    groupSize = judged / Self.mostGroups
    warmup = groupSize
    let time = stream.time(warmup + judged - 1) - stream.time(warmup - 1)
    pace = Double(judged) / time / (1 + (cv2 / Double(judged)).squareRoot())
  }

  /// The recording twice in a circle: once to fill the queue, once to be judged.
  init(_ recording: ArrivalRecording) {
    stream = UnitStream(gaps: recording.gaps + recording.gaps)
    groups = 1
    groupSize = recording.gaps.count
    warmup = recording.gaps.count
    pace = 1
  }
}
