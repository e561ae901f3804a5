package import Foundation
package import ParvaServing
import Synchronization

/// The demand in memory, and the one way to change it: what ``change(_:)`` returned from is on disk.
///
/// Changes that arrive while a commit runs are gathered into the next one, so many clients share one sync of the disk.
package actor DemandRegistry {
  private struct Pending {
    let change: DemandChange
    /// Within which span it was asked for.
    let trace: SpanContext?
    /// The request on whose behalf it is done, for the audit.
    let draft: AuditDraft?
    let done: CheckedContinuation<Result<ChangeReceipt, ChangeRefusal>, Never>
  }

  private let store: any Store
  /// Most registrations at a time.
  package nonisolated let limit: Int
  private let now: @Sendable () -> Date
  private nonisolated let demand: Mutex<Demand>
  /// Workloads that changed since somebody last asked; see ``takeChanged()``.
  private nonisolated let changed = Mutex<Set<String>>([])
  /// Workloads that were removed, with the revision, oldest first.
  private nonisolated let removed = Mutex<[(revision: Int, id: String)]>([])
  /// How many of them are known.
  private static let mostRemoved = 10_000
  /// Who has changed the demand; within the lock of ``demand``.
  private nonisolated let authors = Mutex(ChangeAuthors())
  private let onChange: @Sendable () -> Void
  private let tracer: Tracer?
  private var queue: [Pending] = [] {
    didSet { waiting.store(queue.count, ordering: .relaxed) }
  }
  private nonisolated let waiting = Atomic(0)
  private var isCommitting = false
  /// Who waits for the end of the commit that is under way.
  private var settling: [CheckedContinuation<Void, Never>] = []
  private var claimsPrunedAt = Date.distantPast

  /// - Parameters:
  ///   - demand: what the store holds.
  ///   - limit: most registrations at a time.
  ///   - tracer: is told of commits.
  ///   - onChange: called after every commit that changed the demand.
  package init(
    demand: Demand, store: any Store, limit: Int, now: @escaping @Sendable () -> Date,
    tracer: Tracer? = nil, onChange: @escaping @Sendable () -> Void
  ) {
    self.demand = Mutex(demand)
    self.store = store
    self.limit = limit
    self.now = now
    self.tracer = tracer
    self.onChange = onChange
  }

  /// Looks at the demand without copying it; `body` must be quick.
  package nonisolated func read<Value: Sendable>(_ body: (borrowing Demand) -> sending Value) -> Value {
    demand.withLock { body($0) }
  }

  /// The whole demand at this moment; the next change copies the table, O(registrations).
  package nonisolated var snapshot: Demand { demand.withLock { $0 } }

  /// The same, with who has changed something of it after a revision.
  nonisolated func snapshot(authorsSince revision: Int) -> (demand: Demand, authors: Set<PlanCause.Author>) {
    demand.withLock { demand in (demand, authors.withLock { $0.since(revision) }) }
  }

  /// Workloads that were registered, changed or removed since the last call. A snapshot that is taken afterwards has the changes.
  nonisolated func takeChanged() -> Set<String> {
    changed.withLock { changed in
      defer { changed = [] }
      return changed
    }
  }

  /// Workloads that were removed after a revision, of the last ten thousand since the start.
  nonisolated func removed(since revision: Int) -> [String] {
    removed.withLock { $0.filter { $0.revision > revision }.map(\.id) }
  }

  package nonisolated var revision: Int { demand.withLock(\.revision) }

  /// Why the demand as it stands refuses a change, without a wait for the store; nil leaves the word to ``change(_:)``.
  ///
  /// That is so for all that carry a claim: the store knows whether it was honoured before. `change` must be small.
  package nonisolated func refusal(of change: DemandChange) -> ChangeRefusal? {
    guard change.claim == nil else { return nil }
    let time = now()
    // Within the lock: a copy of the demand that outlived it would make the next change copy the whole table.
    return demand.withLock { demand in
      var transaction = DemandTransaction(base: demand, claims: [], limit: limit, now: time)
      do throws(ChangeRefusal) {
        _ = try transaction.perform(change)
        return nil
      } catch {
        return error
      }
    }
  }

  /// Changes that wait for the next commit.
  package nonisolated var waitingChanges: Int { waiting.load(ordering: .relaxed) }

  /// What a claim was honoured by, nil where it was not yet.
  package func honoured(_ claim: IdempotencyClaim) async throws(ChangeRefusal) -> HonouredClaim? {
    let found: [HonouredClaim]
    do {
      found = try await store.claims([claim.key])
    } catch {
      throw .storeFailed(error)
    }
    let oldest = now() - IdempotencyClaim.lifetime
    guard let honoured = found.first, honoured.time >= oldest else { return nil }
    guard honoured.claim == claim else { throw .keyReused }
    return honoured
  }

  /// Does a change, or refuses it whole.
  package func change(_ change: DemandChange) async throws(ChangeRefusal) -> ChangeReceipt {
    let draft = AuditDraft.open
    if let draft, draft.isDryRun { return try await tried(change, draft) }
    let result = await withCheckedContinuation { done in
      queue.append(Pending(change: change, trace: Tracer.current, draft: draft, done: done))
      if !isCommitting {
        isCommitting = true
        // It commits for all, not for who came first.
        AuditDraft.$current.withValue(nil) { _ = Task { await commitQueue() } }
      }
    }
    return try result.get()
  }

  /// A dry run, on the demand as it is.
  private func tried(_ change: DemandChange, _ draft: AuditDraft) async throws(ChangeRefusal) -> ChangeReceipt {
    let result: Result<ChangeReceipt, ChangeRefusal>
    do throws(StoreError) {
      let claims = if let claim = change.claim { try await store.claims([claim.key]) } else { [HonouredClaim]() }
      let (results, batch, _) = evaluate([(change, draft)], claims)
      result = results[0]
      if case .success(let receipt) = result, receipt.isChange { try store.end(draft, with: batch) }
    } catch {
      throw .storeFailed(error)
    }
    return try result.get()
  }

  private func commitQueue() async {
    while !queue.isEmpty {
      let group = queue
      queue.removeAll(keepingCapacity: true)
      let results = await commit(group)
      for (pending, result) in zip(group, results) { pending.done.resume(returning: result) }
      let settled = settling
      settling = []
      for waiter in settled { waiter.resume() }
    }
    isCommitting = false
  }

  /// Returns once what was on its way to the store is in memory, or is not stored.
  func settle() async {
    guard isCommitting else { return }
    await withCheckedContinuation { settling.append($0) }
  }

  private func commit(_ group: [Pending]) async -> [Result<ChangeReceipt, ChangeRefusal>] {
    let span = begun(group)
    do {
      let keys = Set(group.compactMap(\.change.claim?.key))
      let claims = keys.isEmpty ? [] : try await store.claims(Array(keys))
      let (results, batch, drafts) = evaluate(group.map { ($0.change, $0.draft) }, claims)
      try await store.commit(batch.claims.isEmpty ? batch : withoutOldClaims(batch))
      if let span { tracer?.end(span, [("parva.changes", .number(group.count))]) }
      apply(batch, by: drafts, within: span?.context)
      for draft in drafts { draft.recorded() }
      return results
    } catch {
      if let span { tracer?.end(span, error: "\(error)") }
      return group.map { _ in .failure(.storeFailed(error)) }
    }
  }

  /// The span of a commit belongs to the first change that is traced, and names the others.
  private func begun(_ group: [Pending]) -> Span? {
    guard let tracer else { return nil }
    let traces = group.lazy.compactMap(\.trace).prefix(32)
    return traces.first.map { tracer.begin("store commit", below: $0, links: Array(traces.dropFirst())) }
  }

  /// A function of its own, so that the transaction's hold on the table ends before ``apply(_:)`` changes it in place.
  private func evaluate(
    _ group: [(change: DemandChange, draft: AuditDraft?)], _ claims: [HonouredClaim]
  ) -> ([Result<ChangeReceipt, ChangeRefusal>], StoreBatch, [AuditDraft]) {
    let time = now().wholeMilliseconds
    let oldest = time - IdempotencyClaim.lifetime
    var transaction = DemandTransaction(
      base: snapshot, claims: claims.filter { $0.time >= oldest }, limit: limit, now: time)
    let results = group.map { pending in
      Result { () throws(ChangeRefusal) in try transaction.perform(pending.change, for: pending.draft) }
    }
    return (results, transaction.batch, transaction.drafts)
  }

  /// The same, which once an hour forgets claims that are honoured no more.
  private func withoutOldClaims(_ batch: StoreBatch) -> StoreBatch {
    let time = now()
    guard time.timeIntervalSince(claimsPrunedAt) > 3600 else { return batch }
    claimsPrunedAt = time
    var batch = batch
    batch.firstClaimKept = time - IdempotencyClaim.lifetime
    return batch
  }

  /// Takes over what another controller has stored.
  package nonisolated func follow(_ batch: StoreBatch) { apply(batch, by: [], within: nil) }

  private nonisolated func apply(_ batch: StoreBatch, by drafts: [AuditDraft], within span: SpanContext?) {
    guard let revision = batch.demandRevision else { return }
    demand.withLock { demand in
      authors.withLock { authors in for draft in drafts { authors.note(draft.author, at: revision) } }
      demand.apply(batch)
    }
    let gone = batch.registrations.filter { $0.value == nil }.keys
    if !gone.isEmpty {
      removed.withLock { removed in
        removed += gone.sorted().map { (revision, $0) }
        removed.removeFirst(max(0, removed.count - Self.mostRemoved))
      }
    }
    changed.withLock { $0.formUnion(batch.registrations.keys) }
    // The next planning belongs to it.
    tracer?.note(span, as: "demand")
    onChange()
  }
}
