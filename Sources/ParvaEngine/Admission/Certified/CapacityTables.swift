import Synchronization

/// The tables of rule `certified`, made once for all that ask the same.
final class CapacityTables: Sendable {
  private struct Key: Hashable {
    var profile: ModelProfile
    var kind: Int
    var queue: QueueForm
    var arrivals: CertifiedArrivals
    var tail: Double

    var facts: CapacityFacts.Key { CapacityFacts.Key(profile, kind: kind, queue, arrivals, tail: tail) }
  }

  /// Tables kept; beyond it all are dropped, since most then belong to profiles of the past. About 100 KB each.
  private static let limit = 4096
  private let tables = Mutex<[Key: KindCapacity]>([:])
  private let store = ArrivalStore()
  /// What is known from elsewhere, for tables that are not made yet.
  private let learned = Mutex<[CapacityFacts.Key: [UInt64]]>([:])

  /// The table of one kind of instance, by its index into ``GPUProduct/profiles``.
  func kind(
    _ kind: Int, of profile: ModelProfile, _ queue: QueueForm, _ arrivals: CertifiedArrivals, tail: Double
  ) -> KindCapacity {
    let key = Key(profile: profile, kind: kind, queue: queue, arrivals: arrivals, tail: tail)
    if let known = tables.withLock({ $0[key] }) { return known }
    let made = KindCapacity(profile, kind: kind, queue, arrivals, tail: tail, store)
    learned.withLock { learned in
      if !learned.isEmpty, let entries = learned.removeValue(forKey: key.facts) { made.learn(entries) }
    }
    return tables.withLock { tables in
      if let known = tables[key] { return known }
      if tables.count >= Self.limit { tables = [:] }
      tables[key] = made
      return made
    }
  }

  func learn(_ facts: [CapacityFacts]) {
    learned.withLock { learned in for fact in facts { learned[fact.key] = fact.entries } }
  }

  func facts() -> [CapacityFacts] {
    let asked = tables.withLock { tables in
      tables.map { CapacityFacts(key: $0.key.facts, entries: $0.value.facts()) }
    }
    let rest = learned.withLock { learned in learned.map { CapacityFacts(key: $0.key, entries: $0.value) } }
    return [asked, rest].flatMap { list in
      list.filter { !$0.entries.isEmpty }.sorted { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }
    }
  }

  func news() -> CapacityNews {
    let changed = tables.withLock { tables in tables.compactMap { key, table in table.news().map { (key, $0) } } }
    let facts = changed.map { CapacityFacts(key: $0.0.facts, entries: $0.1.entries) }
    return CapacityNews(
      facts: facts.sorted { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) },
      trials: changed.reduce(0) { $0 + $1.1.trials })
  }
}
