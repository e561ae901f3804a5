import Foundation
import ParvaFormats

/// The process's streams.
enum Console {
  /// Writes a result to standard output.
  ///
  /// - Throws: ``CommandFailure`` when it cannot be written, for example to a full disk.
  static func write(_ data: Data) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: data)
    } catch {
      throw CommandFailure(.unexpected, "standard output cannot be written: \(error.localizedDescription)")
    }
  }

  static func write(_ text: String) throws { try write(Data(text.utf8)) }

  /// Into a file that the user named.
  static func write(_ data: Data, toFile file: String) throws {
    do {
      try data.write(to: URL(filePath: file))
    } catch {
      throw CommandFailure(.unexpected, "\(file) cannot be written: \(error.localizedDescription)")
    }
  }

  /// Writes a line for a person to standard error; there is nowhere to say that this failed.
  static func error(_ message: String) {
    try? FileHandle.standardError.write(contentsOf: Data((message + "\n").utf8))
  }

  /// How tables are drawn here: the terminal's width, Unicode where the locale is UTF-8, colour on a terminal unless
  /// `NO_COLOR` is set.
  static func style(ascii: Bool) -> TextStyle {
    let environment = ProcessInfo.processInfo.environment
    let terminal = isatty(STDOUT_FILENO) == 1
    let color = terminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    return TextStyle(width: width(environment, terminal), unicode: !ascii && isUTF8(environment), color: color)
  }

  private static func width(_ environment: [String: String], _ terminal: Bool) -> Int {
    if let columns = environment["COLUMNS"].flatMap(Int.init), columns > 0 { return columns }
    var size = winsize()
    if terminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    return 110
  }

  /// The first of LC_ALL, LC_CTYPE and LANG that is set decides, as POSIX has it.
  private static func isUTF8(_ environment: [String: String]) -> Bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty }
    let codeset = (locale ?? "").lowercased().filter { $0 != "-" }
    return codeset.contains("utf8")
  }
}

/// Times of the stages of a verb, told on standard error when asked for.
struct Stopwatch {
  private let clock = ContinuousClock()
  private var last: ContinuousClock.Instant
  private let enabled: Bool

  init(enabled: Bool) {
    last = clock.now
    self.enabled = enabled
  }

  /// Ends the stage that began with the last call.
  mutating func lap(_ stage: String) {
    let now = clock.now
    if enabled {
      Console.error(
        "\(stage): \((now - last).formatted(.units(allowed: [.milliseconds], fractionalPart: .show(length: 1))))")
    }
    last = now
  }
}
