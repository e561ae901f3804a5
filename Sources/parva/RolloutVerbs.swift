import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP

/// `parva rollout start`: the controller's plan to its nodes.
struct RolloutStartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start",
    abstract: "Bring the controller's plan to its nodes, in waves, and follow it to its end.",
    discussion: """
      Ends with 4 unless every node has verified the plan; with --dry-run, where some workload has to fall short on the \
      way. An interrupt ends the following, not the roll-out.
      """)

  @Flag(name: .long, help: "Show the waves, and bring nothing.")
  var dryRun = false

  @Option(
    help: ArgumentHelp(
      "Share of its rate that a workload may lack on the way, as 10% or 0.1 (default: the controller's).",
      valueName: "share"))
  var maxUnavailable: String?

  @Option(help: "When a node fails: stop, or rollback (default: the controller's).")
  var onFailure: OnFailure?

  @Option(help: "Refuse any other revision of the plan than this.")
  var revision: Int?

  @Flag(help: "Bring it there although windows keep that shut.")
  var force = false

  @Flag(inversion: .prefixedNo, help: "Follow the roll-out to its end.")
  var wait = true

  @OptionGroup var server: ServerOptions

  enum OnFailure: String, ExpressibleByArgument, CaseIterable { case stop, rollback }

  func validate() throws { _ = try share }

  private var share: Double? {
    get throws { try maxUnavailable.map { try PlanningArguments.share($0, of: "--max-unavailable") } }
  }

  func run() async throws {
    let connection = try server.connection()
    var query: [String] = []
    if let share = try share { query.append("maxUnavailable=\(share)") }
    if let onFailure { query.append("onFailure=\(onFailure.rawValue)") }
    if let revision { query.append("revision=\(revision)") }
    if force { query.append("force=true") }
    if dryRun {
      query.append("dryRun=true")
      let path = "/v1/plan/apply?" + query.joined(separator: "&")
      let way = try await connection.send("POST", path, accept: "text/plain")
      try Console.write(way.body)
      // The picture is for eyes; the document says whether every workload keeps its rate.
      let figures = try ServerConnection.value(of: try await connection.send("POST", path))
      if figures["summary"]["keepsService"].flag == false { throw CommandFailure(.checkFailed) }
      return
    }
    let path = "/v1/plan/apply" + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    // With a key, a repetition after a broken connection is the same request.
    let begun = try ServerConnection.value(
      of: try await connection.send("POST", path, headers: ["Idempotency-Key": UUID().uuidString]))
    try await RolloutReport.show(begun["id"].text ?? "", follow: wait, connection)
  }
}

/// `parva rollout status`: how far an operation is.
struct RolloutStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show how far a roll-out is, node by node.",
    discussion: "Ends with 4 where it has ended otherwise than verified.")

  @Argument(help: "Id of the operation (default: the newest).", completion: NameCompletion.names("operations"))
  var operation: String?

  @Flag(name: [.customShort("w"), .long], help: "Follow it to its end.")
  var watch = false

  @OptionGroup var server: ServerOptions

  func run() async throws {
    let connection = try server.connection()
    if let waits = try await RolloutReport.waits(connection) { Console.error(waits) }
    try await RolloutReport.show(try await RolloutReport.id(operation, connection), follow: watch, connection)
  }
}

/// `parva rollout pause` and the others that say how an operation goes on.
protocol RolloutWish: AsyncParsableCommand {
  /// As the path names it.
  static var wish: String { get }
  /// What it does to a roll-out, in a sentence.
  static var done: String { get }
  var operation: String? { get }
  var trial: DryRunOption { get }
  var server: ServerOptions { get }
}

extension RolloutWish {
  func run() async throws {
    let connection = try server.connection()
    let id = try await RolloutReport.id(operation, connection)
    let path = "/v1/operations/\(ServerConnection.escaped(id))"
    let outcome = try await trial.send("POST", "\(path)/\(Self.wish)", to: connection)
    if trial.isOn {
      try Console.write(outcome.changes ? "\(id) would be \(Self.done)\n" : "\(id) would stay as it is\n")
      return try trial.finish(outcome.changes)
    }
    try Console.write(try await connection.text(path))
  }
}

struct RolloutPauseCommand: RolloutWish {
  static let wish = "pause"
  static let done = "paused"
  static let configuration = CommandConfiguration(
    commandName: wish, abstract: "Let no further part of a roll-out begin; what has begun goes on to its end.")

  @Argument(help: "Id of the operation (default: the newest).", completion: NameCompletion.names("operations"))
  var operation: String?
  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions
}

struct RolloutResumeCommand: RolloutWish {
  static let wish = "resume"
  static let done = "resumed"
  static let configuration = CommandConfiguration(commandName: wish, abstract: "Let a paused roll-out go on.")

  @Argument(help: "Id of the operation (default: the newest).", completion: NameCompletion.names("operations"))
  var operation: String?
  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions
}

struct RolloutAbortCommand: RolloutWish {
  static let wish = "abort"
  static let done = "aborted"
  static let configuration = CommandConfiguration(commandName: wish, abstract: "End a roll-out where it is.")

  @Argument(help: "Id of the operation (default: the newest).", completion: NameCompletion.names("operations"))
  var operation: String?
  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions
}

struct RolloutUndoCommand: RolloutWish {
  static let wish = "rollback"
  static let done = "rolled back"
  static let configuration = CommandConfiguration(
    commandName: wish, abstract: "Bring back what stood before a roll-out, in waves as well.")

  @Argument(help: "Id of the operation (default: the newest).", completion: NameCompletion.names("operations"))
  var operation: String?
  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions
}
