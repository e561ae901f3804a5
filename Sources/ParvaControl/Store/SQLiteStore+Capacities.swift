import Foundation
import GRDB
import ParvaEngine
import ParvaFormats

/// Rows of what is known of capacities: each a ``CapacityFile`` of its own, so that one that is damaged is found out and left out.
extension SQLiteStore {
  static func write(capacities: CapacityChanges, _ db: Database) throws {
    guard !capacities.isEmpty else { return }
    if capacities.forgetsOthers { try db.execute(sql: "DELETE FROM capacity") }
    for fact in capacities.facts {
      // A row that takes another's place is the newest.
      try db.cachedStatement(sql: "INSERT OR REPLACE INTO capacity (key, facts) VALUES (?, ?)")
        .execute(arguments: [bytes(fact.key), CapacityFile.data([fact])])
    }
    try db.execute(
      sql: """
        DELETE FROM capacity WHERE number <= (
          SELECT max(number) FROM (
            SELECT number, sum(length(facts)) OVER (ORDER BY number DESC) AS bytes FROM capacity)
          WHERE bytes > ?)
        """, arguments: [CapacityChanges.mostBytes])
  }

  static func capacities(_ db: Database) throws -> [CapacityFacts] {
    try Row.fetchAll(db, sql: "SELECT key, facts FROM capacity ORDER BY number").compactMap { row in
      let facts = CapacityFile.facts(row["facts"])
      return facts.count == 1 && bytes(facts[0].key) == row["key"] ? facts[0] : nil
    }
  }

  private static func bytes(_ key: CapacityFacts.Key) -> Data {
    Data([key.high, key.low].flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } })
  }
}
