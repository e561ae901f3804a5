import ParvaControl
import Synchronization

/// A real store behind a gate: commits can be held back, counted and made to fail.
final class GatedStore: Store {
  private struct State {
    var isOpen = true
    var failure: StoreError?
    var fails: @Sendable (StoreBatch) -> Bool = { _ in true }
    var commits = 0
    var held: [CheckedContinuation<Void, Never>] = []
    var watchers: [CheckedContinuation<Void, Never>] = []
  }

  private let inner: any Store
  private let state = Mutex(State())

  init(_ inner: any Store) { self.inner = inner }

  var commits: Int { state.withLock(\.commits) }

  /// From now on commits fail, all or those of some batches; nil ends it.
  func fail(with error: StoreError?, where fails: @escaping @Sendable (StoreBatch) -> Bool = { _ in true }) {
    state.withLock { ($0.failure, $0.fails) = (error, fails) }
  }

  func shut() { state.withLock { $0.isOpen = false } }

  func open() {
    let held = state.withLock { state in
      state.isOpen = true
      defer { state.held = [] }
      return state.held
    }
    for continuation in held { continuation.resume() }
  }

  /// Returns once a commit waits at the shut gate.
  func untilHeld() async {
    await withCheckedContinuation { continuation in
      let isHeld = state.withLock { state in
        if state.held.isEmpty { state.watchers.append(continuation) }
        return !state.held.isEmpty
      }
      if isHeld { continuation.resume() }
    }
  }

  func commit(_ batch: StoreBatch) async throws(StoreError) {
    await withCheckedContinuation { continuation in
      let (passes, watchers) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
        if state.isOpen { return (true, []) }
        state.held.append(continuation)
        defer { state.watchers = [] }
        return (false, state.watchers)
      }
      if passes { continuation.resume() }
      for watcher in watchers { watcher.resume() }
    }
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
