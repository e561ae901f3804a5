import Foundation
import GRDB
import ParvaHTTP

/// Rows of tokens.
extension SQLiteStore {
  static func write(tokens: [String: AccessToken?], uses: [String: Date], _ db: Database) throws {
    for (id, token) in tokens.sorted(by: { $0.key < $1.key }) {
      guard let token else {
        try db.execute(sql: "DELETE FROM token WHERE id = ?", arguments: [id])
        continue
      }
      try db.execute(
        sql: """
          INSERT INTO token (id, name, role, node, namespace, digest, created_at, created_by, expires_at, last_used_at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          id, token.name, token.role.rawValue, token.node, token.namespace, Data(token.digest.kept),
          milliseconds(token.createdAt), token.createdBy, token.expiresAt.map(milliseconds),
          token.lastUsedAt.map(milliseconds),
        ])
    }
    for (id, date) in uses.sorted(by: { $0.key < $1.key }) {
      try db.cachedStatement(sql: "UPDATE token SET last_used_at = ? WHERE id = ?")
        .execute(arguments: [milliseconds(date), id])
    }
  }

  static func tokens(_ db: Database) throws -> [AccessToken] {
    try Row.fetchAll(db, sql: "SELECT * FROM token ORDER BY id").map { row in
      let id: String = row["id"]
      let role: String = row["role"]
      let digest: Data = row["digest"]
      let expires: Int64? = row["expires_at"]
      let used: Int64? = row["last_used_at"]
      guard let role = AccessRole(rawValue: role), let digest = SecretDigest(bytes: Array(digest)) else {
        throw StoreError(.corrupt, "The store's token \(id) cannot be read.")
      }
      return AccessToken(
        id: id, name: row["name"], role: role, node: row["node"], namespace: row["namespace"], digest: digest,
        createdAt: date(row["created_at"]), createdBy: row["created_by"], expiresAt: expires.map(date),
        lastUsedAt: used.map(date))
    }
  }
}
