import GRDB

extension SQLiteStore {
  /// The tables and how older files become today's. A published step never changes; a new one is added below it.
  enum Schema {
    static func migrate(_ pool: DatabasePool, path: String) throws {
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
      if try pool.read(migrator.hasBeenSuperseded) {
        throw StoreError(.tooNew, "The store \(path) was written by a newer version of Parva; run that version.")
      }
      try migrator.migrate(pool)
    }
  }
}
