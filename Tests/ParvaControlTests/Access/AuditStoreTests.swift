import Foundation
import GRDB
import ParvaControlTestSupport
import ParvaTestSupport
import Testing

@testable import ParvaControl

/// The audit as stores keep it.
@Suite struct AuditStoreTests {
  private static func entry(
    _ index: Int, at time: Date = Samples.time, resource: String = "workloads/a", isChange: Bool = true
  ) -> AuditEntry {
    AuditEntry(
      time: time, who: "token:tok-\(index % 3)", name: "ci", method: "PUT", path: "/v1/\(resource)", resource: resource,
      requestID: "r\(index)", status: isChange ? 200 : 409, before: index == 0 ? nil : "\(index).a",
      after: "\(index + 1).b", isChange: isChange)
  }

  private static func commit(
    _ entries: [AuditEntry], to store: any Store, keeping kept: (bounds: AuditRetention, now: Date)? = nil
  ) async throws {
    var batch = StoreBatch()
    batch.audit = entries
    batch.keptAudit = kept
    try await store.commit(batch)
  }

  @Test(arguments: StoreContractTests.stores)
  func rowsOutliveAReopening(_ kind: StoreContractTests.Kind) async throws {
    let folder = try TemporaryFolder()
    var store = try await kind.open(folder)
    let rows = (0..<5).map { Self.entry($0) }
    try await Self.commit(rows, to: store)
    try await store.close()
    store = try await kind.open(folder)
    var read = try await store.audit(AuditFilter(), .after(0), limit: 100)
    #expect(read.map(\.number) == [1, 2, 3, 4, 5])
    for index in read.indices { read[index].number = 0 }
    #expect(read == rows)
    #expect(try await store.audit(AuditFilter(), .before(4), limit: 2).map(\.number) == [3, 2])
    #expect(try await store.audit(AuditFilter(who: "token:tok-1"), .before(nil), limit: 9).map(\.number) == [5, 2])
  }

  @Test(
    "whatever comes and goes, what is kept is the newest of each kind, and numbers only grow",
    arguments: StoreContractTests.stores, 0..<4)
  func randomRetention(_ kind: StoreContractTests.Kind, _ round: Int) async throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let folder = try TemporaryFolder()
    let store = try await kind.open(folder)
    let bounds = AuditRetention(count: Int.random(in: 1...40, using: &random), age: 1000)
    var model: [(number: Int, entry: AuditEntry)] = []
    var (number, time) = (0, Samples.time)
    for step in 0..<40 {
      time += TimeInterval(Int.random(in: 0...300, using: &random))
      var entries: [AuditEntry] = []
      for _ in 0..<Int.random(in: 0...8, using: &random) {
        number += 1
        let entry = Self.entry(number, at: time, isChange: Bool.random(using: &random))
        entries.append(entry)
        model.append((number, entry))
      }
      let forgets = Bool.random(using: &random)
      try await Self.commit(entries, to: store, keeping: forgets ? (bounds, time) : nil)
      if forgets {
        let newest = model.last?.number
        model.removeAll { $0.number != newest && $0.entry.time < time - bounds.age }
        for (isChange, count) in [(true, bounds.count), (false, bounds.countOfOthers)] {
          let kept = Set(model.filter { $0.entry.isChange == isChange }.suffix(count).map(\.number))
          model.removeAll { $0.entry.isChange == isChange && $0.number != newest && !kept.contains($0.number) }
        }
      }
      let read = try await store.audit(AuditFilter(), .after(0), limit: 1000)
      #expect(read.map(\.number) == model.map(\.number), "seed \(seed), step \(step)")
    }
  }

  @Test("no row is ever changed")
  func rowsStay() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    try await Self.commit([Self.entry(1)], to: store)
    await #expect(throws: DatabaseError.self) {
      try await store.pool.write { try $0.execute(sql: "UPDATE audit SET who = 'nobody'") }
    }
    #expect(try await store.audit(AuditFilter(), .after(0), limit: 1).first?.who == "token:tok-1")
  }

  @Test("a store from before there was an audit takes rows")
  func olderStores() async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("s.sqlite")
    let old = try DatabasePool(path: path)
    try SQLiteStore.Schema.migrator.migrate(old, upTo: "7 tokens")
    try old.close()
    let store = try SQLiteStore(path: path)
    #expect(try await store.audit(AuditFilter(), .before(nil), limit: 1).isEmpty)
    try await Self.commit([Self.entry(1)], to: store)
    #expect(try await store.audit(AuditFilter(), .before(nil), limit: 9).count == 1)
  }

  @Test("changes under many writers at once: each row goes with its change, in as few commits as without")
  func manyWriters() async throws {
    let folder = try TemporaryFolder()
    let inner = try SQLiteStore(path: folder.file("s.sqlite"))
    let store = GatedStore(inner)
    let registry = DemandRegistry(demand: Demand(), store: store, limit: 1000, now: { Date() }, onChange: {})
    store.shut()
    // The first holds the store, and all others share the commit after it.
    let first = Task { try await Self.register("first", registry) }
    await store.untilHeld()
    let others = (0..<64).map { index in Task { try await Self.register("w\(index)", registry) } }
    while registry.waitingChanges < 64 { await Task.yield() }
    store.open()
    _ = try await first.value
    for one in others { _ = try await one.value }
    #expect(store.commits == 2)
    let rows = try await store.audit(AuditFilter(), .after(0), limit: 1000)
    #expect(Set(rows.map(\.resource)) == Set(["workloads/first"] + (0..<64).map { "workloads/w\($0)" }))
    #expect(rows.count == 65 && rows.allSatisfy { $0.isChange && $0.status == 201 && $0.before == nil })
    for row in rows {
      let id = String(row.resource.dropFirst("workloads/".count))
      let revision = registry.read { $0.registrations[id]?.revision ?? 0 }
      #expect(row.after?.hasPrefix("\(revision).") == true, "\(row)")
      #expect(row.requestID == id)
    }
  }

  private static func register(_ id: String, _ registry: DemandRegistry) async throws -> ChangeReceipt {
    let draft = AuditDraft(
      AuditEntry(
        time: Samples.time, who: "anonymous", name: "anonymous", method: "POST", path: "/v1/workloads",
        resource: "workloads", requestID: id, status: 0, isChange: false))
    return try await AuditDraft.$current.withValue(draft) {
      let receipt = try await registry.change(DemandChange(.create([Samples.workload(id)])))
      #expect(draft.close(201) == nil, "its row is on disk")
      return receipt
    }
  }
}
