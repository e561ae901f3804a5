import ParvaEngine
import ParvaFormats

extension Demand {
  /// Follows what was stored. O(m log n) where there are namespaces, beside ``RegistrationTable/apply(_:)``.
  mutating func apply(_ batch: StoreBatch) {
    revision = batch.demandRevision ?? revision
    if !uses.isEmpty {
      for (id, registration) in batch.registrations {
        let namespace = Namespace.of(id)
        guard var use = uses[namespace] else { continue }
        if let old = registrations[id] { use.remove(old.workload.highestRate) }
        if let registration { use.add(registration.workload.highestRate) }
        uses[namespace] = use
      }
    }
    registrations.apply(batch.registrations)
    for (key, profile) in batch.profiles { profiles[key] = profile }
    for (name, record) in batch.namespaces {
      // One that is new may hold what was there before it: that of all bare ids does.
      if record == nil { uses[name] = nil } else if uses[name] == nil { uses[name] = use(of: name) }
      namespaces[name] = record
    }
  }
}
