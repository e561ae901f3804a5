import ParvaControlTestSupport
import ParvaEngine
import Testing

@testable import ParvaControl

/// What is found out about capacities on its way into the store.
@Suite struct CapacityLedgerTests {
  private func facts(_ key: UInt64, _ entries: [UInt64]) -> CapacityFacts {
    CapacityFacts(key: .init(high: key, low: 0), entries: entries)
  }

  private let folder: TemporaryFolder
  private let store: GatedStore

  init() throws {
    folder = try TemporaryFolder()
    store = GatedStore(try SQLiteStore(path: folder.file("s.sqlite")))
  }

  @Test("what cannot be stored is stored later, with what was found meanwhile; what is stored is not stored again")
  func failures() async throws {
    let ledger = CapacityLedger([facts(1, [1])])
    try await ledger.keep(in: store)
    #expect(store.commits == 0)
    ledger.take(CapacityChanges(facts: [facts(2, [2]), facts(3, [3])]))
    store.fail(with: StoreError(.full, "no room"))
    await #expect(throws: StoreError.self) { try await ledger.keep(in: store) }
    ledger.take(CapacityChanges(facts: [facts(2, [2, 4])]))
    store.fail(with: nil)
    try await ledger.keep(in: store)
    #expect(try await store.load().capacities == [facts(3, [3]), facts(2, [2, 4])])
    #expect(ledger.facts == [facts(1, [1]), facts(3, [3]), facts(2, [2, 4])])
    let commits = store.commits
    try await ledger.keep(in: store)
    #expect(store.commits == commits)
  }

  @Test("what was found to be wrong is gone from store and memory, whatever was to be stored before")
  func forgets() async throws {
    let ledger = CapacityLedger()
    ledger.take(CapacityChanges(facts: [facts(1, [1])]))
    try await ledger.keep(in: store)
    ledger.take(CapacityChanges(facts: [facts(2, [2])]))
    ledger.take(CapacityChanges(forgetsOthers: true, facts: [facts(3, [3])]))
    ledger.take(CapacityChanges(facts: [facts(4, [4])]))
    #expect(ledger.facts == [facts(3, [3]), facts(4, [4])])
    try await ledger.keep(in: store)
    #expect(try await store.load().capacities == ledger.facts)
  }

  @Test("no more is held than what is kept, the newest always")
  func bounded() {
    let ledger = CapacityLedger()
    let half = [UInt64](repeating: 7, count: CapacityChanges.mostBytes / 16 - 8)
    for key: UInt64 in 1...5 { ledger.take(CapacityChanges(facts: [facts(key, half)])) }
    #expect(ledger.facts.map(\.key.high) == [4, 5])
    ledger.take(CapacityChanges(facts: [facts(4, [1])]))
    #expect(ledger.facts.map(\.key.high) == [5, 4])
  }
}
