import ArgumentParser
import Logging
import ParvaServing

/// What is logged, and how it is written.
struct LogOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, json
  }

  @Option(
    name: .long, help: "Least level that is logged: \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")).")
  var logLevel = Logger.Level.info.rawValue

  @Option(name: .long, help: "How the log is written: text, or json for one object a line.")
  var logFormat = Format.text

  func validate() throws {
    guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("Unknown log level '\(logLevel)'.") }
  }

  func logger(_ label: String) -> Logger {
    var logger =
      switch logFormat {
      case .text: Logger(label: label) { StreamLogHandler.standardError(label: $0) }
      case .json: Logger(label: label) { JSONLogHandler(label: $0) }
      }
    logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
    return logger
  }

  /// Says to who has started the process what they wait for: as a sentence, or as an event where every line is one.
  func announce(_ sentence: String, _ event: () -> Void) {
    switch logFormat {
    case .text: Console.error(sentence)
    case .json: event()
    }
  }
}
