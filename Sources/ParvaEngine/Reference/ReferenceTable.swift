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
  private let arrivals: ReferenceArrivals
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
    self.arrivals = arrivals
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

  /// The load from which on one queue has the whole of a stream that is smoother than its parts.
  private func wholeLoad(_ server: Int) -> Int? {
    guard case .part(let whole, let rate) = arrivals else { return nil }
    if case .recording = whole { return nil }
    let one = servers[server].throughput * Double(servers[server].together) / Double(servers[server].processes)
    return ReferenceGrid.loads.firstIndex { $0 * one >= rate }
  }

  /// The largest rate of the grid that a binary search finds to be kept, from three quarters of it on, or from where a smooth
  /// stream is whole; 0 for none.
  func capacity(_ server: Int, _ objective: Double) -> Double {
    let loads = ReferenceGrid.loads
    var (kept, missed, next) = (-1, loads.count, wholeLoad(server) ?? loads.count * 3 / 4)
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
      guard let load = ReferenceGrid.loads.firstIndex(where: { $0 * throughput > best }) else { continue }
      let isWorth = { (other: Int) in other >= load && self.keeps(objective, index, load: other) }
      guard isWorth(load) || wholeLoad(index).map(isWorth) ?? false else { continue }
      best = max(best, capacity(index, objective))
    }
    return best
  }

  private func run(_ objective: Double, _ server: Server, load: Double) -> Bool {
    let cv2 = if case .drawn(let cv2) = arrivals { cv2 } else { 1.0 }
    guard let length = ReferenceGrid.length(load: load, batch: server.batch, cv2: cv2, tail: tail) else {
      return false
    }
    let rate = load * server.throughput * Double(server.together) / Double(server.processes)
    return runs(rate, length: length).allSatisfy {
      $0.keeps(objective, rate: rate, milliseconds: server.milliseconds, processes: server.together)
    }
  }

  /// What a queue that gets `rate` requests per second is judged by, in runs of `length` requests or somewhat more.
  private func runs(_ rate: Double, length: Int) -> [ReferenceRun] {
    func drawn(_ kind: ReferenceStream.Kind, _ length: Int) -> ReferenceRun {
      ReferenceRun(drawn: streams.times(kind, length / 16 * 17), judged: length, cv2: kind.cv2, tail: tail)
    }
    switch arrivals {
    case .drawn(let cv2): return [drawn(.renewal(cv2: cv2), length)]
    case .part(.recording(let recording), let whole):
      let share = rate < whole ? ReferenceGrid.rounded(up: rate / whole, steps: 4) : 1
      // Every stretch goes round the recording once or several times.
      let round = share * Double(recording.gaps.count)
      let stretch = Int((Double(length / 16) / round).rounded(.up) * round)
      let isWhole = share == 1 || 17 * stretch > 1 << 23
      return [
        isWhole
          ? ReferenceRun(recorded: ReferenceStream.twice(recording), tail: tail)
          : drawn(.part(.recording(recording), share: share), 16 * stretch),
        drawn(.renewal(cv2: 1), length),
      ]
    case .part(let smooth, let whole):
      guard rate / whole >= 0.25 else { return [drawn(.renewal(cv2: 1), length)] }
      let share = rate < whole ? ReferenceGrid.rounded(down: rate / whole, steps: 4) : 1
      return [drawn(.part(smooth, share: share), length)]
    }
  }
}

/// Arrivals that a segment is judged under. Its requests are a random part of its workload's.
enum ReferenceArrivals: Hashable, Sendable {
  case drawn(cv2: Double)
  /// A random part of a stream of `rate` requests per second in whole.
  case part(Whole, rate: Double)

  enum Whole: Hashable, Sendable {
    case recording(ArrivalRecording)
    /// Equal gaps.
    case even
    /// Gaps of so many exponential times each.
    case stages(Int)
  }

  /// Nil for a trace that is not among `traces`.
  ///
  /// - Parameter rate: of the workload, with its margin.
  init?(_ process: ArrivalProcess, rate: Double, _ traces: [String: ArrivalRecording]) {
    switch process {
    case .poisson: self = .drawn(cv2: 1)
    case .deterministic: self = .part(.even, rate: ReferenceGrid.rounded(up: rate, steps: 32))
    case .gamma(let cv2) where cv2 > 1: self = .drawn(cv2: ReferenceGrid.burstiness(cv2))
    case .gamma(let cv2) where cv2 > 0.5: self = .drawn(cv2: 1)
    case .gamma(let cv2):
      let stages = (2...16).last { Double($0) * cv2 <= 1 + 1e-9 } ?? 2
      self = .part(.stages(stages), rate: ReferenceGrid.rounded(up: rate, steps: 32))
    case .trace(let name):
      guard let recording = traces[name] else { return nil }
      self = .part(.recording(recording), rate: ReferenceGrid.rounded(down: rate, steps: 8))
    }
  }
}
