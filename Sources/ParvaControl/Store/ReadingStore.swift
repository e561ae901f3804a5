/// A store that has another one answer what is only read.
package protocol ReadingStore: Store {
  var source: any Store { get }
}

extension ReadingStore {
  /// What it reads of may be replaced, and closed, meanwhile: then the one in its place is asked.
  private func reading<Value>(_ read: (any Store) async throws(StoreError) -> Value) async throws(StoreError) -> Value {
    let asked = source
    do throws(StoreError) {
      return try await read(asked)
    } catch {
      let now = source
      guard let before = asked as? SQLiteStore, let copy = now as? SQLiteStore, before !== copy else { throw error }
      return try await read(copy)
    }
  }

  package func load() async throws(StoreError) -> StoreContents {
    try await reading { source throws(StoreError) in try await source.load() }
  }
  package func claims(_ keys: [String]) async throws(StoreError) -> [HonouredClaim] {
    try await reading { source throws(StoreError) in try await source.claims(keys) }
  }
  package func plan(_ revision: Int) async throws(StoreError) -> StoredPlan? {
    try await reading { source throws(StoreError) in try await source.plan(revision) }
  }
  package func operation(_ id: String) async throws(StoreError) -> StoredOperation? {
    try await reading { source throws(StoreError) in try await source.operation(id) }
  }

  package func operation(claimedBy key: String) async throws(StoreError) -> StoredOperation? {
    try await reading { source throws(StoreError) in try await source.operation(claimedBy: key) }
  }

  package func operations(after id: String?, limit: Int) async throws(StoreError) -> [StoredOperation] {
    try await reading { source throws(StoreError) in try await source.operations(after: id, limit: limit) }
  }

  package func plans(before: Int?, limit: Int) async throws(StoreError) -> [PlanRecord] {
    try await reading { source throws(StoreError) in try await source.plans(before: before, limit: limit) }
  }

  package func audit(
    _ filter: AuditFilter, _ page: AuditPage, limit: Int
  ) async throws(StoreError) -> [AuditEntry] {
    try await reading { source throws(StoreError) in try await source.audit(filter, page, limit: limit) }
  }

  package func webhookEvents(after number: Int, limit: Int) async throws(StoreError) -> WebhookEventPage {
    try await reading { source throws(StoreError) in try await source.webhookEvents(after: number, limit: limit) }
  }

  package func webhookEventCount(after number: Int, in namespace: String) async throws(StoreError) -> Int {
    try await reading { source throws(StoreError) in try await source.webhookEventCount(after: number, in: namespace) }
  }

  package func deadLetters(
    of webhook: String, before number: Int?, limit: Int
  ) async throws(StoreError) -> [DeadLetter] {
    try await reading { source throws(StoreError) in
      try await source.deadLetters(of: webhook, before: number, limit: limit)
    }
  }

  package func dueLetters(of webhook: String, limit: Int) async throws(StoreError) -> [DeadLetter] {
    try await reading { source throws(StoreError) in try await source.dueLetters(of: webhook, limit: limit) }
  }
}
