import Foundation
import ParvaControl
import ParvaFormats
import ParvaWire

/// Subscribers, tries and what was given up, as they are told.
enum WebhookRepresentation {
  static func document(
    _ standing: WebhookRegistry.Standing, to space: Space = .everything, secret: String? = nil
  ) -> WebhookDocument {
    let (record, progress) = (standing.record, standing.progress)
    var status = WebhookDocument.Status(
      state: standing.state.rawValue, failures: progress.failures, waiting: standing.waiting)
    status.failingSince = progress.failingSince.map(Timestamp.text)
    status.nextTryAt = progress.nextTry.map(Timestamp.text)
    status.lastDeliveredAt = progress.lastSuccess.map(Timestamp.text)
    status.oldestWaitingAt = standing.oldest.map(Timestamp.text)
    status.olderSecretUntil = record.older.map { Timestamp.text($0.until) }
    return WebhookDocument(
      id: space.told(record.id), name: record.wish.name, url: record.wish.url, types: record.wish.types.map(\.rawValue),
      labelSelector: record.wish.selector, enabled: record.wish.isEnabled, retrySeconds: record.wish.retrySeconds,
      revision: record.revision, createdAt: Timestamp.text(record.createdAt),
      updatedAt: Timestamp.text(record.updatedAt), createdBy: record.createdBy, status: status, secret: secret)
  }

  /// What is declared of one, all defaults written out.
  static func spec(_ wish: WebhookRecord.Wish) -> JSONValue {
    var members: [String: JSONValue] = [
      "name": .string(wish.name), "url": .string(wish.url),
      "types": .list(wish.types.map { .string($0.rawValue) }), "enabled": .bool(wish.isEnabled),
      "retrySeconds": .number(Double(wish.retrySeconds)),
    ]
    members["labelSelector"] = wish.selector.map { .string($0) }
    return .object(members)
  }

  static func document(_ made: WebhookSender.Try) -> WebhookTryDocument {
    WebhookTryDocument(
      message: made.message, type: made.type, at: Timestamp.text(made.at), durationSeconds: made.seconds,
      attempt: made.attempt, delivered: made.isDelivered, code: made.code, status: made.status, detail: made.detail)
  }

  static func list(_ letters: [DeadLetter], next: String?) -> Data {
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.array("deadLetters") { list in
        for letter in letters {
          list.object(inline: true) { object in
            object.field("number", letter.number)
            object.field("message", letter.message)
            object.field("type", letter.event.type.rawValue)
            object.field("happenedAt", Timestamp.text(letter.event.time))
            object.field("givenUpAt", Timestamp.text(letter.at))
            object.field("attempts", letter.attempts)
            object.field("code", letter.code)
            object.field("due", letter.isDue)
            object.field("body", String(decoding: WebhookSender.body(letter.event), as: UTF8.self))
          }
        }
      }
      root.field("nextCursor", next)
    }
    writer.finish()
    return Data(writer.bytes)
  }
}
