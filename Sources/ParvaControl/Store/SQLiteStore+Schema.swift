import GRDB

extension SQLiteStore {
  /// The tables and how older files become today's. A published step never changes; a new one is added below it.
  enum Schema {
    static func migrate(_ pool: DatabasePool, path: String) throws {
      try pool.read { try refuseNewer($0, path: path) }
      try migrator.migrate(pool)
    }

    /// - Throws: `store_too_new`.
    static func refuseNewer(_ db: Database, path: String) throws {
      if try migrator.hasBeenSuperseded(db) {
        throw StoreError(.tooNew, "The store \(path) was written by a newer version of Parva; run that version.")
      }
    }

    static var migrator: DatabaseMigrator {
      var migrator = DatabaseMigrator()
      migrator.registerMigration("1 workloads, profiles, plans, idempotency") { db in
        try db.execute(
          sql: """
            CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE workload (
              id TEXT PRIMARY KEY, spec BLOB NOT NULL, revision INTEGER NOT NULL,
              created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE profile (
              model TEXT NOT NULL, product TEXT NOT NULL, spec BLOB NOT NULL, revision INTEGER NOT NULL,
              PRIMARY KEY (model, product)) STRICT, WITHOUT ROWID;
            CREATE TABLE plan (
              revision INTEGER PRIMARY KEY, demand_revision INTEGER NOT NULL, created_at INTEGER NOT NULL,
              planner TEXT NOT NULL, status TEXT NOT NULL, gpus INTEGER NOT NULL, unplaced INTEGER NOT NULL,
              document BLOB NOT NULL) STRICT;
            CREATE TABLE idempotency (
              key TEXT PRIMARY KEY, fingerprint INTEGER NOT NULL, demand_revision INTEGER NOT NULL,
              created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            CREATE INDEX idempotency_age ON idempotency (created_at);
            """)
      }
      migrator.registerMigration("2 nodes, operations, slices of plans") { db in
        try db.execute(
          sql: """
            CREATE TABLE node (
              name TEXT PRIMARY KEY, address TEXT NOT NULL, secret TEXT, secret_reference TEXT, zone TEXT,
              labels BLOB NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
              draining INTEGER NOT NULL, unreachable INTEGER NOT NULL, state BLOB, heard_at INTEGER)
              STRICT, WITHOUT ROWID;
            CREATE TABLE removed_node (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
            CREATE TABLE operation (
              number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, plan_revision INTEGER NOT NULL,
              created_at INTEGER NOT NULL, over INTEGER NOT NULL, claim TEXT, fingerprint INTEGER,
              document BLOB NOT NULL) STRICT;
            CREATE INDEX operation_claim ON operation (claim) WHERE claim IS NOT NULL;
            ALTER TABLE plan ADD COLUMN slices BLOB NOT NULL DEFAULT x'';
            """)
      }
      migrator.registerMigration("3 packed plans, probe") { db in
        try db.execute(
          sql: """
            ALTER TABLE plan ADD COLUMN form INTEGER NOT NULL DEFAULT 0;
            CREATE TABLE probe (id INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
            """)
      }
      migrator.registerMigration("4 states, assignments and progress in rows of their own") { db in
        try db.execute(
          sql: """
            CREATE TABLE node_state (name TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
            INSERT INTO node_state SELECT name, state FROM node WHERE state IS NOT NULL;
            ALTER TABLE node DROP COLUMN state;
            ALTER TABLE node ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
            UPDATE node SET lost = unreachable;
            CREATE TABLE node_assignment (name TEXT PRIMARY KEY, wanted BLOB NOT NULL) STRICT, WITHOUT ROWID;
            ALTER TABLE operation ADD COLUMN head BLOB NOT NULL DEFAULT x'';
            CREATE TABLE operation_node (
              operation TEXT NOT NULL, name TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (operation, name))
              STRICT, WITHOUT ROWID;
            """)
      }
      migrator.registerMigration("5 duty of nodes") { db in
        try db.execute(sql: "ALTER TABLE node ADD COLUMN duty TEXT NOT NULL DEFAULT 'in_service'")
      }
      migrator.registerMigration("6 servers that somebody else has started") { db in
        try db.execute(
          sql: "CREATE TABLE told_segment (id TEXT PRIMARY KEY, servers BLOB NOT NULL) STRICT, WITHOUT ROWID;")
      }
      migrator.registerMigration("7 tokens") { db in
        try db.execute(
          sql: """
            CREATE TABLE token (
              id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, node TEXT, digest BLOB NOT NULL UNIQUE,
              created_at INTEGER NOT NULL, created_by TEXT NOT NULL, expires_at INTEGER, last_used_at INTEGER)
              STRICT, WITHOUT ROWID;
            """)
      }
      migrator.registerMigration("8 audit") { db in
        try db.execute(
          sql: """
            CREATE TABLE audit (
              number INTEGER PRIMARY KEY, time INTEGER NOT NULL, who TEXT NOT NULL, name TEXT NOT NULL,
              method TEXT NOT NULL, path TEXT NOT NULL, resource TEXT NOT NULL, request_id TEXT NOT NULL,
              status INTEGER NOT NULL, before TEXT, after TEXT, change INTEGER NOT NULL) STRICT;
            CREATE INDEX audit_others ON audit (number) WHERE NOT change;
            CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
              BEGIN SELECT RAISE (ABORT, 'rows of the audit are never changed'); END;
            """)
      }
      migrator.registerMigration("9 why plans were made, and which one stays") { db in
        try db.execute(
          sql: """
            ALTER TABLE plan ADD COLUMN cause BLOB NOT NULL DEFAULT x'';
            CREATE TABLE plan_pin (revision INTEGER PRIMARY KEY, reason TEXT NOT NULL, since INTEGER NOT NULL) STRICT;
            """)
      }
      migrator.registerMigration("10 what the nodes offered to a plan") { db in
        try db.execute(sql: "ALTER TABLE plan ADD COLUMN fleet INTEGER")
      }
      migrator.registerMigration("11 proven bounds of plans") { db in
        try db.execute(sql: "ALTER TABLE plan ADD COLUMN bound REAL")
      }
      migrator.registerMigration("12 subscribers") { db in
        try db.execute(
          sql: """
            CREATE TABLE webhook (
              id TEXT PRIMARY KEY, name TEXT NOT NULL, url TEXT NOT NULL, types TEXT NOT NULL, selector TEXT,
              enabled INTEGER NOT NULL, retry_seconds INTEGER NOT NULL, secret TEXT NOT NULL, older_secret TEXT,
              older_until INTEGER, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
              created_by TEXT NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE webhook_progress (id TEXT PRIMARY KEY, progress BLOB NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE webhook_event (
              number INTEGER PRIMARY KEY, time INTEGER NOT NULL, type TEXT NOT NULL, labels BLOB NOT NULL,
              data BLOB NOT NULL) STRICT;
            CREATE TABLE dead_letter (
              number INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, message TEXT NOT NULL,
              event INTEGER NOT NULL, time INTEGER NOT NULL, type TEXT NOT NULL, labels BLOB NOT NULL,
              data BLOB NOT NULL, attempts INTEGER NOT NULL, code TEXT NOT NULL, at INTEGER NOT NULL,
              due INTEGER NOT NULL) STRICT;
            CREATE INDEX dead_letter_owner ON dead_letter (webhook, number);
            """)
      }
      migrator.registerMigration("13 namespaces") { db in
        try db.execute(
          sql: """
            CREATE TABLE namespace (
              name TEXT PRIMARY KEY, gpus REAL, workloads INTEGER, rate REAL, revision INTEGER NOT NULL,
              contents INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)
              STRICT, WITHOUT ROWID;
            ALTER TABLE token ADD COLUMN namespace TEXT;
            """)
      }
      migrator.registerMigration("14 windows of roll-outs") { db in
        try db.execute(
          sql: "CREATE TABLE rollout_window (name TEXT PRIMARY KEY, spec BLOB NOT NULL) STRICT, WITHOUT ROWID;")
      }
      migrator.registerMigration("15 weights of namespaces") { db in
        try db.execute(sql: "ALTER TABLE namespace ADD COLUMN weight REAL NOT NULL DEFAULT 1")
      }
      migrator.registerMigration("16 profiles and events of namespaces") { db in
        // An empty namespace is everybody's.
        try db.execute(
          sql: """
            ALTER TABLE profile RENAME TO shared_profile;
            CREATE TABLE profile (
              namespace TEXT NOT NULL, model TEXT NOT NULL, product TEXT NOT NULL, spec BLOB NOT NULL,
              revision INTEGER NOT NULL, PRIMARY KEY (namespace, model, product)) STRICT, WITHOUT ROWID;
            INSERT INTO profile SELECT '', model, product, spec, revision FROM shared_profile;
            DROP TABLE shared_profile;
            ALTER TABLE webhook_event ADD COLUMN namespace TEXT;
            """)
      }
      migrator.registerMigration("19 what is known of capacities") { db in
        try db.execute(
          sql: """
            CREATE TABLE capacity (
              number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, facts BLOB NOT NULL) STRICT;
            """)
      }
      return migrator
    }
  }
}
