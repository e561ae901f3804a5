package import ParvaControl

/// A replicated store that leads, as the one store of a controller: closing it closes all of it.
package struct LeadingStore: ReadingStore {
  private let base: any ReplicatedStore
  private let writer: any Store
  package var source: any Store { writer }

  /// Returns once it leads.
  package init(_ base: any ReplicatedStore) async {
    self.base = base
    await base.campaign(as: "http://127.0.0.1:1")
    for await standing in base.standings() {
      if case .leader(let term) = standing {
        writer = base.writer(term: term)
        return
      }
    }
    fatalError("the store was closed before it led")
  }

  package func close() async throws(StoreError) { try await base.close() }
  package func commit(_ batch: StoreBatch) async throws(StoreError) { try await writer.commit(batch) }
  package func probe() async throws(StoreError) { try await writer.probe() }
  package var sizeBytes: Int? { writer.sizeBytes }
  package var trouble: StoreError? { writer.trouble }
}

extension ReplicatedStore {
  /// - Parameter address: where the other replicas reach this one.
  package func campaign(as address: String) async { await campaign(as: ReplicaMember(address: address)) }
}
