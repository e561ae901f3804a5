/// Commits in the name of a term; reads are those of the copy.
struct EtcdWriter: Store {
  let store: EtcdStore
  let term: Int

  func commit(_ batch: StoreBatch) async throws(StoreError) { try await store.append(batch, in: term) }

  func probe() async throws(StoreError) {
    try await store.probe()
    guard store.standing == .leader(term: term) else { throw EtcdAppends.notLeader }
    try await store.tryWriting(in: term)
  }

  var trouble: StoreError? { store.trouble }
  var sizeBytes: Int? { store.sizeBytes }
  func close() async throws(StoreError) {}
  func load() async throws(StoreError) -> StoreContents { try await store.load() }
  func claims(_ keys: [String]) async throws(StoreError) -> [HonouredClaim] { try await store.claims(keys) }
  func plan(_ revision: Int) async throws(StoreError) -> StoredPlan? { try await store.plan(revision) }
  func operation(_ id: String) async throws(StoreError) -> StoredOperation? { try await store.operation(id) }

  func operation(claimedBy key: String) async throws(StoreError) -> StoredOperation? {
    try await store.operation(claimedBy: key)
  }

  func operations(after id: String?, limit: Int) async throws(StoreError) -> [StoredOperation] {
    try await store.operations(after: id, limit: limit)
  }

  func plans(before: Int?, limit: Int) async throws(StoreError) -> [PlanRecord] {
    try await store.plans(before: before, limit: limit)
  }

  func audit(_ filter: AuditFilter, _ page: AuditPage, limit: Int) async throws(StoreError) -> [AuditEntry] {
    try await store.audit(filter, page, limit: limit)
  }

  func webhookEvents(after number: Int, limit: Int) async throws(StoreError) -> WebhookEventPage {
    try await store.webhookEvents(after: number, limit: limit)
  }

  func deadLetters(of webhook: String, before number: Int?, limit: Int) async throws(StoreError) -> [DeadLetter] {
    try await store.deadLetters(of: webhook, before: number, limit: limit)
  }

  func dueLetters(of webhook: String, limit: Int) async throws(StoreError) -> [DeadLetter] {
    try await store.dueLetters(of: webhook, limit: limit)
  }
}
