import Foundation
import GRDB

/// Rows of the audit. They are added and, when they are old, taken away; no row is ever changed.
extension SQLiteStore {
  /// Milliseconds for which a request may be on its way to its row.
  private static let longestLag: Int64 = 60_000

  static func write(audit: [AuditEntry], kept: (bounds: AuditRetention, now: Date)?, _ db: Database) throws {
    if !audit.isEmpty {
      let add = try db.cachedStatement(
        sql: """
          INSERT INTO audit (time, who, name, method, path, resource, request_id, status, before, after, change)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """)
      // A row is no older than those before it, whenever its request came; after a clock went back times begin anew.
      var last = try Int64.fetchOne(db, sql: "SELECT time FROM audit ORDER BY number DESC LIMIT 1") ?? .min
      for entry in audit {
        let time = milliseconds(entry.time)
        last = last > time && last - time <= longestLag ? last : time
        try add.execute(arguments: [
          last, entry.who, entry.name, entry.method, entry.path, entry.resource, entry.requestID,
          entry.status, entry.before, entry.after, entry.isChange ? 1 : 0,
        ])
      }
    }
    guard let kept else { return }
    // The newest row stays, so that no number is given twice.
    let old = "number < (SELECT max(number) FROM audit)"
    try db.execute(
      sql: "DELETE FROM audit WHERE time < ? AND \(old)", arguments: [milliseconds(kept.now - kept.bounds.age)])
    for (change, count) in [(1, kept.bounds.count), (0, kept.bounds.countOfOthers)] {
      try db.execute(
        sql: """
          DELETE FROM audit WHERE change = ? AND \(old) AND number <=
            (SELECT number FROM audit WHERE change = ? ORDER BY number DESC LIMIT 1 OFFSET ?)
          """, arguments: [change, change, count])
    }
  }

  package func audit(
    _ filter: AuditFilter, _ page: AuditPage, limit: Int
  ) async throws(StoreError) -> [AuditEntry] {
    try await translating {
      try await pool.read { db in
        var conditions = ["1"]
        var arguments: StatementArguments = []
        let order: String
        switch page {
        case .before(let number):
          conditions.append("number < ?")
          arguments += [number ?? Int.max]
          order = "DESC"
        case .after(let number):
          conditions.append("number > ?")
          arguments += [number]
          order = "ASC"
        }
        if let who = filter.who {
          conditions.append("(who = ? OR name = ?)")
          arguments += [who, who]
        }
        if let resource = filter.resource {
          conditions.append("(resource = ? OR substr(resource, 1, length(?) + 1) = ? || '/')")
          arguments += [resource, resource, resource]
        }
        if let since = filter.since {
          conditions.append("time >= ?")
          arguments += [Self.milliseconds(since)]
        }
        arguments += [limit]
        return try Row.fetchAll(
          db,
          sql: "SELECT * FROM audit WHERE \(conditions.joined(separator: " AND ")) ORDER BY number \(order) LIMIT ?",
          arguments: arguments
        ).map(Self.auditEntry)
      }
    }
  }

  private static func auditEntry(_ row: Row) -> AuditEntry {
    var entry = AuditEntry(
      time: date(row["time"]), who: row["who"], name: row["name"], method: row["method"], path: row["path"],
      resource: row["resource"], requestID: row["request_id"], status: row["status"], before: row["before"],
      after: row["after"], isChange: row["change"])
    entry.number = row["number"]
    return entry
  }
}
