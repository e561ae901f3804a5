import Foundation
import ParvaEngine

/// Works out what a group of changes does, one after another, before any of it is stored.
///
/// A change sees those before it in the group. A refused change leaves no trace.
struct DemandTransaction {
  /// Most profiles that clients may store: each is in memory, whole.
  static let maxProfiles = 10_000

  private let base: Demand
  private let limit: Int
  private let now: Date
  private var claims: [String: HonouredClaim]
  /// All that has to be stored, and then applied to the demand.
  private(set) var batch: StoreBatch
  /// Of requests that have a row in it.
  private(set) var drafts: [AuditDraft] = []
  private(set) var revision: Int
  private var count: Int

  /// - Parameters:
  ///   - claims: those honoured before, of the keys that the group names.
  ///   - limit: most registrations at a time.
  init(base: Demand, claims: [HonouredClaim], limit: Int, now: Date) {
    self.base = base
    self.limit = limit
    self.now = now
    self.claims = Dictionary(uniqueKeysWithValues: claims.map { ($0.claim.key, $0) })
    batch = StoreBatch()
    revision = base.revision
    count = base.registrations.count
  }

  /// O(m log n) for a change of m workloads; a replacement of the whole set is O(n + m).
  ///
  /// - Parameter draft: of the request, whose row then goes with what is to be stored.
  mutating func perform(_ change: DemandChange, for draft: AuditDraft? = nil) throws(ChangeRefusal) -> ChangeReceipt {
    let before = draft == nil ? nil : tag(of: change.operation)
    let receipt = try performed(change)
    if let draft, receipt.isChange {
      drafts.append(draft)
      batch.audit.append(
        draft.change(
          change.operation.status(of: receipt.effect), change.operation.resource, before: before,
          after: tag(of: change.operation)))
    }
    return receipt
  }

  private mutating func performed(_ change: DemandChange) throws(ChangeRefusal) -> ChangeReceipt {
    if let claim = change.claim, let honoured = claims[claim.key] {
      guard honoured.claim == claim else { throw .keyReused }
      return ChangeReceipt(.created, revision: honoured.revision, time: honoured.time, isReplay: true)
    }
    let receipt: ChangeReceipt
    switch change.operation {
    case .create(let workloads): receipt = try create(workloads)
    case .put(let workload): receipt = try put(workload, change.precondition)
    case .replaceAll(let workloads): receipt = try replaceAll(workloads, change.precondition)
    case .change(let rows): receipt = try changeAll(rows, change.precondition)
    case .delete(let id): receipt = try delete(id, change.precondition)
    case .putProfile(let profile): receipt = try putProfile(profile, change.precondition)
    case .deleteProfile(let key): receipt = try deleteProfile(key, change.precondition)
    }
    if let claim = change.claim {
      let honoured = HonouredClaim(claim, revision: receipt.revision, time: now)
      claims[claim.key] = honoured
      batch.claims.append(honoured)
    }
    return receipt
  }

  func registration(_ id: String) -> Registration? {
    if let changed = batch.registrations[id] { return changed }
    return base.registrations[id]
  }

  private mutating func create(_ workloads: [Workload]) throws(ChangeRefusal) -> ChangeReceipt {
    if let index = workloads.firstIndex(where: { registration($0.id) != nil }) {
      throw .exists(id: workloads[index].id, index: index)
    }
    guard count + workloads.count <= limit else { throw .tooMany(limit: limit) }
    guard !workloads.isEmpty else { return unchanged }
    grow()
    for workload in workloads {
      batch.registrations[workload.id] = Registration(workload, revision: revision, createdAt: now, updatedAt: now)
    }
    count += workloads.count
    return ChangeReceipt(.created, revision: revision, time: now)
  }

  private mutating func put(_ workload: Workload, _ precondition: Precondition) throws(ChangeRefusal) -> ChangeReceipt {
    let current = registration(workload.id)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    if current?.workload == workload { return unchanged }
    guard current != nil || count < limit else { throw .tooMany(limit: limit) }
    grow()
    batch.registrations[workload.id] = Registration(
      workload, revision: revision, createdAt: current?.createdAt ?? now, updatedAt: now)
    if current == nil { count += 1 }
    return ChangeReceipt(current == nil ? .created : .replaced, revision: revision, time: now)
  }

