import Synchronization

/// Commits in the name of a term; reads are those of the copy.
struct EtcdWriter: ReadingStore {
  let store: EtcdStore
  let term: Int

  var source: any Store { store }

  func commit(_ batch: StoreBatch) async throws(StoreError) { try await store.append(batch, in: term) }

  func probe() async throws(StoreError) {
    try await store.probe()
    guard store.standing == .leader(term: term) else { throw EtcdAppends.notLeader }
    try await store.tryWriting(in: term)
    // It has room again, whatever was heard last.
    store.state.withLock { $0.alarm = nil }
  }

  var trouble: StoreError? { store.trouble }
  var sizeBytes: Int? { store.sizeBytes }
  func close() async throws(StoreError) {}
}
