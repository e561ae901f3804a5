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

  /// Squared coefficient of variation of the gaps of the stream that is drawn.
  var cv2: Double {
    if case .gamma(let cv2) = self { cv2 } else { 1 }
  }

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
