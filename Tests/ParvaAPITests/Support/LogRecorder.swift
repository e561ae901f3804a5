import Logging
import Synchronization

/// Keeps what was logged.
final class LogRecorder: LogHandler {
  struct Line: Sendable {
    let level: Logger.Level
    let message: String
    let metadata: [String: String]
  }

  private let kept = Mutex<[Line]>([])

  var lines: [Line] { kept.withLock { $0 } }

  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .info }
    set {}
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) {
    let line = Line(
      level: event.level, message: event.message.description,
      metadata: (event.metadata ?? [:]).mapValues(\.description))
    kept.withLock { $0.append(line) }
  }
}