  private mutating func changeAll(
    _ rows: [(workload: Workload, readAt: Int)], _ precondition: Precondition
  ) throws(ChangeRefusal) -> ChangeReceipt {
    guard precondition.holds(at: revision) else { throw .preconditionFailed(current: revision) }
    var changed: [(workload: Workload, from: Registration)] = []
    for row in rows {
      let current = registration(row.workload.id)
      guard let current, current.revision == row.readAt else { throw .raced }
      if current.workload != row.workload { changed.append((row.workload, current)) }
    }
    guard !changed.isEmpty else { return unchanged }
    grow()
    for (workload, old) in changed {
      batch.registrations[workload.id] = Registration(
        workload, revision: revision, createdAt: old.createdAt, updatedAt: now)
    }
    return ChangeReceipt(.replaced, revision: revision, time: now)
  }

  private mutating func replaceAll(
    _ workloads: [Workload], _ precondition: Precondition
  ) throws(ChangeRefusal) -> ChangeReceipt {
    guard precondition.holds(at: revision) else { throw .preconditionFailed(current: revision) }
    guard workloads.count <= limit else { throw .tooMany(limit: limit) }
    let wanted = Set(workloads.map(\.id))
    let leaving = currentIDs.filter { !wanted.contains($0) }
    let changed = workloads.filter { registration($0.id)?.workload != $0 }
    if leaving.isEmpty, changed.isEmpty { return unchanged }
    grow()
    for workload in changed {
      let current = registration(workload.id)
      batch.registrations[workload.id] = Registration(
        workload, revision: revision, createdAt: current?.createdAt ?? now, updatedAt: now)
    }
    for id in leaving { batch.registrations[id] = .some(nil) }
    count = workloads.count
    return ChangeReceipt(.replaced, revision: revision, time: now)
  }

  private var currentIDs: [String] {
    base.registrations.rows.map(\.id).filter { !batch.registrations.keys.contains($0) }
      + batch.registrations.compactMap { $0.value?.id }
  }

  private mutating func delete(_ id: String, _ precondition: Precondition) throws(ChangeRefusal) -> ChangeReceipt {
    let current = registration(id)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    guard current != nil else { throw .notFound }
    grow()
    batch.registrations[id] = .some(nil)
    count -= 1
    return ChangeReceipt(.deleted, revision: revision, time: now)
  }

  func profile(_ key: ProfileKey) -> StoredProfile? {
    if let changed = batch.profiles[key] { return changed }
    return base.profiles[key]
  }

  private mutating func putProfile(
    _ profile: ModelProfile, _ precondition: Precondition
  ) throws(ChangeRefusal) -> ChangeReceipt {
    let key = ProfileKey(model: profile.model, product: profile.product)
    let current = self.profile(key)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    if current?.profile == profile { return unchanged }
    let added = batch.profiles.reduce(0) { count, change in
      count + (change.value == nil ? 0 : 1) - (base.profiles[change.key] == nil ? 0 : 1)
    }
    guard current != nil || base.profiles.count + added < Self.maxProfiles else {
      throw .tooManyProfiles(limit: Self.maxProfiles)
    }
    grow()
    batch.profiles[key] = StoredProfile(profile, revision: revision)
    return ChangeReceipt(current == nil ? .created : .replaced, revision: revision, time: now)
  }

  private mutating func deleteProfile(
    _ key: ProfileKey, _ precondition: Precondition
  ) throws(ChangeRefusal) -> ChangeReceipt {
    let current = profile(key)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    guard current != nil else { throw .notFound }
    grow()
    batch.profiles[key] = .some(nil)
    return ChangeReceipt(.deleted, revision: revision, time: now)
  }

  private var unchanged: ChangeReceipt { ChangeReceipt(.unchanged, revision: revision, time: now) }

  private mutating func grow() {
    revision += 1
    batch.demandRevision = revision
  }
}
