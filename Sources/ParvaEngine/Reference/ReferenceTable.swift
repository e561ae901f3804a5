import Synchronization

/// What one model can do on one kind of instance with one form of queue, stream and percentile, found out by reference runs.
final class ReferenceTable: Sendable {
  private struct Server: Sendable {
    var batch: Int
    var processes: Int
    /// Execution times of batches of 1...`batch` requests.
    var milliseconds: [Double]
    /// Requests per second when every batch is full.
    var throughput: Double
    var full: Double { milliseconds[milliseconds.count - 1] }
    /// Processes before which requests wait together; the others have queues that are like theirs.
    var together: Int
  }

  private struct Place: Hashable {
    var server: Int
    /// Index into ``ReferenceGrid/loads``.
    var load: Int
  }

  /// Objectives from the first on are kept, those up to the second missed; nothing is known of those between.
  private struct Known {
    var kept = Double.infinity
    var missed = 0.0
  }

  private let servers: [Server]
  private let cv2: Double
  private let recorded: ReferenceRun?
  private let tail: Double
  private let streams: ReferenceStreams
  private let known = Mutex<[Place: Known]>([:])

  init(
    _ profile: ModelProfile, instance: Int, _ queue: QueueForm, _ arrivals: ReferenceArrivals, tail: Double,
    _ streams: ReferenceStreams
  ) {
    servers = profile.points.filter { $0.profile == instance }.compactMap { point in
      guard
        let milliseconds = LatencyCurve(profile, instance: instance, processes: point.processes)?.table(
          limit: point.batch), let full = milliseconds.last
      else { return nil }
      return Server(
        batch: point.batch, processes: point.processes, milliseconds: milliseconds,
        throughput: 1000 * Double(point.batch * point.processes) / full,
        together: queue == .perProcess ? 1 : point.processes)
    }
    cv2 = arrivals.cv2
    recorded = arrivals.recording.map { ReferenceRun(recorded: ReferenceStream.twice($0), tail: tail) }
    self.tail = tail
    self.streams = streams
  }

  /// Index of the point with a batch limit and a number of processes. O(points).
  func server(batch: Int, processes: Int) -> Int? {
    servers.firstIndex { $0.batch == batch && $0.processes == processes }
  }

  /// The first load of the grid at which a point serves `rate` requests/s; nil beyond the last.
  func load(_ server: Int, rate: Double) -> Int? {
    ReferenceGrid.loads.firstIndex { $0 * servers[server].throughput >= rate }
  }

  /// Whether a point keeps an objective at a load. A run or two the first time.
  func keeps(_ objective: Double, _ server: Int, load: Int) -> Bool {
    let place = Place(server: server, load: load)
    var facts = known.withLock { $0[place] ?? Known() }
    if objective >= facts.kept { return true }
    if objective <= facts.missed { return false }
    let isKept = run(objective, servers[server], load: ReferenceGrid.loads[load])
    if isKept { facts.kept = objective } else { facts.missed = objective }
    known.withLock { $0[place] = facts }
    return isKept
  }

  /// The largest rate of the grid that a binary search from three quarters of it on finds to be kept; 0 for none.
  func capacity(_ server: Int, _ objective: Double) -> Double {
    let loads = ReferenceGrid.loads
    var (kept, missed, next) = (-1, loads.count, loads.count * 3 / 4)
    repeat {
      if keeps(objective, server, load: next) { kept = next } else { missed = next }
      next = (kept + missed) / 2
    } while missed - kept > 1
    return kept < 0 ? 0 : loads[kept] * servers[server].throughput
  }

  /// The most that any point of at most `maxProcesses` processes can be given. Those that promise most are tried first,
  /// the others where they keep the objective at the first load above the best so far. Some ten runs the first time.
  func most(_ objective: Double, maxProcesses: Int) -> Double {
    var ranked: [Keyed] = []
    for (index, server) in servers.enumerated() where server.processes <= maxProcesses && server.full <= objective {
      let spare = (objective / server.full - 1) * Double(server.together)
      ranked.append(Keyed(key: -server.throughput * min(1, 0.3 + 0.6 * spare), item: index))
    }
    var best = 0.0
    for index in ranked.sorted().map(\.item) {
      let throughput = servers[index].throughput
      guard let load = ReferenceGrid.loads.firstIndex(where: { $0 * throughput > best }),
        keeps(objective, index, load: load)
      else { continue }
      best = max(best, capacity(index, objective))
    }
    return best
  }

  private func run(_ objective: Double, _ server: Server, load: Double) -> Bool {
    guard let length = ReferenceGrid.length(load: load, batch: server.batch, cv2: cv2, tail: tail) else {
      return false
    }
    let drawn = ReferenceRun(drawn: streams.times(cv2: cv2, length / 16 * 17), judged: length, cv2: cv2, tail: tail)
    let rate = load * server.throughput * Double(server.together) / Double(server.processes)
    return [recorded, drawn].compactMap(\.self).allSatisfy {
      $0.keeps(
        objective, rate: rate, milliseconds: server.milliseconds, processes: server.together)
    }
  }
}

/// Arrivals that a segment is judged under. Its requests are a random part of its workload's, so streams smoother than
/// Poisson are judged as Poisson, and recordings with a Poisson stream beside them.
enum ReferenceArrivals: Hashable, Sendable {
  case drawn(cv2: Double)
  case recorded(ArrivalRecording)

  /// Nil for a trace that is not among `traces`.
  init?(_ process: ArrivalProcess, _ traces: [String: ArrivalRecording]) {
    switch process {
    case .gamma(let cv2) where cv2 > 1: self = .drawn(cv2: ReferenceGrid.burstiness(cv2))
    case .poisson, .deterministic, .gamma: self = .drawn(cv2: 1)
    case .trace(let name):
      guard let recording = traces[name] else { return nil }
      self = .recorded(recording)
    }
  }

  /// Squared coefficient of variation of the stream that is drawn.
  var cv2: Double { if case .drawn(let cv2) = self { cv2 } else { 1 } }
  var recording: ArrivalRecording? { if case .recorded(let recording) = self { recording } else { nil } }
}
