import Foundation
import ParvaEngine
import ParvaFormats

/// Works out what a group of changes does, one after another, before any of it is stored.
///
/// A change sees those before it in the group. A refused change leaves no trace.
struct DemandTransaction {
  /// Most profiles of everybody's that clients may store: each is in memory, whole.
  static let maxProfiles = 10_000
  /// Most that a namespace may have of its own, and most points and misfits of all of these together.
  static let maxOwnProfiles = 100
  static let maxOwnPoints = 50_000
  static let maxNamespaces = 10_000

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
  /// What namespaces have registered that these changes touch.
  private var uses: [String: NamespaceUse] = [:]

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
    let before = draft == nil ? nil : tag(of: change)
    let receipt = try performed(change)
    if let draft, receipt.isChange {
      drafts.append(draft)
      batch.audit.append(
        draft.change(
          change.operation.status(of: receipt.effect), change.resource, before: before,
          after: tag(of: change)))
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
    case .create(let workloads): receipt = try create(workloads, in: change.namespace)
    case .put(let workload): receipt = try put(workload, change.precondition)
    case .replaceAll(let workloads): receipt = try replaceAll(workloads, change.precondition, in: change.namespace)
    case .change(let rows): receipt = try changeAll(rows, change.precondition, in: change.namespace)
    case .delete(let id): receipt = try delete(id, change.precondition)
    case .putProfile(let profile): receipt = try putProfile(profile, change.precondition)
    case .deleteProfile(let key): receipt = try deleteProfile(key, change.precondition)
    case .createNamespace(let name, let terms): receipt = try putNamespace(name, terms, .absent)
    case .putNamespace(let name, let terms): receipt = try putNamespace(name, terms, change.precondition)
    case .deleteNamespace(let name): receipt = try deleteNamespace(name, change.precondition)
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

  private mutating func create(_ workloads: [Workload], in namespace: String?) throws(ChangeRefusal) -> ChangeReceipt {
    if let index = workloads.firstIndex(where: { registration($0.id) != nil }) {
      throw .exists(id: workloads[index].id, index: index)
    }
    guard count + workloads.count <= limit else { throw .tooMany(limit: limit) }
    guard !workloads.isEmpty else { return unchanged(in: namespace) }
    try judge(workloads)
    grow()
    for workload in workloads {
      set(Registration(workload, revision: revision, createdAt: now, updatedAt: now), for: workload.id)
    }
    count += workloads.count
    return ChangeReceipt(.created, revision: revision, time: now)
  }

  private mutating func put(_ workload: Workload, _ precondition: Precondition) throws(ChangeRefusal) -> ChangeReceipt {
    let current = registration(workload.id)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    if let current, current.workload == workload {
      return ChangeReceipt(.unchanged, revision: revision, time: now, registration: current)
    }
    guard current != nil || count < limit else { throw .tooMany(limit: limit) }
    try judge([workload])
    grow()
    let registration = Registration(
      workload, revision: revision, createdAt: current?.createdAt ?? now, updatedAt: now)
    set(registration, for: workload.id)
    if current == nil { count += 1 }
    return ChangeReceipt(
      current == nil ? .created : .replaced, revision: revision, time: now, registration: registration)
  }

  private mutating func changeAll(
    _ rows: [(workload: Workload, readAt: Int)], _ precondition: Precondition, in namespace: String?
  ) throws(ChangeRefusal) -> ChangeReceipt {
    let current = revision(of: namespace)
    guard precondition.holds(at: current) else { throw .preconditionFailed(current: current) }
    var changed: [(workload: Workload, from: Registration)] = []
    for row in rows {
      let current = registration(row.workload.id)
      guard let current, current.revision == row.readAt else { throw .raced }
      if current.workload != row.workload { changed.append((row.workload, current)) }
    }
    guard !changed.isEmpty else { return unchanged(in: namespace) }
    try judge(changed.map(\.workload))
    grow()
    for (workload, old) in changed {
      set(
        Registration(workload, revision: revision, createdAt: old.createdAt, updatedAt: now), for: workload.id)
    }
    return ChangeReceipt(.replaced, revision: revision, time: now)
  }

  private mutating func replaceAll(
    _ workloads: [Workload], _ precondition: Precondition, in namespace: String?
  ) throws(ChangeRefusal) -> ChangeReceipt {
    let revision = revision(of: namespace)
    guard precondition.holds(at: revision) else { throw .preconditionFailed(current: revision) }
    let wanted = Set(workloads.map(\.id))
    let standing = currentIDs(in: namespace)
    let leaving = standing.filter { !wanted.contains($0) }
    guard count - standing.count + workloads.count <= limit else { throw .tooMany(limit: limit) }
    let changed = workloads.filter { registration($0.id)?.workload != $0 }
    if leaving.isEmpty, changed.isEmpty { return unchanged(in: namespace) }
    try judge(changed, without: leaving)
    grow()
    for workload in changed {
      let current = registration(workload.id)
      set(
        Registration(
          workload, revision: self.revision, createdAt: current?.createdAt ?? now, updatedAt: now), for: workload.id)
    }
    for id in leaving { set(nil, for: id) }
    count += workloads.count - standing.count
    return ChangeReceipt(.replaced, revision: self.revision, time: now)
  }

  private func currentIDs(in namespace: String?) -> [String] {
    let rows = namespace.map { base.registrations.rows(in: $0, after: nil) } ?? base.registrations.rows[...]
    return rows.map(\.id).filter { !batch.registrations.keys.contains($0) }
      + batch.registrations.compactMap { $0.value?.id }
      .filter { id in namespace.map { Namespace.of(id) == $0 } ?? true }
  }

  private mutating func delete(_ id: String, _ precondition: Precondition) throws(ChangeRefusal) -> ChangeReceipt {
    let current = registration(id)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    guard current != nil else { throw .notFound }
    grow()
    set(nil, for: id)
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
    let key = ProfileKey(profile)
    if let name = key.namespace, name != Namespace.standard, namespace(name) == nil { throw .unknownNamespace(name) }
    let current = self.profile(key)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    if current?.profile == profile { return unchanged }
    // Of the same namespace, or of everybody, so that nobody's limit tells of others.
    let beside =
      base.profiles.keys.filter { $0.namespace == key.namespace && !batch.profiles.keys.contains($0) }
      .compactMap { base.profiles[$0] }
      + batch.profiles.filter { $0.key.namespace == key.namespace }.values.compactMap { $0 }
    let limit = key.namespace == nil ? Self.maxProfiles : Self.maxOwnProfiles
    guard current != nil || beside.count < limit else { throw .tooManyProfiles(limit: limit, in: key.namespace) }
    if let name = key.namespace {
      let points = beside.reduce(profile.size - (current?.profile.size ?? 0)) { $0 + $1.profile.size }
      guard points <= Self.maxOwnPoints else { throw .tooManyPoints(limit: Self.maxOwnPoints, in: name) }
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

  private var unchanged: ChangeReceipt { unchanged(in: nil) }

  private func unchanged(in namespace: String?) -> ChangeReceipt {
    ChangeReceipt(.unchanged, revision: revision(of: namespace), time: now)
  }

  private mutating func grow() {
    revision += 1
    batch.demandRevision = revision
  }

  // MARK: - Namespaces

  func namespace(_ name: String) -> NamespaceRecord? { batch.namespaces[name] ?? base.namespaces[name] }

  private func use(of namespace: String) -> NamespaceUse { uses[namespace] ?? base.use(of: namespace) }

  /// The revision that the set of workloads of a namespace has; that of everything for nil.
  func revision(of namespace: String?) -> Int {
    guard let namespace else { return revision }
    return self.namespace(namespace)?.contents ?? (namespace == Namespace.standard ? revision : 0)
  }

  /// Whether no namespace has to be thought of.
  private var isPlain: Bool { base.namespaces.isEmpty && batch.namespaces.isEmpty }

  /// Sets or takes away a registration, at ``revision``.
  private mutating func set(_ registration: Registration?, for id: String) {
    defer { batch.registrations[id] = .some(registration) }
    guard !isPlain else { return }
    let name = Namespace.of(id)
    guard var record = namespace(name) else { return }
    var use = use(of: name)
    if let old = self.registration(id) { use.remove(old.workload.highestRate) }
    if let registration { use.add(registration.workload.highestRate) }
    uses[name] = use
    if record.contents != revision {
      record.contents = revision
      batch.namespaces[name] = .some(record)
    }
  }

  /// Refuses what no namespace takes: workloads that are new or changed, while others go.
  ///
  /// Nobody is held to a quota by a change that does not raise what is used.
  private func judge(_ workloads: [Workload], without leaving: [String] = []) throws(ChangeRefusal) {
    guard !isPlain else {
      if let stray = workloads.first(where: { Namespace.isQualified($0.id) }) {
        throw .unknownNamespace(Namespace.of(stray.id))
      }
      return
    }
    var wanted: [String: NamespaceUse] = [:]
    for workload in workloads {
      let name = Namespace.of(workload.id)
      guard name == Namespace.standard || namespace(name) != nil else { throw .unknownNamespace(name) }
      guard namespace(name)?.quota.isBounding == true else { continue }
      var use = wanted[name] ?? use(of: name)
      if let old = registration(workload.id) { use.remove(old.workload.highestRate) }
      use.add(workload.highestRate)
      wanted[name] = use
    }
    for id in leaving {
      if let old = registration(id) { wanted[Namespace.of(id)]?.remove(old.workload.highestRate) }
    }
    for (name, wanted) in wanted.sorted(by: { $0.key < $1.key }) {
      if let excess = namespace(name)?.excess(of: wanted, over: use(of: name)) { throw .quotaExceeded(excess) }
    }
  }

  private mutating func putNamespace(
    _ name: String, _ terms: NamespaceTerms, _ precondition: Precondition
  ) throws(ChangeRefusal) -> ChangeReceipt {
    let current = namespace(name)
    if precondition == .absent, current != nil || name == Namespace.standard { throw .namespaceExists(name) }
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    if let current, current.terms == terms { return unchanged }
    let added = batch.namespaces.reduce(0) { count, change in
      count + (change.value == nil ? 0 : 1) - (base.namespaces[change.key] == nil ? 0 : 1)
    }
    guard current != nil || base.namespaces.count + added < Self.maxNamespaces else {
      throw .tooManyNamespaces(limit: Self.maxNamespaces)
    }
    if current == nil { uses[name] = use(of: name) }
    grow()
    // From the first other one on, what is in it is told apart, too.
    if name != Namespace.standard, namespace(Namespace.standard) == nil {
      uses[Namespace.standard] = use(of: Namespace.standard)
      batch.namespaces[Namespace.standard] = NamespaceRecord(
        name: Namespace.standard, quota: NamespaceQuota(), revision: 0, contents: revision, createdAt: now,
        updatedAt: now)
    }
    batch.namespaces[name] = NamespaceRecord(
      name: name, quota: terms.quota, weight: terms.weight, revision: revision, contents: current?.contents ?? revision,
      createdAt: current?.createdAt ?? now, updatedAt: now)
    return ChangeReceipt(current == nil ? .created : .replaced, revision: revision, time: now)
  }

  private mutating func deleteNamespace(
    _ name: String, _ precondition: Precondition
  ) throws(ChangeRefusal) -> ChangeReceipt {
    let current = namespace(name)
    guard name != Namespace.standard else { throw .namespaceStays }
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    guard current != nil else { throw .notFound }
    let use = use(of: name)
    guard use.workloads == 0 else { throw .namespaceInUse(name, workloads: use.workloads) }
    grow()
    batch.namespaces[name] = .some(nil)
    uses[name] = nil
    // What comes after it under its name finds nothing of it.
    for key in Set(base.profiles.keys).union(batch.profiles.keys) where key.namespace == name {
      batch.profiles[key] = .some(nil)
    }
    return ChangeReceipt(.deleted, revision: revision, time: now)
  }
}

extension ModelProfile {
  fileprivate var size: Int { points.count + misfits.count }
}

extension NamespaceQuota {
  /// Whether it refuses anything when workloads are registered.
  fileprivate var isBounding: Bool { workloads != nil || rate != nil }
}

extension NamespaceRecord {
  /// What a change would raise above the quota; nil for nothing. Sums are compared to nine digits.
  fileprivate func excess(of wanted: NamespaceUse, over used: NamespaceUse) -> QuotaExcess? {
    if let limit = quota.workloads, wanted.workloads > limit, wanted.workloads > used.workloads {
      return QuotaExcess(
        namespace: name, kind: .workloads, limit: Double(limit), used: Double(used.workloads),
        wanted: Double(wanted.workloads))
    }
    if let limit = quota.rate, wanted.rate > limit * (1 + 1e-9), wanted.rate > used.rate * (1 + 1e-9) {
      return QuotaExcess(namespace: name, kind: .rate, limit: limit, used: used.rate, wanted: wanted.rate)
    }
    return nil
  }
}
