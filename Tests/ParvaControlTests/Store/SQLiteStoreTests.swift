import Foundation
import GRDB
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaControl

/// What is particular to the SQLite store.
@Suite struct SQLiteStoreTests {
  @Test func commitsAreSyncedToDisk() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    let synchronous = try await store.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
    #expect(synchronous == 2, "2 is FULL")
    let journal = try await store.pool.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
    #expect(journal == "wal")
  }

  @Test func theFolderIsMadeWhereItIsMissing() throws {
    let folder = try TemporaryFolder()
    _ = try SQLiteStore(path: folder.file("a/b/s.sqlite"))
    #expect(FileManager.default.fileExists(atPath: folder.file("a/b/s.sqlite")))
  }

  @Test func aFileThatIsNoDatabaseIsRefused() throws {
    let folder = try TemporaryFolder()
    try Data(repeating: 0x41, count: 8192).write(to: URL(filePath: folder.file("s.sqlite")))
    let refusal = #expect(throws: StoreError.self) { _ = try SQLiteStore(path: folder.file("s.sqlite")) }
    #expect(refusal?.code == .cannotOpen)
  }

  @Test func aStoreOfANewerVersionIsRefusedUntouched() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    try await store.pool.write { db in
      try db.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('9999 of the future')")
    }
    try await store.close()
    let refusal = #expect(throws: StoreError.self) { _ = try SQLiteStore(path: folder.file("s.sqlite")) }
    #expect(refusal?.code == .tooNew)
  }

  @Test("S2: plans of older versions, which are stored as they are, stay readable")
  func plainPlansAreRead() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    try await store.pool.write { db in
      for revision in 1...2 {
        try db.execute(
          sql: """
            INSERT INTO plan (revision, demand_revision, created_at, planner, status, gpus, unplaced, document, slices)
            VALUES (?, 0, 1800000000000, 'parvagpu', 'feasible', ?, 1, CAST(? AS BLOB), x'')
            """, arguments: [revision, revision * 2, "plan \(revision)"])
      }
    }
    var plans = (1...3).map { Samples.plan($0, document: "plan \($0)") }
    // Those versions did not keep it apart from the document.
    for older in 0..<2 { plans[older].record.lowerBound = nil }
    #expect(try await store.load().plan == plans[1])
    var batch = StoreBatch()
    batch.plan = plans[2]
    try await store.commit(batch)
    for plan in plans { #expect(try await store.plan(plan.record.revision) == plan) }
  }

  @Test("a store from before there were tokens keeps what it has, and takes tokens")
  func olderStoresTakeTokens() async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("s.sqlite")
    let old = try DatabasePool(path: path)
    try SQLiteStore.Schema.migrator.migrate(old, upTo: "6 servers that somebody else has started")
    try await old.write { db in
      #expect(try !db.tableExists("token"))
      try db.execute(sql: "INSERT INTO meta (name, value) VALUES ('demand_revision', 7)")
    }
    try old.close()
    var store = try SQLiteStore(path: path)
    #expect(try await store.load().demand.revision == 7)
    var batch = StoreBatch()
    let token = try Samples.token("tok-1")
    batch.tokens[token.id] = token
    try await store.commit(batch)
    try await store.close()
    store = try SQLiteStore(path: path)
    let read = try await store.load().tokens
    #expect(read.map(\.id) == ["tok-1"] && read.first?.digest.matches(token.digest) == true)
  }

  @Test func profilesOfOlderVersionsAreEverybodys() async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("s.sqlite")
    let old = try DatabasePool(path: path)
    try SQLiteStore.Schema.migrator.migrate(old, upTo: "15 weights of namespaces")
    let profile = Samples.profile()
    try await old.write { db in
      try db.execute(
        sql: "INSERT INTO profile (model, product, spec, revision) VALUES (?, ?, ?, 3)",
        arguments: [profile.model, profile.product, ProfileCodec.data(profile)])
    }
    try old.close()
    let read = try await SQLiteStore(path: path).load().demand.profiles
    #expect(read == [ProfileKey(profile): StoredProfile(profile, revision: 3)])
  }

  @Test("a page of any table that is overwritten is found at the start, and a backup takes its place")
  func damageIsFoundAtTheStart() async throws {
    let folder = try TemporaryFolder()
    let (path, backup) = (folder.file("s.sqlite"), folder.file("backup"))
    let store = try SQLiteStore(path: path)
    var batch = StoreBatch()
    batch.registrations["web"] = Samples.registration(Samples.workload("web"))
    batch.plan = Samples.plan(1, document: "plan")
    try await store.commit(batch)
    try SQLiteBackup.write(path, to: backup)
    try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
    let (size, roots) = try await store.pool.read { db in
      (
        try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0,
        try Int.fetchAll(db, sql: "SELECT rootpage FROM sqlite_master WHERE rootpage > 1")
      )
    }
    try await store.close()
    let sound = try Data(contentsOf: URL(filePath: path))
    #expect(roots.count > 10)
    for root in roots {
      var bytes = sound
      let start = (root - 1) * size
      bytes.replaceSubrange(start..<start + size, with: Data(repeating: 0xA5, count: size))
      // A file of its own: what was open before may still have the old one.
      let damaged = folder.file("damaged-\(root).sqlite")
      try bytes.write(to: URL(filePath: damaged))
      let refusal = #expect(throws: StoreError.self) { try SQLiteStore(path: damaged) }
      #expect(refusal?.code == .corrupt && refusal?.message.contains("parva restore") == true, "page \(root)")
    }
    let last = folder.file("damaged-\(try #require(roots.last)).sqlite")
    _ = try SQLiteBackup.restore(backup, to: last, replacing: true)
    let again = try SQLiteStore(path: last)
    #expect(try await again.load().plan?.document == Data("plan".utf8))
    try await again.close()
  }

  private final class Changing: ReadingStore {
    let stores: Mutex<[SQLiteStore]>
    init(_ stores: [SQLiteStore]) { self.stores = Mutex(stores) }
    var source: any Store { stores.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] } }
    func commit(_ batch: StoreBatch) async throws(StoreError) {}
    func probe() async throws(StoreError) {}
    func close() async throws(StoreError) {}
    var sizeBytes: Int? { nil }
    var trouble: StoreError? { nil }
  }

  @Test("a read whose copy is replaced meanwhile is done with the one in its place")
  func copiesThatAreReplaced() async throws {
    let folder = try TemporaryFolder()
    let (old, new) = (
      try SQLiteStore(path: folder.file("old.sqlite")), try SQLiteStore(path: folder.file("new.sqlite"))
    )
    var batch = StoreBatch()
    batch.plan = Samples.plan(1, document: "plan")
    try await new.commit(batch)
    try await old.close()
    #expect(try await Changing([old, new]).plans(before: nil, limit: 9).count == 1)
    #expect(try await Changing([old, new]).plan(1)?.document == Data("plan".utf8))
    await #expect(throws: StoreError.self) { try await Changing([old]).plans(before: nil, limit: 9) }
    try await new.close()
  }

  @Test func aDamagedPlanIsNamed() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    for revision in 1...2 {
      var batch = StoreBatch()
      batch.plan = Samples.plan(revision, document: "plan \(revision)")
      try await store.commit(batch)
    }
    try await store.pool.write { try $0.execute(sql: "UPDATE plan SET document = x'00' WHERE revision = 1") }
    let refusal = await #expect(throws: StoreError.self) { _ = try await store.plan(1) }
    #expect(refusal?.code == .corrupt && refusal?.message.contains("plan 1") == true)
    #expect(try await store.plan(2)?.document == Data("plan 2".utf8))
  }

  @Test("of what is known of capacities a damaged row is left out, until it is found out again")
  func damagedCapacitiesAreLeftOut() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    let facts = (0..<40).map { CapacityFacts(key: .init(high: $0, low: 9), entries: [1, 2, $0]) }
    var batch = StoreBatch()
    batch.capacities.facts = facts
    try await store.commit(batch)
    var random = SeededGenerator(seed: TestSeed.of(offset: 2))
    let damaged = Set((0..<20).map { _ in Int.random(in: 0..<40, using: &random) })
    for number in damaged {
      var data = CapacityFile.data([facts[number]])
      switch Int.random(in: 0..<3, using: &random) {
      case 0: data[Int.random(in: 0..<data.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: data.removeLast(Int.random(in: 1...data.count, using: &random))
      // Sound, but about something else.
      default: data = CapacityFile.data([facts[(number + 1) % 40]])
      }
      try await store.pool.write { [data] db in
        try db.execute(
          sql: "UPDATE capacity SET facts = ? WHERE number = ?", arguments: [data, number + 1])
      }
    }
    let rest = try await store.load().capacities
    #expect(rest == facts.enumerated().filter { !damaged.contains($0.offset) }.map(\.element))
    batch.capacities.facts = damaged.map { facts[$0] }
    try await store.commit(batch)
    let again = try await store.load().capacities
    #expect(Set(again) == Set(facts))
  }

  @Test func aRowThatCannotBeReadIsNamed() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    var batch = StoreBatch()
    batch.registrations["web"] = Samples.registration(Samples.workload("web"))
    try await store.commit(batch)
    try await store.pool.write { try $0.execute(sql: "UPDATE workload SET spec = CAST('{\"id\":1}' AS BLOB)") }
    let refusal = await #expect(throws: StoreError.self) { _ = try await store.load() }
    #expect(refusal?.code == .corrupt)
    #expect(refusal?.message.contains("web") == true)
  }
}
