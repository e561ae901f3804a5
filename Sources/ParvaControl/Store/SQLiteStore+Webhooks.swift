import Foundation
import GRDB
import ParvaFormats

/// Rows of subscribers, of what they are to be told, and of what they could not be told.
extension SQLiteStore {
  static func write(webhooks: [String: WebhookRecord?], progress: [String: WebhookProgress], _ db: Database) throws {
    for (id, record) in webhooks.sorted(by: { $0.key < $1.key }) {
      guard let record else {
        for (table, column) in [("webhook", "id"), ("webhook_progress", "id"), ("dead_letter", "webhook")] {
          try db.execute(sql: "DELETE FROM \(table) WHERE \(column) = ?", arguments: [id])
        }
        continue
      }
      let wish = record.wish
      try db.execute(
        sql: """
          INSERT OR REPLACE INTO webhook
            (id, name, url, types, selector, enabled, retry_seconds, secret, older_secret, older_until, revision,
             created_at, updated_at, created_by)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          id, wish.name, wish.url, wish.types.map(\.rawValue).joined(separator: " "), wish.selector, wish.isEnabled,
          wish.retrySeconds, record.secret.value, record.older?.secret.value,
          record.older.map { milliseconds($0.until) }, record.revision, milliseconds(record.createdAt),
          milliseconds(record.updatedAt), record.createdBy,
        ])
    }
    for (id, progress) in progress.sorted(by: { $0.key < $1.key }) {
      // One of a subscriber that has gone meanwhile is left out.
      try db.cachedStatement(
        sql: """
          INSERT OR REPLACE INTO webhook_progress (id, progress)
          SELECT id, ? FROM webhook WHERE id = ?
          """
      ).execute(arguments: [try JSONEncoder().encode(progress), id])
    }
  }

  static func webhooks(_ db: Database) throws -> [(record: WebhookRecord, progress: WebhookProgress)] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT webhook.*, webhook_progress.progress FROM webhook LEFT JOIN webhook_progress USING (id) ORDER BY id
        """
    ).map { row in
      let id: String = row["id"]
      let types: String = row["types"]
      let (older, until): (String?, Int64?) = (row["older_secret"], row["older_until"])
      let progress: Data? = row["progress"]
      guard let progress, let progress = try? JSONDecoder().decode(WebhookProgress.self, from: progress) else {
        throw StoreError(.corrupt, "The store's subscriber \(id) cannot be read.")
      }
      let secret: String = row["secret"]
      let record = WebhookRecord(
        id: id,
        wish: WebhookRecord.Wish(
          name: row["name"], url: row["url"],
          types: types.split(separator: " ").compactMap { WebhookEventType(rawValue: String($0)) },
          selector: row["selector"], isEnabled: row["enabled"], retrySeconds: row["retry_seconds"]),
        secret: NodeSecret(secret),
        older: older.flatMap { older in
          until.map { WebhookRecord.OlderSecret(secret: NodeSecret(older), until: date($0)) }
        },
        revision: row["revision"], createdAt: date(row["created_at"]), updatedAt: date(row["updated_at"]),
        createdBy: row["created_by"])
      return (record, progress)
    }
  }

  // MARK: - Events

  static func write(webhookEvents events: [WebhookEvent], _ db: Database) throws {
    guard !events.isEmpty else { return }
    let add = try db.cachedStatement(
      sql:
        "INSERT INTO webhook_event (time, type, namespace, labels, data) VALUES (?, ?, ?, ?, ?)")
    for event in events {
      try add.execute(arguments: [
        milliseconds(event.time), event.type.rawValue, event.namespace, try JSONEncoder().encode(event.labels),
        event.data,
      ])
    }
    // The newest rows stay, so that no number is given twice.
    try db.cachedStatement(
      sql: "DELETE FROM webhook_event WHERE number <= (SELECT max(number) FROM webhook_event) - ?"
    ).execute(arguments: [StoreBatch.mostWebhookEvents])
  }

  package func webhookEvents(after number: Int, limit: Int) async throws(StoreError) -> WebhookEventPage {
    try await translating {
      try await pool.read { db in
        let bounds = try Row.fetchOne(db, sql: "SELECT min(number) AS oldest, max(number) AS newest FROM webhook_event")
        let events = try Row.fetchAll(
          db, sql: "SELECT * FROM webhook_event WHERE number > ? ORDER BY number LIMIT ?", arguments: [number, limit]
        ).map { row in
          var event = try Self.event(row, number: row["number"])
          event.namespace = row["namespace"]
          return event
        }
        let (oldest, newest): (Int?, Int?) = (bounds?["oldest"], bounds?["newest"])
        return WebhookEventPage(events: events, oldest: oldest ?? 1, newest: newest ?? 0)
      }
    }
  }

  package func webhookEventCount(after number: Int, in namespace: String) async throws(StoreError) -> Int {
    try await translating {
      try await pool.read { db in
        try Int.fetchOne(
          db, sql: "SELECT count(*) FROM webhook_event WHERE number > ? AND namespace = ?",
          arguments: [number, namespace]) ?? 0
      }
    }
  }

  private static func event(_ row: Row, number: Int) throws -> WebhookEvent {
    let (type, labels): (String, Data) = (row["type"], row["labels"])
    guard let type = WebhookEventType(rawValue: type),
      let labels = try? JSONDecoder().decode([String: String].self, from: labels)
    else { throw StoreError(.corrupt, "The store's event \(number) for subscribers cannot be read.") }
    var event = WebhookEvent(time: date(row["time"]), type: type, labels: labels, data: row["data"])
    event.number = number
    return event
  }

  // MARK: - What was given up

  static func write(deadLetters changes: DeadLetterChanges, _ db: Database) throws {
    for letter in changes.added {
      try db.execute(
        sql: """
          INSERT INTO dead_letter (webhook, message, event, time, type, labels, data, attempts, code, at, due)
          SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM webhook WHERE id = ?
          """,
        arguments: [
          letter.message, letter.event.number, milliseconds(letter.event.time), letter.event.type.rawValue,
          try JSONEncoder().encode(letter.event.labels), letter.event.data, letter.attempts, letter.code,
          milliseconds(letter.at), letter.isDue, letter.webhook,
        ])
    }
    for owner in Set(changes.added.map(\.webhook)) {
      try db.execute(
        sql: """
          DELETE FROM dead_letter WHERE webhook = :owner AND number <=
            (SELECT number FROM dead_letter WHERE webhook = :owner ORDER BY number DESC LIMIT 1 OFFSET :most)
          """, arguments: ["owner": owner, "most": DeadLetterChanges.most])
    }
    for number in changes.removed {
      try db.execute(sql: "DELETE FROM dead_letter WHERE number = ?", arguments: [number])
    }
    for (number, isDue) in changes.due.sorted(by: { $0.key < $1.key }) {
      try db.execute(sql: "UPDATE dead_letter SET due = ? WHERE number = ?", arguments: [isDue, number])
    }
    for (number, code) in changes.retried.sorted(by: { $0.key < $1.key }) {
      try db.execute(
        sql: "UPDATE dead_letter SET due = 0, attempts = attempts + 1, code = ? WHERE number = ?",
        arguments: [code, number])
    }
  }

  package func deadLetters(
    of webhook: String, before number: Int?, limit: Int
  ) async throws(StoreError) -> [DeadLetter] {
    try await letters(
      "webhook = ? AND number < ? ORDER BY number DESC LIMIT ?", [webhook, number ?? Int.max, limit])
  }

  package func dueLetters(of webhook: String, limit: Int) async throws(StoreError) -> [DeadLetter] {
    try await letters("webhook = ? AND due ORDER BY number LIMIT ?", [webhook, limit])
  }

  private func letters(
    _ condition: String, _ arguments: StatementArguments
  ) async throws(StoreError) -> [DeadLetter] {
    try await translating {
      try await pool.read { db in
        try Row.fetchAll(db, sql: "SELECT * FROM dead_letter WHERE \(condition)", arguments: arguments).map { row in
          var letter = DeadLetter(
            webhook: row["webhook"], message: row["message"], event: try Self.event(row, number: row["event"]),
            attempts: row["attempts"], code: row["code"], at: Self.date(row["at"]), isDue: row["due"])
          letter.number = row["number"]
          letter.event.namespace = Namespace.isQualified(letter.webhook) ? Namespace.of(letter.webhook) : nil
          return letter
        }
      }
    }
  }
}
