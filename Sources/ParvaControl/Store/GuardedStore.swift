import Logging
import Synchronization

/// A store that goes out of the way of its own trouble: after a write that failed it only reads, until it has seen that
/// writing works again.
///
/// Every change of state is logged once, however many requests are refused meanwhile.
package final class GuardedStore: Store {
  private struct Trouble {
    let error: StoreError
    let since: ContinuousClock.Instant
  }

  private let store: any Store
  private let logger: Logger
  private let onRecovery: @Sendable () -> Void
  private let state = Mutex<Trouble?>(nil)

  /// - Parameter onRecovery: called when writing works again.
  init(_ store: any Store, logger: Logger, onRecovery: @escaping @Sendable () -> Void) {
    self.store = store
    self.logger = logger
    self.onRecovery = onRecovery
  }

  /// Why the store only reads; nil while it writes.
  package var trouble: StoreError? { state.withLock { $0?.error } }

  package func commit(_ batch: StoreBatch) async throws(StoreError) {
    if let trouble { throw trouble }
    do {
      try await store.commit(batch)
    } catch {
      begin(error)
      throw error
    }
  }

  /// Sees whether the store takes writes: at the start, since else the first change would be the first to know.
  func check() async {
    do {
      try await store.probe()
    } catch {
      begin(error)
    }
  }

  /// Where there is trouble, sees whether it is over.
  package func recover() async {
    guard trouble != nil else { return }
    do {
      try await store.probe()
    } catch {
      begin(error)
      return
    }
    let ended = state.withLock { state in
      defer { state = nil }
      return state
    }
    guard let ended else { return }
    logger.notice(
      "the store takes writes again",
      metadata: [
        "code": "\(ended.error.code.rawValue)", "seconds": "\(ended.since.duration(to: .now).components.seconds)",
      ])
    onRecovery()
  }

  /// Trouble of another kind in the middle of trouble is news, too.
  private func begin(_ error: StoreError) {
    let isNews = state.withLock { state in
      guard state?.error.code != error.code else { return false }
      state = Trouble(error: error, since: state?.since ?? .now)
      return true
    }
    guard isNews else { return }
    logger.error(
      "the store takes no writes; changes are refused until it does",
      metadata: ["code": "\(error.code.rawValue)", "error": "\(error)"])
  }

  // MARK: - What goes through as it is

  package func probe() async throws(StoreError) { try await store.probe() }
  package func load() async throws(StoreError) -> StoreContents { try await store.load() }
  package func claims(_ keys: [String]) async throws(StoreError) -> [HonouredClaim] { try await store.claims(keys) }
  package func plan(_ revision: Int) async throws(StoreError) -> StoredPlan? { try await store.plan(revision) }
  package func operation(_ id: String) async throws(StoreError) -> StoredOperation? { try await store.operation(id) }
  package func close() async throws(StoreError) { try await store.close() }

  package func operation(claimedBy key: String) async throws(StoreError) -> StoredOperation? {
    try await store.operation(claimedBy: key)
  }

  package func operations(after id: String?, limit: Int) async throws(StoreError) -> [StoredOperation] {
    try await store.operations(after: id, limit: limit)
  }

  package func plans(before: Int?, limit: Int) async throws(StoreError) -> [PlanRecord] {
    try await store.plans(before: before, limit: limit)
  }

  package func audit(
    _ filter: AuditFilter, _ page: AuditPage, limit: Int
  ) async throws(StoreError) -> [AuditEntry] {
    try await store.audit(filter, page, limit: limit)
  }
}
