import Synchronization

/// The streams of reference runs, drawn as far as they were asked for.
final class ReferenceStreams: Sendable {
  /// Arrivals kept, eight bytes each; beyond it all are dropped.
  private static let limit = 1 << 24
  private let known = Mutex<[ReferenceStream.Kind: ReferenceStream]>([:])

  /// The first `count` arrivals at least. O(arrivals drawn).
  func times(_ kind: ReferenceStream.Kind, _ count: Int) -> [Double] {
    known.withLock { known in
      if known[kind] == nil, known.values.reduce(0, { $0 + $1.times.count }) > Self.limit { known = [:] }
      // Taken out while it grows, so that it is not copied.
      var stream = known.removeValue(forKey: kind) ?? ReferenceStream(kind)
      stream.draw(count)
      known[kind] = stream
      return stream.times
    }
  }
}

/// What reference runs found out before. It saves time and changes no answer.
final class ReferenceMemory: Sendable {
  private struct Key: Hashable {
    var profile: ModelProfile
    var instance: Int
    var queue: QueueForm
    var arrivals: ReferenceArrivals
    var tail: Double
  }

  /// Tables kept; beyond it all are dropped.
  private static let limit = 4096
  private let tables = Mutex<[Key: ReferenceTable]>([:])
  private let streams = ReferenceStreams()

  func table(
    _ profile: ModelProfile, instance: Int, _ queue: QueueForm, _ arrivals: ReferenceArrivals, tail: Double
  ) -> ReferenceTable {
    let key = Key(profile: profile, instance: instance, queue: queue, arrivals: arrivals, tail: tail)
    return tables.withLock { tables in
      if let known = tables[key] { return known }
      if tables.count >= Self.limit { tables = [:] }
      let made = ReferenceTable(profile, instance: instance, queue, arrivals, tail: tail, streams)
      tables[key] = made
      return made
    }
  }
}

/// The tables that one judgement asks, each looked up once.
struct ReferenceTables {
  private struct Key: Hashable {
    var model: String
    var owner: String?
    var product: String
    var instance: Int
    var queue: QueueForm
    var arrivals: ReferenceArrivals?
    var percentile: Double
  }

  private let memory: ReferenceMemory
  private let traces: [String: ArrivalRecording]
  /// For workloads that declare none of their own.
  private let usualMargin: Double
  private var known: [Key: ReferenceTable?] = [:]

  init(_ input: PlanningInput) {
    memory = input.capacities.store(ReferenceMemory.init)
    traces = input.traces
    usualMargin = input.options.margin
  }

  /// Nil where nothing can be certified. O(1) but for the first time.
  mutating func table(_ workload: Workload, _ profile: ModelProfile, instance: Int) -> ReferenceTable? {
    let rate = workload.rate * (1 + (workload.margin ?? usualMargin))
    let arrivals = ReferenceArrivals(workload.arrivals, rate: rate, traces)
    let key = Key(
      model: profile.model, owner: profile.namespace, product: profile.product, instance: instance,
      queue: workload.queue,
      arrivals: arrivals, percentile: workload.percentile)
    if let known = known[key] { return known }
    var made: ReferenceTable?
    if let tail = ReferenceGrid.tail(percentile: workload.percentile), let arrivals {
      made = memory.table(profile, instance: instance, workload.queue, arrivals, tail: tail)
    }
    known[key] = .some(made)
    return made
  }
}
