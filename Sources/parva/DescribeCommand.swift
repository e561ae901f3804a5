import ArgumentParser
import Foundation
import ParvaFormats

/// `parva describe`: one thing with all that belongs to it.
struct DescribeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Show one workload, node, operation or profile with all that belongs to it.",
    discussion: "A workload comes with its conditions, its segments and its servers. The result is YAML.")

  @Argument(
    help: "workload, node, operation or profile.", completion: .list(["workload", "node", "operation", "profile"]))
  var kind: String

  @Argument(help: "Its name.", completion: NameCompletion.names())
  var name: String

  @OptionGroup var server: ServerOptions

  func validate() throws {
    let found = try ResourceKind.named(kind.lowercased() == "plan" ? "plans" : kind)
    guard found.names[0] != "plans" else {
      throw ValidationError("A plan is too much to describe; parva get plan shows it, parva diff what differs.")
    }
  }

  func run() async throws {
    let connection = try server.connection()
    let kind = try ResourceKind.named(kind)
    var document = try await connection.value(kind.path(to: name))
    if kind.names[0] == "workloads", case .object(var members) = document {
      let path = kind.path(to: name)
      members["segments"] = .list(try await connection.value("\(path)/segments")["segments"].elements)
      members["endpoints"] = .list(try await connection.value("\(path)/endpoints")["endpoints"].elements)
      document = .object(members)
    }
    try Console.write(try document.yaml())
  }
}
