import ParvaControl
import Synchronization

/// A real store behind a gate: commits can be held back, counted and made to fail.
final class GatedStore: Store {
  private struct State {
    var failure: StoreError?
    var fails: @Sendable (StoreBatch) -> Bool = { _ in true }
    var commits = 0
  }

  private let inner: any Store
  private let state = Mutex(State())
  private let gate = Gate(isOpen: true)

  init(_ inner: any Store) { self.inner = inner }

  var commits: Int { state.withLock(\.commits) }

  /// From now on commits fail, all or those of some batches; nil ends it.
  func fail(with error: StoreError?, where fails: @escaping @Sendable (StoreBatch) -> Bool = { _ in true }) {
    state.withLock { ($0.failure, $0.fails) = (error, fails) }
  }

  func shut() { gate.shut() }
  func open() { gate.open() }

  /// Returns once a commit waits at the shut gate.
  func untilHeld() async { await gate.untilHeld() }

  func commit(_ batch: StoreBatch) async throws(StoreError) {
    await gate.pass()
    let failure = state.withLock { state in
      state.commits += 1
      return state.fails(batch) ? state.failure : nil
    }
    if let failure { throw failure }
    try await inner.commit(batch)
  }

  func load() async throws(StoreError) -> StoreContents { try await inner.load() }
  func claims(_ keys: [String]) async throws(StoreError) -> [HonouredClaim] { try await inner.claims(keys) }
  func plan(_ revision: Int) async throws(StoreError) -> StoredPlan? { try await inner.plan(revision) }
  func probe() async throws(StoreError) {
    if let failure = state.withLock(\.failure) { throw failure }
    try await inner.probe()
  }

  func close() async throws(StoreError) { try await inner.close() }
  func operation(_ id: String) async throws(StoreError) -> StoredOperation? { try await inner.operation(id) }

  func operation(claimedBy key: String) async throws(StoreError) -> StoredOperation? {
    try await inner.operation(claimedBy: key)
  }

  func operations(after id: String?, limit: Int) async throws(StoreError) -> [StoredOperation] {
    try await inner.operations(after: id, limit: limit)
  }

  func plans(before: Int?, limit: Int) async throws(StoreError) -> [PlanRecord] {
    try await inner.plans(before: before, limit: limit)
  }
}
