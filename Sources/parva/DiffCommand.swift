import ArgumentParser
import ParvaEngine
import ParvaFormats
import ParvaHTTP

/// `parva diff`: what changes from one plan to another, or what files would change at a controller.
struct DiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show what changes from plan A to plan B, or what parva apply would change.",
    discussion: """
      parva diff before.json after.json compares two files; parva diff 12 15 two revisions of a controller's plan, and \
      parva diff 12 one with the plan of now. parva diff -f demand.yaml compares the workloads of files with those that are \
      registered. Ends with 4 when they differ. GPUs that are merely numbered differently do not.
      """)

  @Argument(help: "The plan before: JSON or YAML, - for standard input, or a revision.")
  var before: String?

  @Argument(help: "The plan after, likewise.")
  var after: String?

  @Option(
    name: [.customShort("f"), .customLong("file")],
    help: "Workloads to compare with those that are registered, as JSON, YAML or CSV; - is standard input.",
    completion: .file())
  var files: [String] = []

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard files.isEmpty else {
      guard before == nil, output.format == .table else {
        throw ValidationError("-f stands alone: what it shows are lines, as parva apply shows them.")
      }
      return try ApplyCommand.check(files)
    }
    guard scope.namespace == nil else { throw ValidationError("--namespace goes with -f: plans are the fleet's.") }
    guard let before else { throw ValidationError("Name two plans, or workloads with -f.") }
    guard after != nil || Self.revision(before) != nil else {
      throw ValidationError("Name the plan after, too; a revision alone is compared with the plan of now.")
    }
    guard before != "-" || after != "-" else { throw ValidationError("Only one plan can be standard input.") }
    if let after, (Self.revision(before) == nil) != (Self.revision(after) == nil) {
      throw ValidationError(
        "Compare two files, or two revisions; parva get plan -o json makes a file of the plan of now.")
    }
  }

  private static func revision(_ text: String) -> Int? {
    text.first == "+" ? nil : Int(text).flatMap { $0 >= 1 ? $0 : nil }
  }

  func run() async throws {
    guard files.isEmpty else {
      let connection = try server.connection()
      let scope = try await scope.scope(connection)
      let edit = try await ApplyCommand.edit(for: try ApplyCommand.workloads(of: files, scope), scope, connection)
      try Console.write(edit.text(isDone: false))
      if !edit.isEmpty { throw CommandFailure(.checkFailed) }
      return
    }
    let diff = PlanDiffWriter(from: try await plan(before), to: try await plan(after))
    switch output.format {
    case .table: try Console.write(diff.text(output.style))
    case .json: try Console.write(diff.json())
    case .yaml: try Console.write(diff.yaml())
    case .csv: try Console.write(diff.csv())
    }
    if !diff.isEmpty { throw CommandFailure(.checkFailed) }
  }

  /// - Parameter name: of a file, or a revision; nil for the plan of now.
  private func plan(_ name: String?) async throws -> Plan {
    if let name, Self.revision(name) == nil {
      return try PlanReader.readInForce(try InputSource.load(name, limit: InputLimits.planBytes))
    }
    let path = name.map { "/v1/plans/\($0)" } ?? "/v1/plan"
    return try PlanReader.readInForce(InputSource(try await server.connection().send("GET", path).body, format: .json))
  }
}
