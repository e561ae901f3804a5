import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP
import ParvaWire

/// `parva window`: when plans may go to nodes by themselves.
struct WindowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "window",
    abstract: "Say when plans may, or may not, be brought to nodes by themselves.",
    discussion: "parva get windows shows them, parva delete window NAME takes one away.",
    subcommands: [Allow.self, Freeze.self])

  struct Allow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "allow",
      abstract: "Set a window in which plans go; where there is one of these, they go in these alone.")

    @OptionGroup var window: WindowOptions

    func validate() throws { try window.check() }

    func run() async throws { try await window.set("allow") }
  }

  struct Freeze: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "freeze",
      abstract: "Set a window in which plans wait, whatever else is allowed.")

    @OptionGroup var window: WindowOptions

    func validate() throws { try window.check() }

    func run() async throws { try await window.set("freeze") }
  }
}

/// A window as options declare it: times of the week, or one span.
struct WindowOptions: ParsableArguments {
  @Argument(help: "Name of the window; one that is there is replaced.", completion: NameCompletion.names("windows"))
  var name: String

  @Option(help: ArgumentHelp("Days on which it begins, as mon,tue or monday (default: all).", valueName: "days"))
  var days: String?

  @Option(help: "When it begins on them, as 22:00.")
  var from: String?

  @Option(help: "When it ends, as 05:00; of the next day where that is not after --from.")
  var to: String?

  @Option(help: "UTC or a name of the IANA database, as Europe/Berlin, whose clock decides.")
  var timeZone: String?

  @Option(help: "When it begins, once, by RFC 3339: 2027-11-20T00:00:00Z.")
  var start: String?

  @Option(help: "When that ends.")
  var end: String?

  @Option(help: "Why, for whoever wonders; at most 500 bytes.")
  var reason: String?

  @Flag(name: .long, help: "Keep waiting what replaces lost capacity, too.")
  var evenLostCapacity = false

  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  /// Whole names of days, of what can only mean one.
  private func names() throws -> [String]? {
    try days?.split(separator: ",", omittingEmptySubsequences: false).map { text in
      let word = text.trimmingCharacters(in: .whitespaces).lowercased()
      let fitting = WeeklyTimesReader.dayNames.filter { $0.hasPrefix(word) }
      guard word.utf8.count >= 2, fitting.count == 1 else {
        throw ValidationError("--days '\(days ?? "")': a day is \(WeeklyTimesReader.dayNames.joined(separator: ", ")).")
      }
      return fitting[0]
    }
  }

  private func spec(_ kind: String) throws -> WindowSpec {
    WindowSpec(
      kind: kind, timeZone: timeZone, days: try names(), from: from, to: to, start: start, end: end,
      except: evenLostCapacity ? [] : nil, reason: reason)
  }

  /// Judges them as the controller does.
  func check() throws {
    do {
      _ = try WindowReader.read(InputSource(WireWriter.json(spec("freeze")), format: .json), name: name)
    } catch let errors as InputErrors {
      throw ValidationError(errors.errors.map(\.message).joined(separator: "\n"))
    }
  }

  func set(_ kind: String) async throws {
    let outcome = try await trial.send(
      "PUT", "/v1/windows/\(ServerConnection.escaped(name))", body: WireWriter.json(spec(kind)),
      to: try server.connection())
    try Console.write(
      "windows/\(name) \(trial.isOn ? outcome.changes ? "would be set" : "is set so already" : "set")\n")
    try trial.finish(outcome.changes)
  }
}
