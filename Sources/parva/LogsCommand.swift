import ArgumentParser
import Foundation
import ParvaFormats

/// `parva logs`: what has happened to one thing, and who did it.
struct LogsCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case table, ndjson }

  static let configuration = CommandConfiguration(
    commandName: "logs",
    abstract: "Show what has happened to a workload, a node, an operation or the plan, oldest first.",
    discussion: """
      parva logs workload web -f; parva logs node gpu7 --since 2h; parva logs plan. Of a workload that it was declared and how, \
      what plans gave it and what was so of it, as the controller told it at the time, for a while after it is deleted too; \
      plans with why they were made, operations with how far they are, and with a token of the role admin who has changed what. \
      With -f it goes on with what happens. What a server itself says stands in the log of its node (parva help node run).
      """)

  @Argument(
    help: "workload, node, operation or plan.", completion: .list(["workload", "node", "operation", "plan"]))
  var kind: String

  @Argument(
    help: "Its name; of operations the newest without one, of the plan none.", completion: NameCompletion.names())
  var name: String?

  @Flag(name: .shortAndLong, help: "Go on with what happens, until interrupted.")
  var follow = false

  @Option(name: .long, help: "Only since a time by RFC 3339, or for the last 45s, 90m, 12h or 30d.")
  var since: String?

  @Option(name: .long, help: "Most lines of what was, of the newest; 0 for all that is found.")
  var limit = 100

  @Option(name: .long, help: ArgumentHelp("Seconds between two looks with --follow.", valueName: "seconds"))
  var interval = 1.0

  @Option(name: [.customShort("o"), .customLong("output")], help: "Format of the result.")
  var format: Format = .table

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard (0...10_000).contains(limit) else { throw ValidationError("--limit must be 0 to 10000.") }
    guard (0.1...3600).contains(interval) else { throw ValidationError("--interval must be 0.1 to 3600.") }
    if let since, AuditCommand.time(since) == nil { throw ValidationError("--since \(AuditCommand.timeRule).") }
    let subject = try LogSubject(kind, name)
    if case .plan = subject, name != nil {
      throw ValidationError("There is one plan; parva get plans has those that were.")
    }
    if scope.namespace != nil {
      guard case .workload = subject else { throw ValidationError("--namespace is for workloads.") }
    }
  }

  func run() async throws {
    let connection = try server.connection()
    let subject = try await LogSubject(kind, name).resolved(scope, connection)
    var reader = LogReader(subject: subject, since: since.flatMap { AuditCommand.time($0) }, limit: limit)
    try write(try await reader.next(connection))
    while follow {
      try await Task.sleep(for: .seconds(interval))
      let before = reader
      let (lines, after) = try await connection.patiently {
        var reader = before
        return (try await reader.next(connection), reader)
      }
      reader = after
      try write(lines)
    }
  }

  private func write(_ lines: [LogLine]) throws {
    for line in lines {
      switch format {
      case .table:
        try Console.write(
          "\(line.time)  \(line.source.padding(toLength: 9, withPad: " ", startingAt: 0))  \(line.text)\n")
      case .ndjson: try Console.write(try WireWriter.json(line.document) + Data("\n".utf8))
      }
    }
  }
}
