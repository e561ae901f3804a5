/// What was found out about the capacities of one model on one kind of instance with one form of queue, stream and percentile, in a form
/// that can be kept beyond a process.
public struct CapacityFacts: Hashable, Sendable {
  /// Tells the profile's content, the kind, the queue, the stream, the percentile and the version of the rule; 128 bits.
  public var key: Key
  /// In ascending order of place, see ``KindCapacity``.
  public var entries: [UInt64]

  public struct Key: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
      self.high = high
      self.low = low
    }
  }

  public init(key: Key, entries: [UInt64]) {
    self.key = key
    self.entries = entries
  }
}

extension CapacityFacts.Key {
  /// Changes whenever a run or a grid of rule `certified` does, so that what older versions found is not believed.
  private static let ruleVersion: UInt64 = 1

  /// O(points + arrivals of a recording).
  init(_ profile: ModelProfile, kind: Int, _ queue: QueueForm, _ arrivals: CertifiedArrivals, tail: Double) {
    var words = [Self.ruleVersion, UInt64(kind), tail.bitPattern]
    switch arrivals {
    case .poisson: words.append(0)
    case .gamma(let cv2): words += [1, cv2.bitPattern]
    case .part(of: .even, let rate): words += [4, rate.bitPattern]
    case .part(of: .erlang(let stages), let rate): words += [5, rate.bitPattern, UInt64(stages)]
    case .part(of: .recording(let recording), let rate):
      words += [6, rate.bitPattern] + recording.gaps.map(\.bitPattern)
    }
    // Nothing for a shared queue, which was the only form once: what was found of it stays known.
    if queue == .perProcess { words.append(3) }
    for point in profile.points where point.profile == kind {
      words += [
        UInt64(point.batch), UInt64(point.processes), point.throughput.bitPattern, point.latencyMs.bitPattern,
      ]
    }
    // Two sums of unlike multipliers, since one of 64 bits might meet another by chance.
    var (high, low): (UInt64, UInt64) = (0xcbf2_9ce4_8422_2325, 0x9e37_79b9_7f4a_7c15)
    for word in words {
      high = (high ^ word) &* 0x100_0000_01b3
      high ^= high >> 29
      low = (low &+ word) &* 0xbf58_476d_1ce4_e5b9
      low ^= low >> 31
    }
    self.init(high: high, low: low)
  }
}

extension CapacityCache {
  /// A cache that knows what others found out, as ``facts()`` told it. What is not about its questions, or not in its
  /// form, is passed over.
  public convenience init(knowing facts: [CapacityFacts]) {
    self.init()
    store(CapacityTables.init).learn(facts)
  }

  /// Everything that was found out, those tables first that were asked here. O(facts log facts).
  public func facts() -> [CapacityFacts] { store(CapacityTables.init).facts() }

  /// What was found out here since the last call. O(tables + facts of those that changed).
  public func news() -> CapacityNews { store(CapacityTables.init).news() }
}

/// What was found out about capacities in a while.
public struct CapacityNews: Hashable, Sendable {
  /// All that is known of each key of which something new is, in ascending order of key.
  public var facts: [CapacityFacts]
  /// How often a load was tried for it at a point.
  public var trials: Int

  public init(facts: [CapacityFacts] = [], trials: Int = 0) {
    (self.facts, self.trials) = (facts, trials)
  }
}
