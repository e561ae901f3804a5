import Foundation
import GRDB

/// Rows of workloads, profiles and claims.
extension SQLiteStore {
  static func write(demand batch: StoreBatch, _ db: Database) throws {
    if let revision = batch.demandRevision {
      try db.execute(
        sql:
          "INSERT INTO meta (name, value) VALUES ('demand_revision', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        arguments: [revision])
    }
    try write(registrations: batch.registrations, db)
    try write(profiles: batch.profiles, db)
    try write(namespaces: batch.namespaces, db)
    for claim in batch.claims {
      try db.execute(
        sql: "INSERT OR REPLACE INTO idempotency (key, fingerprint, demand_revision, created_at) VALUES (?, ?, ?, ?)",
        arguments: [
          claim.claim.key, Int64(bitPattern: claim.claim.fingerprint), claim.revision, milliseconds(claim.time),
        ])
    }
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
    // In order of id, so that a large batch appends to the table's tree instead of splitting it everywhere.
    for (id, registration) in registrations.sorted(by: { $0.key < $1.key }) {
      if let registration {
        try set.execute(arguments: [
          id, RegistrationCodec.data(registration.workload), registration.revision,
          milliseconds(registration.createdAt), milliseconds(registration.updatedAt),
        ])
      } else {
        try remove.execute(arguments: [id])
      }
    }
  }

  static func demand(_ db: Database) throws -> Demand {
    Demand(
      revision: try Int.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'demand_revision'") ?? 0,
      registrations: RegistrationTable(try registrations(db)), profiles: try profiles(db),
      namespaces: try namespaces(db))
  }

  static func registrations(_ db: Database) throws -> [Registration] {
    return try Row.fetchAll(db, sql: "SELECT * FROM workload ORDER BY id").map { row in
      let id: String = row["id"]
      return Registration(
        try RegistrationCodec.workload(row["spec"], id: id), revision: row["revision"],
        createdAt: date(row["created_at"]), updatedAt: date(row["updated_at"]))
    }
  }

  private static func write(profiles: [ProfileKey: StoredProfile?], _ db: Database) throws {
    for (key, stored) in profiles.sorted(by: { $0.key < $1.key }) {
      if let stored {
        try db.execute(
          sql: """
            INSERT INTO profile (namespace, model, product, spec, revision) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET spec = excluded.spec, revision = excluded.revision
            """,
          arguments: [
            key.namespace ?? "", key.model, key.product, ProfileCodec.data(stored.profile), stored.revision,
          ])
      } else {
        try db.execute(
          sql: "DELETE FROM profile WHERE namespace = ? AND model = ? AND product = ?",
          arguments: [key.namespace ?? "", key.model, key.product])
      }
    }
  }

  private static func write(namespaces: [String: NamespaceRecord?], _ db: Database) throws {
    for (name, record) in namespaces.sorted(by: { $0.key < $1.key }) {
      guard let record else {
        try db.execute(sql: "DELETE FROM namespace WHERE name = ?", arguments: [name])
        // Keys of its requests begin with its name and a space, which no name and no key has. Who comes after it under its
        // name has other requests.
        try db.execute(sql: "DELETE FROM idempotency WHERE key >= ? AND key < ?", arguments: [name + " ", name + "!"])
        continue
      }
      try db.cachedStatement(
        sql: """
          INSERT OR REPLACE INTO namespace
            (name, gpus, workloads, rate, weight, revision, contents, created_at, updated_at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
          """
      ).execute(arguments: [
        name, record.quota.gpus, record.quota.workloads, record.quota.rate, record.weight, record.revision,
        record.contents, milliseconds(record.createdAt), milliseconds(record.updatedAt),
      ])
    }
  }

  static func namespaces(_ db: Database) throws -> [NamespaceRecord] {
    try Row.fetchAll(db, sql: "SELECT * FROM namespace").map { row in
      NamespaceRecord(
        name: row["name"], quota: NamespaceQuota(gpus: row["gpus"], workloads: row["workloads"], rate: row["rate"]),
        weight: row["weight"],
        revision: row["revision"], contents: row["contents"], createdAt: date(row["created_at"]),
        updatedAt: date(row["updated_at"]))
    }
  }

  static func profiles(_ db: Database) throws -> [ProfileKey: StoredProfile] {
    var profiles: [ProfileKey: StoredProfile] = [:]
    for row in try Row.fetchAll(db, sql: "SELECT * FROM profile") {
      let namespace: String = row["namespace"]
      let key = ProfileKey(
        model: row["model"], product: row["product"], namespace: namespace.isEmpty ? nil : namespace)
      profiles[key] = StoredProfile(try ProfileCodec.profile(row["spec"], key), revision: row["revision"])
    }
    return profiles
  }
}
