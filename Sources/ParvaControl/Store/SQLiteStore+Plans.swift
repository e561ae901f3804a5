import Foundation
import GRDB
import ParvaFormats

/// Rows of plans, and the pin.
extension SQLiteStore {
  /// A plan on its way into the table.
  struct PlanRow: Sendable {
    var record: PlanRecord
    /// Nil where the plan is there already and only its record is renewed.
    var content: Content?

    struct Content: Sendable {
      var packed: PlanCodec.Packed
      /// The plan that was the newest, in its new form.
      var older: (revision: Int, packed: PlanCodec.Packed)?
    }
  }

  /// Packs a plan, and the one that it replaces. Takes its time where plans are large: not on one of Swift's threads.
  static func row(_ plan: StoredPlan, after newest: (revision: Int, packed: PlanCodec.Packed)?) throws(StoreError)
    -> PlanRow
  {
    let documents = PlanCodec.Documents(document: plan.document, assignments: plan.assignments)
    var row = PlanRow(
      record: plan.record, content: PlanRow.Content(packed: try PlanCodec.whole(documents), older: nil))
    if let newest, newest.revision < plan.record.revision {
      let before = try PlanCodec.documents([newest.packed], revision: newest.revision)
      row.content?.older = (newest.revision, try PlanCodec.difference(of: before, from: documents))
    }
    return row
  }

  static func write(_ row: PlanRow, _ db: Database) throws {
    let record = row.record
    guard let content = row.content else {
      try db.execute(
        sql: "UPDATE plan SET demand_revision = ?, fleet = ? WHERE revision = ?",
        arguments: [record.demandRevision, record.fleet.map(Int64.init(bitPattern:)), record.revision])
      return
    }
    try db.execute(
      sql: """
        INSERT INTO plan (
          revision, demand_revision, created_at, planner, status, gpus, bound, unplaced, form, document, slices, cause,
          fleet)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        record.revision, record.demandRevision, milliseconds(record.createdAt), record.planner, record.status,
        record.gpuCount, record.lowerBound, record.unplacedCount, content.packed.form.rawValue, content.packed.document,
        content.packed.assignments, try record.cause.map { try WireWriter.json($0) } ?? Data(),
        record.fleet.map(Int64.init(bitPattern:)),
      ])
    if let older = content.older {
      try db.execute(
        sql: "UPDATE plan SET form = ?, document = ?, slices = ? WHERE revision = ?",
        arguments: [older.packed.form.rawValue, older.packed.document, older.packed.assignments, older.revision])
    }
  }

  static func write(pin: PlanPin?, _ db: Database) throws {
    try db.execute(sql: "DELETE FROM plan_pin")
    guard let pin else { return }
    try db.execute(
      sql: "INSERT INTO plan_pin (revision, reason, since) VALUES (?, ?, ?)",
      arguments: [pin.revision, pin.reason, milliseconds(pin.since)])
  }

  static func pin(_ db: Database) throws -> PlanPin? {
    try Row.fetchOne(db, sql: "SELECT revision, reason, since FROM plan_pin").map {
      PlanPin(revision: $0["revision"], reason: $0["reason"], since: date($0["since"]))
    }
  }

  static func forgetPlans(beyond bounds: PlanRetention, now: Date, _ db: Database) throws {
    let plans = try Row.fetchAll(
      db,
      sql: """
        SELECT revision, created_at, length(document) + length(slices) AS bytes FROM plan ORDER BY revision DESC
        """
    ).map { PlanRetention.Entry(revision: $0["revision"], createdAt: date($0["created_at"]), bytes: $0["bytes"]) }
    try db.execute(
      sql: "DELETE FROM plan WHERE revision < ?", arguments: [bounds.firstKept(of: plans, now: now)])
  }

  /// A plan with the newer ones that it is read by, in order.
  static func planChain(_ revision: Int, _ db: Database) throws -> (record: PlanRecord, packed: [PlanCodec.Packed])? {
    let rows = try Row.fetchCursor(
      db, sql: "SELECT * FROM plan WHERE revision >= ? ORDER BY revision", arguments: [revision])
    guard let first = try rows.next(), first["revision"] == revision else { return nil }
    let record = record(first)
    var chain = [packed(first)]
    while chain.last?.form == .difference, let next = try rows.next() { chain.append(packed(next)) }
    return (record, chain)
  }

  static func packed(_ row: Row) -> PlanCodec.Packed {
    PlanCodec.Packed(
      form: .init(rawValue: row["form"]) ?? .plain, document: row["document"], assignments: row["slices"])
  }

  static func record(_ row: Row) -> PlanRecord {
    let fleet: Int64? = row["fleet"]
    return PlanRecord(
      revision: row["revision"], demandRevision: row["demand_revision"], createdAt: date(row["created_at"]),
      planner: row["planner"], status: row["status"], gpuCount: row["gpus"], lowerBound: row["bound"],
      unplacedCount: row["unplaced"], cause: try? JSONDecoder().decode(PlanCause.self, from: row["cause"] as Data),
      fleet: fleet.map(UInt64.init(bitPattern:)))
  }
}
