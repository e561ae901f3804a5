import Foundation
import GRDB
import ParvaWire

/// Rows of nodes and operations. What is large and what changes often stand in different rows.
extension SQLiteStore {
  static func write(nodes: [String: NodeRecord?], removed: [String: Bool], _ db: Database) throws {
    for (name, isRemoved) in removed.sorted(by: { $0.key < $1.key }) {
      try db.execute(
        sql: isRemoved
          ? "INSERT OR IGNORE INTO removed_node (name) VALUES (?)" : "DELETE FROM removed_node WHERE name = ?",
        arguments: [name])
    }
    guard !nodes.isEmpty else { return }
    let set = try db.cachedStatement(
      sql: """
        INSERT OR REPLACE INTO node (name, address, secret, secret_reference, zone, labels, revision, created_at,
          updated_at, draining, unreachable, lost, heard_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    for (name, node) in nodes.sorted(by: { $0.key < $1.key }) {
      guard let node else {
        for table in ["node", "node_state", "node_assignment"] {
          try db.execute(sql: "DELETE FROM \(table) WHERE name = ?", arguments: [name])
        }
        continue
      }
      try set.execute(arguments: [
        name, node.address, node.secret?.value, node.secretReference, node.zone,
        try NodeCodec.data(labels: node.labels),
        node.revision, milliseconds(node.createdAt), milliseconds(node.updatedAt), node.isDraining ? 1 : 0,
        node.isUnreachable ? 1 : 0, node.isLost ? 1 : 0, node.heardAt.map(milliseconds),
      ])
    }
  }

  static func write(states: [String: NodeStateDocument], assignments: [String: NodeAssignment], _ db: Database) throws {
    for (name, state) in states.sorted(by: { $0.key < $1.key }) {
      try db.cachedStatement(sql: "INSERT OR REPLACE INTO node_state (name, state) VALUES (?, ?)")
        .execute(arguments: [name, try NodeCodec.data(state: state)])
    }
    for (name, wanted) in assignments.sorted(by: { $0.key < $1.key }) {
      try db.cachedStatement(sql: "INSERT OR REPLACE INTO node_assignment (name, wanted) VALUES (?, ?)")
        .execute(arguments: [name, try NodeCodec.data(assignment: wanted)])
    }
  }

  static func write(toldSegments: [String: ToldSegment?], _ db: Database) throws {
    for (id, told) in toldSegments.sorted(by: { $0.key < $1.key }) {
      if let told {
        try db.execute(
          sql: "INSERT OR REPLACE INTO told_segment (id, servers) VALUES (?, ?)",
          arguments: [id, try NodeCodec.data(told: told)])
      } else {
        try db.execute(sql: "DELETE FROM told_segment WHERE id = ?", arguments: [id])
      }
    }
  }

  static func toldSegments(_ db: Database) throws -> [String: ToldSegment] {
    var told: [String: ToldSegment] = [:]
    for row in try Row.fetchAll(db, sql: "SELECT id, servers FROM told_segment ORDER BY id") {
      let id: String = row["id"]
      told[id] = try NodeCodec.told(row["servers"], segment: id)
    }
    return told
  }

  static func nodes(_ db: Database) throws -> [NodeRecord] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT node.*, state, wanted FROM node LEFT JOIN node_state USING (name) LEFT JOIN node_assignment USING (name)
        ORDER BY name
        """
    ).map { row in
      let name: String = row["name"]
      let state: Data? = row["state"]
      let wanted: Data? = row["wanted"]
      let heard: Int64? = row["heard_at"]
      let secret: String? = row["secret"]
      return NodeRecord(
        name: name, address: row["address"], secret: secret.map(NodeSecret.init),
        secretReference: row["secret_reference"], zone: row["zone"],
        labels: try NodeCodec.labels(row["labels"], node: name), revision: row["revision"],
        createdAt: date(row["created_at"]), updatedAt: date(row["updated_at"]), isDraining: row["draining"],
        isUnreachable: row["unreachable"], isLost: row["lost"],
        state: try state.map { try NodeCodec.state($0, node: name) }, heardAt: heard.map(date),
        applied: try wanted.map { try NodeCodec.assignment($0, node: name) })
    }
  }

  static func write(
    operations: [StoredOperation], progress: [String: OperationProgress], kept: Int?, _ db: Database
  ) throws {
    for operation in operations {
      try db.execute(
        sql: """
          INSERT INTO operation (id, plan_revision, created_at, over, claim, fingerprint, document, head)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          operation.id, operation.planRevision, milliseconds(operation.createdAt), operation.progress.isOver ? 1 : 0,
          operation.claim?.key, operation.claim.map { Int64(bitPattern: $0.fingerprint) }, operation.document,
          operation.progress.head,
        ])
      try write(nodes: operation.progress.nodes, of: operation.id, db)
    }
    for (id, progress) in progress.sorted(by: { $0.key < $1.key }) {
      try db.execute(
        sql: "UPDATE operation SET over = ?, head = ? WHERE id = ?",
        arguments: [progress.isOver ? 1 : 0, progress.head, id])
      if db.changesCount > 0 { try write(nodes: progress.nodes, of: id, db) }
    }
    guard let kept else { return }
    let old = "SELECT id FROM operation WHERE over AND number <= (SELECT max(number) FROM operation) - ?"
    try db.execute(sql: "DELETE FROM operation_node WHERE operation IN (\(old))", arguments: [kept])
    try db.execute(sql: "DELETE FROM operation WHERE id IN (\(old))", arguments: [kept])
  }

  private static func write(nodes: [String: Data], of operation: String, _ db: Database) throws {
    for (name, document) in nodes.sorted(by: { $0.key < $1.key }) {
      try db.cachedStatement(
        sql: "INSERT OR REPLACE INTO operation_node (operation, name, document) VALUES (?, ?, ?)"
      ).execute(arguments: [operation, name, document])
    }
  }

  static func operation(_ row: Row, _ db: Database) throws -> StoredOperation {
    let id: String = row["id"]
    let claim: String? = row["claim"]
    let fingerprint: Int64? = row["fingerprint"]
    var nodes: [String: Data] = [:]
    for row in try Row.fetchAll(
      db, sql: "SELECT name, document FROM operation_node WHERE operation = ?", arguments: [id])
    {
      nodes[row["name"]] = row["document"]
    }
    return StoredOperation(
      id: id, planRevision: row["plan_revision"], createdAt: date(row["created_at"]),
      claim: claim.map { IdempotencyClaim(key: $0, fingerprint: UInt64(bitPattern: fingerprint ?? 0)) },
      document: row["document"], progress: OperationProgress(isOver: row["over"], head: row["head"], nodes: nodes))
  }
}
