/// A replica's copy of a store that another replica writes: it is read, and takes nothing. Closing it closes nothing.
struct CopyStore: Store {
  private let copy: any ReplicatedStore

  init(_ copy: any ReplicatedStore) { self.copy = copy }

  private static let notLeader = StoreError(.notLeader, "This replica follows another one: it only reads.")

  func commit(_ batch: StoreBatch) async throws(StoreError) {
    if !batch.isEmpty { throw Self.notLeader }
  }

  func probe() async throws(StoreError) { throw Self.notLeader }
  func close() async throws(StoreError) {}

  var sizeBytes: Int? { copy.sizeBytes }
  var trouble: StoreError? { copy.trouble }

  // MARK: - What goes through as it is

  func load() async throws(StoreError) -> StoreContents { try await copy.load() }
  func claims(_ keys: [String]) async throws(StoreError) -> [HonouredClaim] { try await copy.claims(keys) }
  func plan(_ revision: Int) async throws(StoreError) -> StoredPlan? { try await copy.plan(revision) }
  func operation(_ id: String) async throws(StoreError) -> StoredOperation? { try await copy.operation(id) }

  func plans(before: Int?, limit: Int) async throws(StoreError) -> [PlanRecord] {
    try await copy.plans(before: before, limit: limit)
  }

  func operation(claimedBy key: String) async throws(StoreError) -> StoredOperation? {
    try await copy.operation(claimedBy: key)
  }

  func operations(after id: String?, limit: Int) async throws(StoreError) -> [StoredOperation] {
    try await copy.operations(after: id, limit: limit)
  }

  func audit(_ filter: AuditFilter, _ page: AuditPage, limit: Int) async throws(StoreError) -> [AuditEntry] {
    try await copy.audit(filter, page, limit: limit)
  }

  func webhookEvents(after number: Int, limit: Int) async throws(StoreError) -> WebhookEventPage {
    try await copy.webhookEvents(after: number, limit: limit)
  }

  func deadLetters(of webhook: String, before number: Int?, limit: Int) async throws(StoreError) -> [DeadLetter] {
    try await copy.deadLetters(of: webhook, before: number, limit: limit)
  }

  func dueLetters(of webhook: String, limit: Int) async throws(StoreError) -> [DeadLetter] {
    try await copy.dueLetters(of: webhook, limit: limit)
  }
}
