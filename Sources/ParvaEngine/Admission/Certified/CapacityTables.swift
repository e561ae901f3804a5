import Synchronization

/// The tables of rule `certified`, made once for all that ask the same.
final class CapacityTables: Sendable {
  private struct Key: Hashable {
    var profile: ModelProfile
    var kind: Int
    var arrivals: CertifiedArrivals
    var tail: Double
  }

  /// Tables kept; beyond it all are dropped, since most then belong to profiles of the past. About 100 KB each.
  private static let limit = 4096
  private let tables = Mutex<[Key: KindCapacity]>([:])
  private let store = ArrivalStore()

  /// The table of one kind of instance, by its index into ``GPUProduct/profiles``.
  func kind(_ kind: Int, of profile: ModelProfile, _ arrivals: CertifiedArrivals, tail: Double) -> KindCapacity {
    let key = Key(profile: profile, kind: kind, arrivals: arrivals, tail: tail)
    if let known = tables.withLock({ $0[key] }) { return known }
    let made = KindCapacity(profile, kind: kind, arrivals, tail: tail, store)
    return tables.withLock { tables in
      if let known = tables[key] { return known }
      if tables.count >= Self.limit { tables = [:] }
      tables[key] = made
      return made
    }
  }
}
