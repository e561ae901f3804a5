import Foundation
import GRDB

/// Rows of nodes and operations.
extension SQLiteStore {
  static func write(nodes: [String: NodeRecord?], removed: [String: Bool], _ db: Database) throws {
    for (name, isRemoved) in removed.sorted(by: { $0.key < $1.key }) {
      try db.execute(
        sql: isRemoved
          ? "INSERT OR IGNORE INTO removed_node (name) VALUES (?)" : "DELETE FROM removed_node WHERE name = ?",
        arguments: [name])
    }
    for (name, node) in nodes.sorted(by: { $0.key < $1.key }) {
      guard let node else {
        try db.execute(sql: "DELETE FROM node WHERE name = ?", arguments: [name])
        continue
      }
      try db.execute(
        sql: """
          INSERT OR REPLACE INTO node (name, address, secret, secret_reference, zone, labels, revision, created_at,
            updated_at, draining, unreachable, state, heard_at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          name, node.address, node.secret?.value, node.secretReference, node.zone,
          try NodeCodec.data(labels: node.labels),
          node.revision, milliseconds(node.createdAt), milliseconds(node.updatedAt), node.isDraining ? 1 : 0,
          node.isUnreachable ? 1 : 0, try node.settled.map { try NodeCodec.data(state: $0) },
          node.heardAt.map(milliseconds),
        ])
    }
  }

  static func nodes(_ db: Database) throws -> [NodeRecord] {
    return try Row.fetchAll(db, sql: "SELECT * FROM node ORDER BY name").map { row in
      let name: String = row["name"]
      let state: Data? = row["state"]
      let heard: Int64? = row["heard_at"]
      let secret: String? = row["secret"]
      return NodeRecord(
        name: name, address: row["address"], secret: secret.map(NodeSecret.init),
        secretReference: row["secret_reference"], zone: row["zone"],
        labels: try NodeCodec.labels(row["labels"], node: name), revision: row["revision"],
        createdAt: date(row["created_at"]), updatedAt: date(row["updated_at"]), isDraining: row["draining"],
        isUnreachable: row["unreachable"], state: try state.map { try NodeCodec.state($0, node: name) },
        heardAt: heard.map(date))
    }
  }

  static func write(operations: [StoredOperation], kept: Int?, _ db: Database) throws {
    for operation in operations {
      try db.execute(
        sql: """
          INSERT INTO operation (id, plan_revision, created_at, over, claim, fingerprint, document)
          VALUES (?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT (id) DO UPDATE SET over = excluded.over, document = excluded.document
          """,
        arguments: [
          operation.id, operation.planRevision, milliseconds(operation.createdAt), operation.isOver ? 1 : 0,
          operation.claim?.key, operation.claim.map { Int64(bitPattern: $0.fingerprint) }, operation.document,
        ])
    }
    if let kept {
      try db.execute(
        sql: """
          DELETE FROM operation WHERE over AND number <= (SELECT max(number) FROM operation) - ?
          """, arguments: [kept])
    }
  }

  static func operation(_ row: Row) -> StoredOperation {
    let claim: String? = row["claim"]
    let fingerprint: Int64? = row["fingerprint"]
    return StoredOperation(
      id: row["id"], planRevision: row["plan_revision"], createdAt: date(row["created_at"]), isOver: row["over"],
      claim: claim.map { IdempotencyClaim(key: $0, fingerprint: UInt64(bitPattern: fingerprint ?? 0)) },
      document: row["document"])
  }
}
