package import ParvaControl

/// A replicated store that leads, as the one store of a controller: closing it closes all of it.
package struct LeadingStore: Store {
  private let base: any ReplicatedStore
  private let writer: any Store

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
  package func load() async throws(StoreError) -> StoreContents { try await writer.load() }
  package func claims(_ keys: [String]) async throws(StoreError) -> [HonouredClaim] { try await writer.claims(keys) }
  package func plan(_ revision: Int) async throws(StoreError) -> StoredPlan? { try await writer.plan(revision) }
  package func operation(_ id: String) async throws(StoreError) -> StoredOperation? { try await writer.operation(id) }

  package func operation(claimedBy key: String) async throws(StoreError) -> StoredOperation? {
    try await writer.operation(claimedBy: key)
  }

  package func operations(after id: String?, limit: Int) async throws(StoreError) -> [StoredOperation] {
    try await writer.operations(after: id, limit: limit)
  }

  package func plans(before: Int?, limit: Int) async throws(StoreError) -> [PlanRecord] {
    try await writer.plans(before: before, limit: limit)
  }

  package func audit(_ filter: AuditFilter, _ page: AuditPage, limit: Int) async throws(StoreError) -> [AuditEntry] {
    try await writer.audit(filter, page, limit: limit)
  }

  package func webhookEvents(after number: Int, limit: Int) async throws(StoreError) -> WebhookEventPage {
    try await writer.webhookEvents(after: number, limit: limit)
  }

  package func deadLetters(
    of webhook: String, before number: Int?, limit: Int
  ) async throws(StoreError) -> [DeadLetter] {
    try await writer.deadLetters(of: webhook, before: number, limit: limit)
  }

  package func dueLetters(of webhook: String, limit: Int) async throws(StoreError) -> [DeadLetter] {
    try await writer.dueLetters(of: webhook, limit: limit)
  }
}
