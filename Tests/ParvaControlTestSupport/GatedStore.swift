package import ParvaControl
import Synchronization

/// A real store behind a gate: commits can be held back, counted and made to fail.
package final class GatedStore: ReadingStore {
  private struct State {
    var failure: StoreError?
    var fails: @Sendable (StoreBatch) -> Bool = { _ in true }
    var commits = 0
    var auditRows = 0
  }

  private let inner: any Store
  package var source: any Store { inner }
  private let state = Mutex(State())
  private let gate = Gate(isOpen: true)

  package init(_ inner: any Store) { self.inner = inner }

  package var commits: Int { state.withLock(\.commits) }
  /// Rows of changes that were committed to the audit.
  package var auditRows: Int { state.withLock(\.auditRows) }

  /// From now on commits fail, all or those of some batches; nil ends it.
  package func fail(with error: StoreError?, where fails: @escaping @Sendable (StoreBatch) -> Bool = { _ in true }) {
    state.withLock { ($0.failure, $0.fails) = (error, fails) }
  }

  package func shut() { gate.shut() }
  package func open() { gate.open() }

  /// Returns once a commit waits at the shut gate.
  package func untilHeld() async { await gate.untilHeld() }

  package func commit(_ batch: StoreBatch) async throws(StoreError) {
    await gate.pass()
    let failure = state.withLock { state in
      state.commits += 1
      return state.fails(batch) ? state.failure : nil
    }
    if let failure { throw failure }
    try await inner.commit(batch)
    state.withLock { $0.auditRows += batch.audit.count(where: \.isChange) }
  }

  package func probe() async throws(StoreError) {
    if let failure = state.withLock(\.failure) { throw failure }
    try await inner.probe()
  }

  package func close() async throws(StoreError) { try await inner.close() }
}
