import Foundation
import GRDB
import Glibc
import ParvaServing

/// The store of a single controller: one SQLite file with a write-ahead log that is synced at every commit.
package final class SQLiteStore: Store {
  let pool: DatabasePool
  private let lock: StoreLock
  /// Large plans take a core for a while; Swift's own threads stay free for requests.
  private let packing = WorkQueue("parva.store.packing", yields: true)

  /// Opens the file, or creates it with its folder, looks whether all of its pages are sound, and brings its tables up to date.
  ///
  /// - Throws: `store_in_use` while another process has it open, `store_cannot_open`, `store_corrupt`, `store_too_new`,
  ///   `store_failed`.
  /// - Complexity: O(bytes of the file).
  package init(path: String) throws(StoreError) {
    let folder = URL(filePath: path).deletingLastPathComponent()
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw StoreError(.cannotOpen, "The store's folder \(folder.path) cannot be made: \(error.localizedDescription)")
    }
    lock = try StoreLock(path: path + ".lock")
    // Secrets of nodes are in it. SQLite gives its side files the mode of the database.
    let created = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    if created >= 0 { _ = Glibc.close(created) }
    var configuration = Configuration()
    configuration.label = "parva.store"
    configuration.busyMode = .timeout(5)
    do {
      pool = try DatabasePool(path: path, configuration: configuration)
    } catch {
      throw StoreError(.cannotOpen, "The store \(path) cannot be opened: \(error)")
    }
    do {
      try Self.check(pool, path)
      try Schema.migrate(pool, path: path)
      // The pool sets NORMAL itself when it turns the write-ahead log on, and a commit would then outlive a crash of
      // this process but not of the machine.
      try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
    } catch let error as StoreError {
      throw error
    } catch {
      throw StoreError(.failed, "The store \(path) cannot be made ready: \(error)")
    }
  }

  /// Much of a store is read when somebody asks for it, maybe months later: its damage is told at the start.
  private static func check(_ pool: DatabasePool, _ path: String) throws {
    var found: [String] = []
    do {
      found = try pool.read { try String.fetchAll($0, sql: "PRAGMA quick_check(1)") }
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
      found = [error.message ?? "it cannot be read"]
    }
    guard found != ["ok"] else { return }
    // SQLite names the database on a line of its own first.
    let fault = found.first?.split(separator: "\n").last.map(String.init) ?? "it cannot be read"
    throw StoreError(
      .corrupt,
      "The store \(path) is damaged: \(fault). Put a backup in its place: "
        + "parva restore BACKUP --store \(path) --force keeps what is there beside it.")
  }

  package func commit(_ batch: StoreBatch) async throws(StoreError) {
    guard !batch.isEmpty else { return }
    try await translating {
      // Before the transaction, so that other commits need not wait for it.
      let plan = try await row(batch.plan)
      try await pool.write { db in
        try Self.write(demand: batch, db)
        if let plan { try Self.write(plan, db) }
        if let pin = batch.pin { try Self.write(pin: pin, db) }
        if let kept = batch.keptPlans { try Self.forgetPlans(beyond: kept.bounds, now: kept.now, db) }
        try Self.write(nodes: batch.nodes, removed: batch.removedNodes, db)
        try Self.write(states: batch.nodeStates, assignments: batch.assignments, db)
        try Self.write(operations: batch.operations, progress: batch.progress, kept: batch.keptOperations, db)
        try Self.write(toldSegments: batch.toldSegments, db)
        try Self.write(tokens: batch.tokens, uses: batch.tokenUses, db)
        try Self.write(windows: batch.windows, db)
        try Self.write(webhooks: batch.webhooks, progress: batch.webhookProgress, db)
        try Self.write(webhookEvents: batch.webhookEvents, db)
        try Self.write(deadLetters: batch.deadLetters, db)
        try Self.write(audit: batch.audit, kept: batch.keptAudit, db)
        try Self.write(capacities: batch.capacities, db)
      }
    }
  }

  private func row(_ plan: StoredPlan?) async throws -> PlanRow? {
    guard let plan else { return nil }
    let isThere = try await pool.read { db in
      try Bool.fetchOne(
        db, sql: "SELECT EXISTS (SELECT 1 FROM plan WHERE revision = ?)", arguments: [plan.record.revision])
    }
    if isThere == true { return PlanRow(record: plan.record, content: nil) }
    let newest = try await pool.read { db in
      try Row.fetchOne(db, sql: "SELECT * FROM plan ORDER BY revision DESC LIMIT 1").map { row in
        (revision: row["revision"] as Int, packed: Self.packed(row))
      }
    }
    return try await packing.run { () throws(StoreError) in try Self.row(plan, after: newest) }
  }

  /// Of the files that a store is made of: itself, its write-ahead log, and the index of that.
  static let suffixes = ["", "-wal", "-shm"]

  /// The file with its write-ahead log.
  package var sizeBytes: Int? {
    let sizes = ["", "-wal"].map { suffix in
      var status = stat()
      return stat(pool.path + suffix, &status) == 0 ? Int(status.st_size) : nil
    }
    return sizes[0].map { $0 + (sizes[1] ?? 0) }
  }

  package func load() async throws(StoreError) -> StoreContents { try await load(knowing: nil) }

  /// - Parameter known: what is stored, and need not be read.
  package func load(knowing known: KnownContents?) async throws(StoreError) -> StoreContents {
    try await translating {
      let newest = if let known { known.plan } else { try await newestPlan() }
      return try await pool.read { db in
        var contents = StoreContents(demand: try known?.demand ?? Self.demand(db), plan: newest)
        contents.epoch = try Int.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'epoch'") ?? 0
        contents.nodes = try known?.nodes ?? Self.nodes(db)
        contents.removedNodes = try String.fetchSet(db, sql: "SELECT name FROM removed_node")
        contents.openOperations = try Row.fetchAll(
          db, sql: "SELECT * FROM operation WHERE NOT over ORDER BY number"
        ).map { try Self.operation($0, db) }
        contents.pin = try Self.pin(db)
        contents.toldSegments = try Self.toldSegments(db)
        contents.tokens = try Self.tokens(db)
        contents.windows = try Self.windows(db)
        contents.webhooks = try Self.webhooks(db)
        contents.capacities = try Self.capacities(db)
        return contents
      }
    }
  }

  private func newestPlan() async throws -> StoredPlan? {
    let revision = try await pool.read { try Int.fetchOne($0, sql: "SELECT max(revision) FROM plan") }
    guard let revision else { return nil }
    return try await plan(revision)
  }

  package func claims(_ keys: [String]) async throws(StoreError) -> [HonouredClaim] {
    try await translating {
      try await pool.read { db in
        let statement = try db.cachedStatement(
          sql: "SELECT key, fingerprint, demand_revision, created_at FROM idempotency WHERE key = ?")
        return try keys.compactMap { key in
          try Row.fetchOne(statement, arguments: [key]).map { row in
            HonouredClaim(
              IdempotencyClaim(key: row["key"], fingerprint: UInt64(bitPattern: row["fingerprint"])),
              revision: row["demand_revision"], time: Self.date(row["created_at"]))
          }
        }
      }
    }
  }

  package func plans(before: Int?, limit: Int) async throws(StoreError) -> [PlanRecord] {
    try await translating {
      try await pool.read { db in
        try Row.fetchAll(
          db,
          sql: """
            SELECT revision, demand_revision, created_at, planner, status, gpus, bound, unplaced, cause, fleet FROM plan
            WHERE revision < ? ORDER BY revision DESC LIMIT ?
            """, arguments: [before ?? Int.max, limit]
        ).map(Self.record)
      }
    }
  }

  package func plan(_ revision: Int) async throws(StoreError) -> StoredPlan? {
    try await translating {
      guard let (record, chain) = try await pool.read({ try Self.planChain(revision, $0) }) else { return nil }
      return try await packing.run { () throws(StoreError) in
        let documents = try PlanCodec.documents(chain, revision: revision)
        return StoredPlan(record: record, document: documents.document, assignments: documents.assignments)
      }
    }
  }

  package func operation(_ id: String) async throws(StoreError) -> StoredOperation? {
    try await translating {
      try await pool.read { db in
        try Row.fetchOne(db, sql: "SELECT * FROM operation WHERE id = ?", arguments: [id]).map {
          try Self.operation($0, db)
        }
      }
    }
  }

  package func operation(claimedBy key: String) async throws(StoreError) -> StoredOperation? {
    try await translating {
      try await pool.read { db in
        try Row.fetchOne(
          db, sql: "SELECT * FROM operation WHERE claim = ? ORDER BY number DESC LIMIT 1", arguments: [key]
        ).map { try Self.operation($0, db) }
      }
    }
  }

  package func operations(after id: String?, limit: Int) async throws(StoreError) -> [StoredOperation] {
    try await translating {
      try await pool.read { db in
        try Row.fetchAll(
          db,
          sql: """
            SELECT * FROM operation
            WHERE :id IS NULL OR number < (SELECT number FROM operation WHERE id = :id)
            ORDER BY number DESC LIMIT :limit
            """, arguments: ["id": id, "limit": limit]
        ).map { try Self.operation($0, db) }
      }
    }
  }

  package func probe() async throws(StoreError) {
    try await translating {
      try await pool.write { db in
        // More than what is left over in pages that the file has already; the row before goes last, so that its pages are
        // not those of this one.
        try db.execute(sql: "INSERT INTO probe (filler) VALUES (randomblob(65536))")
        try db.execute(sql: "DELETE FROM probe WHERE id < last_insert_rowid()")
      }
    }
  }

  package func close() async throws(StoreError) {
    try await translating { try pool.close() }
    lock.release()
  }

  func translating<Value: Sendable>(
    _ work: @Sendable () async throws -> Value
  ) async throws(StoreError) -> Value {
    do {
      return try await work()
    } catch {
      throw StoreError(translating: error)
    }
  }

  // MARK: - Times, as milliseconds since 1970

  static func date(_ milliseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }

  static func milliseconds(_ date: Date) -> Int64 { Int64((date.timeIntervalSince1970 * 1000).rounded()) }
}

extension StoreError {
  /// What SQLite says, in the words of stores.
  init(translating error: any Error) {
    switch (error, (error as? DatabaseError)?.resultCode) {
    case (let known as StoreError, _): self = known
    case (_, .SQLITE_CORRUPT): self.init(.corrupt, "The store is damaged: \(error)")
    case (_, .SQLITE_FULL): self.init(.full, "There is no room left for the store: \(error)")
    default: self.init(.failed, "The store failed: \(error)")
    }
  }
}
