import Foundation
import GRDB
import ParvaControlTestSupport
import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaControl

/// A store as one file and back.
@Suite struct SQLiteBackupTests {
  private static func batch(_ revision: Int) -> StoreBatch {
    var batch = StoreBatch()
    batch.demandRevision = revision
    batch.registrations = ["w\(revision)": Samples.registration(Samples.workload("w\(revision)"), revision: revision)]
    batch.plan = Samples.plan(revision, demand: revision)
    return batch
  }

  /// A store at rest with the revisions up to this one.
  private static func make(_ path: String, revisions: Int) async throws {
    let store = try SQLiteStore(path: path)
    for revision in 1...revisions { try await store.commit(batch(revision)) }
    try await store.close()
  }

  private static func revision(_ path: String) async throws -> Int {
    let store = try SQLiteStore(path: path)
    let revision = try await store.load().demand.revision
    try await store.close()
    return revision
  }

  @Test("copies made while commits go on hold all that was acknowledged before, and nothing of a half")
  func beneathWriters() async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("s.sqlite")
    let store = try SQLiteStore(path: path)
    try await store.commit(Self.batch(1))
    let isOver = Mutex(false)
    let writer = Task {
      var revision = 1
      while !isOver.withLock({ $0 }) {
        revision += 1
        try await store.commit(Self.batch(revision))
      }
    }
    for copy in 1...6 {
      let before = try await store.load().demand.revision
      let contents = try SQLiteBackup.write(path, to: folder.file("copy\(copy)"))
      let after = try await store.load().demand.revision
      #expect((before...after).contains(contents.demandRevision))
      #expect(contents.workloads == contents.demandRevision && contents.planRevision == contents.demandRevision)
      let attributes = try FileManager.default.attributesOfItem(atPath: folder.file("copy\(copy)"))
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      let restored = folder.file("restored\(copy)")
      #expect(try SQLiteBackup.restore(folder.file("copy\(copy)"), to: restored, replacing: false) == contents)
      let other = try SQLiteStore(path: restored)
      let loaded = try await other.load()
      #expect(loaded.demand.revision == contents.demandRevision)
      #expect(loaded.demand.registrations.rows.count == contents.workloads)
      // It goes on from there as any store does.
      try await other.commit(Self.batch(1_000_000))
      try await other.close()
    }
    isOver.withLock { $0 = true }
    try await writer.value
    try await store.close()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.contains(".part") })
  }

  @Test("a restore takes no place of an open store, and of another only when told, which is kept with its log")
  func whatIsThere() async throws {
    let folder = try TemporaryFolder()
    let (path, copy) = (folder.file("s.sqlite"), folder.file("copy"))
    try await Self.make(path, revisions: 2)
    try SQLiteBackup.write(path, to: copy)
    #expect(#expect(throws: StoreError.self) { try SQLiteBackup.write(path, to: copy) }?.code == .cannotOpen)
    let open = try SQLiteStore(path: path)
    try await open.commit(Self.batch(3))
    let refusal = #expect(throws: StoreError.self) { try SQLiteBackup.restore(copy, to: path, replacing: true) }
    #expect(refusal?.code == .inUse)
    // As kill -9 leaves it: with a log that holds the last commit.
    let killed = folder.file("killed.sqlite")
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: path + suffix, toPath: killed + suffix)
    }
    try await open.close()
    #expect(
      #expect(throws: StoreError.self) { try SQLiteBackup.restore(copy, to: killed, replacing: false) }?.code
        == .cannotOpen)
    try SQLiteBackup.restore(copy, to: killed, replacing: true)
    #expect(try await Self.revision(killed) == 2)
    #expect(try await Self.revision(killed + ".before-restore") == 3)
    // Again, and over what the first one kept.
    try SQLiteBackup.restore(copy, to: killed, replacing: true)
    #expect(try await Self.revision(killed + ".before-restore") == 2)
  }

  @Test("a copy that is damaged, cut or none is refused, and what stands stays") func damaged() async throws {
    let folder = try TemporaryFolder()
    let (path, whole, copy) = (folder.file("s.sqlite"), folder.file("whole"), folder.file("copy"))
    try await Self.make(path, revisions: 30)
    try SQLiteBackup.write(path, to: whole)
    let bytes = try Data(contentsOf: URL(filePath: whole))
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    for round in 0..<24 {
      var broken = bytes
      switch round % 3 {
      case 0: broken = bytes.prefix(Int.random(in: 0..<bytes.count, using: &random))
      case 1:
        let page = Int.random(in: 0..<bytes.count / 4_096, using: &random) * 4_096
        for at in page..<page + 4_096 { broken[at] = UInt8.random(in: 0...255, using: &random) }
      default: broken = Data((0..<bytes.count).map { _ in UInt8.random(in: 0...255, using: &random) })
      }
      try broken.write(to: URL(filePath: copy))
      let refusal = #expect(throws: StoreError.self, "round \(round), seed \(seed)") {
        try SQLiteBackup.restore(copy, to: path, replacing: true)
      }
      #expect([.corrupt, .cannotOpen, .failed].contains(refusal?.code), "\(String(describing: refusal))")
    }
    #expect(try await Self.revision(path) == 30)
    for absent in [folder.file("nothing"), folder.path] {
      #expect(throws: StoreError.self) { try SQLiteBackup.write(absent, to: folder.file("new")) }
      #expect(!FileManager.default.fileExists(atPath: folder.file("new")))
    }
  }

  @Test("a database of somebody else's and a newer store are refused") func strangers() async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("s.sqlite")
    let store = try SQLiteStore(path: path)
    try await store.pool.write { db in
      try db.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('9999 of the future')")
    }
    try await store.close()
    #expect(
      #expect(throws: StoreError.self) { try SQLiteBackup.write(path, to: folder.file("copy")) }?.code == .tooNew)
    let other = try SQLiteStore(path: folder.file("other"))
    try await other.pool.write { try $0.execute(sql: "DROP TABLE workload") }
    try await other.close()
    #expect(#expect(throws: StoreError.self) { try SQLiteBackup.check(folder.file("other")) }?.code == .corrupt)
  }

  @Test("a restore puts the terms that follow after all before, whatever the clock says", arguments: [UInt64(1), 2, 3])
  func epochs(seed: UInt64) async throws {
    let folder = try TemporaryFolder()
    var random = SeededGenerator(seed: seed)
    var (path, before) = (folder.file("0"), 0)
    try await Self.make(path, revisions: 1)
    for step in 1...12 {
      let time = Date(timeIntervalSince1970: .random(in: -1e9...5e9, using: &random))
      if .random(using: &random) {
        try SQLiteBackup.beginEpoch(in: path, at: time)
      } else {
        try SQLiteBackup.write(path, to: folder.file("copy\(step)"))
        path = folder.file("\(step)")
        try SQLiteBackup.restore(folder.file("copy\(step)"), to: path, replacing: false)
      }
      let store = try SQLiteStore(path: path)
      let epoch = try await store.load().epoch
      try await store.close()
      // All that etcd can have counted since.
      #expect(epoch >= before + 1 << 21 && epoch < 1 << 53)
      before = epoch
    }
  }
}
