package import Logging
import Synchronization

/// Keeps what was logged.
package final class LogRecorder: LogHandler {
  package struct Line: Sendable {
    package let level: Logger.Level
    package let message: String
    package let metadata: [String: String]
  }

  private let kept = Mutex<[Line]>([])

  package init() {}

  package var lines: [Line] { kept.withLock { $0 } }

  package var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  package var logLevel: Logger.Level {
    get { .info }
    set {}
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  package func log(event: LogEvent) {
    let line = Line(
      level: event.level, message: event.message.description,
      metadata: (event.metadata ?? [:]).mapValues(\.description))
    kept.withLock { $0.append(line) }
  }
}
