import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP

/// `parva describe`: one thing with all that belongs to it.
struct DescribeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Show one workload, node or other thing with all that belongs to it.",
    discussion:
      "A workload comes with its conditions, its segments and its servers, a webhook with its newest tries. The result is YAML."
  )

  @Argument(
    help: "plan, workload, node, operation, profile, namespace, window or webhook.",
    completion: .list(["plan", "workload", "node", "operation", "profile", "namespace", "window", "webhook"]))
  var kind: String

  @Argument(help: "Its name; of the plan none.", completion: NameCompletion.names())
  var name: String?

  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard !isPlan else {
      if name != nil { throw ValidationError("There is one plan; parva get plans has those that were.") }
      return
    }
    guard try ResourceKind.named(kind).names[0] != "plans" else {
      throw ValidationError("What an earlier plan changed shows parva diff.")
    }
    if name == nil { throw ValidationError("Name the \(kind.lowercased()).") }
  }

  private var isPlan: Bool { kind.lowercased() == "plan" }

  func run() async throws {
    let connection = try server.connection()
    if isPlan { return try Console.write(try await plan(connection).yaml()) }
    let (kind, name) = (try ResourceKind.named(kind), name ?? "")
    var document = try await connection.value(kind.path(to: name))
    if kind.names[0] == "workloads", case .object(var members) = document {
      let path = kind.path(to: name)
      members["segments"] = .list(try await connection.value("\(path)/segments")["segments"].elements)
      members["endpoints"] = .list(try await connection.value("\(path)/endpoints")["endpoints"].elements)
      document = .object(members)
    }
    if kind.names[0] == "webhooks", case .object(var members) = document {
      members["deliveries"] = .list(
        try await connection.value("\(kind.path(to: name))/deliveries")["deliveries"].elements)
      document = .object(members)
    }
    try Console.write(try document.yaml())
  }

  /// The record of the newest plan, with what it waits for.
  private func plan(_ connection: ServerConnection) async throws -> JSONValue {
    // Of all that is registered, as parva get plan.
    let head = try await connection.send("GET", "/v1/plan")
    let revision = head.headers["Parva-Plan-Revision"]
    var members: [String: JSONValue] = [:]
    let rows = try await connection.value("/v1/plans?limit=10")["plans"].elements
    if case .object(let row)? = rows.first(where: { $0["revision"].number.map { String(Int($0)) } == revision }) {
      members = row
    }
    let fleet = try await connection.value("/v1/fleet")
    for name in ["autoApply", "rollouts", "pin", "holds", "scheduleLead"] where fleet[name] != .null {
      members[name] = fleet[name]
    }
    if let waits = head.headers["Parva-Plan-Waits"] { members["waits"] = .string(waits) }
    return .object(members)
  }
}
