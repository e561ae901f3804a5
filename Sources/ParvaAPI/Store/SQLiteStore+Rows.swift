import Foundation
import GRDB
import ParvaEngine
import ParvaFormats
import ParvaWire

/// How values become rows and rows values. Times are milliseconds since 1970; declarations are their wire JSON.
extension SQLiteStore {
  static func write(_ batch: StoreBatch, _ db: Database) throws {
    if let revision = batch.demandRevision {
      try db.execute(
        sql:
          "INSERT INTO meta (name, value) VALUES ('demand_revision', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        arguments: [revision])
    }
    try write(registrations: batch.registrations, db)
    try write(profiles: batch.profiles, db)
    for claim in batch.claims {
      try db.execute(
        sql: "INSERT OR REPLACE INTO idempotency (key, fingerprint, demand_revision, created_at) VALUES (?, ?, ?, ?)",
        arguments: [
          claim.claim.key, Int64(bitPattern: claim.claim.fingerprint), claim.revision, milliseconds(claim.time),
        ])
    }
    if let plan = batch.plan { try write(plan, db) }
    if let first = batch.firstPlanKept {
      try db.execute(sql: "DELETE FROM plan WHERE revision < ?", arguments: [first])
    }
    try write(nodes: batch.nodes, removed: batch.removedNodes, db)
    try write(states: batch.nodeStates, assignments: batch.assignments, db)
    try write(operations: batch.operations, progress: batch.progress, kept: batch.keptOperations, db)
    if let first = batch.firstClaimKept {
      try db.execute(sql: "DELETE FROM idempotency WHERE created_at < ?", arguments: [milliseconds(first)])
    }
  }

  private static func write(registrations: [String: Registration?], _ db: Database) throws {
    guard !registrations.isEmpty else { return }
    let set = try db.cachedStatement(
      sql: """
        INSERT INTO workload (id, spec, revision, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET spec = excluded.spec, revision = excluded.revision, updated_at = excluded.updated_at
        """)
    let remove = try db.cachedStatement(sql: "DELETE FROM workload WHERE id = ?")
    let encoder = JSONEncoder()
    // In order of id, so that a large batch appends to the table's tree instead of splitting it everywhere.
    for (id, registration) in registrations.sorted(by: { $0.key < $1.key }) {
      if let registration {
        let spec = try encoder.encode(WorkloadReader.spec(of: registration.workload))
        try set.execute(arguments: [
          id, spec, registration.revision, milliseconds(registration.createdAt), milliseconds(registration.updatedAt),
        ])
      } else {
        try remove.execute(arguments: [id])
      }
    }
  }

  static func registrations(_ db: Database) throws -> [Registration] {
    let decoder = JSONDecoder()
    return try Row.fetchAll(db, sql: "SELECT * FROM workload ORDER BY id").map { row in
      let id: String = row["id"]
      do {
        let workload = try WorkloadReader.workload(from: decoder.decode(WorkloadSpec.self, from: row["spec"]))
        return Registration(
          workload, revision: row["revision"], createdAt: date(row["created_at"]), updatedAt: date(row["updated_at"]))
      } catch {
        throw StoreError(.corrupt, "The store's workload \(id) cannot be read: \(error)")
      }
    }
  }

  private static func write(profiles: [ProfileKey: StoredProfile?], _ db: Database) throws {
    for (key, stored) in profiles.sorted(by: { $0.key < $1.key }) {
      if let stored {
        try db.execute(
          sql: """
            INSERT INTO profile (model, product, spec, revision) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET spec = excluded.spec, revision = excluded.revision
            """,
          arguments: [key.model, key.product, ProfileWriter.json([stored.profile]), stored.revision])
      } else {
        try db.execute(
          sql: "DELETE FROM profile WHERE model = ? AND product = ?", arguments: [key.model, key.product])
      }
    }
  }

  static func profiles(_ db: Database) throws -> [ProfileKey: StoredProfile] {
    var profiles: [ProfileKey: StoredProfile] = [:]
    for row in try Row.fetchAll(db, sql: "SELECT * FROM profile") {
      let key = ProfileKey(model: row["model"], product: row["product"])
      do {
        let product = try product(key.product)
        let read = try ProfileReader.read(InputSource(row["spec"], format: .json), product: product)
        for profile in read { profiles[key] = StoredProfile(profile, revision: row["revision"]) }
      } catch {
        throw StoreError(.corrupt, "The store's profile of \(key.model) on \(key.product) cannot be read: \(error)")
      }
    }
    return profiles
  }

  private static func product(_ name: String) throws(StoreError) -> GPUProduct {
    guard let product = ProductCatalogue.product(named: name) else {
      throw StoreError(.corrupt, "The store names the product \(name), which this version does not know.")
    }
    return product
  }

  private static func write(_ plan: StoredPlan, _ db: Database) throws {
    let record = plan.record
    try db.execute(
      sql: """
        INSERT INTO plan (revision, demand_revision, created_at, planner, status, gpus, unplaced, document, slices)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET demand_revision = excluded.demand_revision
        """,
      arguments: [
        record.revision, record.demandRevision, milliseconds(record.createdAt), record.planner, record.status,
        record.gpuCount, record.unplacedCount, plan.document, plan.slices,
      ])
  }

  static func plan(_ row: Row) -> StoredPlan {
    StoredPlan(record: record(row), document: row["document"], slices: row["slices"])
  }

  static func record(_ row: Row) -> PlanRecord {
    PlanRecord(
      revision: row["revision"], demandRevision: row["demand_revision"], createdAt: date(row["created_at"]),
      planner: row["planner"], status: row["status"], gpuCount: row["gpus"], unplacedCount: row["unplaced"])
  }

  static func date(_ milliseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }

  static func milliseconds(_ date: Date) -> Int64 { Int64((date.timeIntervalSince1970 * 1000).rounded()) }
}
