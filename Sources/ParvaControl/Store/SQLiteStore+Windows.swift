import Foundation
import GRDB
import ParvaFormats

/// Rows of windows.
extension SQLiteStore {
  static func write(windows: [String: RolloutWindow?], _ db: Database) throws {
    for (name, window) in windows.sorted(by: { $0.key < $1.key }) {
      guard let window else {
        try db.execute(sql: "DELETE FROM rollout_window WHERE name = ?", arguments: [name])
        continue
      }
      try db.execute(
        sql: "INSERT OR REPLACE INTO rollout_window (name, spec) VALUES (?, ?)",
        arguments: [name, WindowCodec.data(window)])
    }
  }

  static func windows(_ db: Database) throws -> [RolloutWindow] {
    try Row.fetchAll(db, sql: "SELECT * FROM rollout_window ORDER BY name").map { row in
      try WindowCodec.window(row["spec"], name: row["name"])
    }
  }
}
