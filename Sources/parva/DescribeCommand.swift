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
      "A workload comes with its conditions, its segments and its servers, a webhook with its newest tries, the plan with why it was made and what it waits for; with a namespace's token with what it has for that one. The result is YAML."
  )

  @Argument(
    help: "plan, workload, node, operation, profile, namespace, window or webhook.",
    completion: .list(["plan", "workload", "node", "operation", "profile", "namespace", "window", "webhook"]))
  var kind: String

  @Argument(help: "Its name; of the plan none.", completion: NameCompletion.names())
  var name: String?

  @OptionGroup var resources: ResourceOptions
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard !isPlan else {
      if name != nil { throw ValidationError("There is one plan; parva get plans has those that were.") }
      guard resources.scope.namespace == nil, resources.product == nil else {
        throw ValidationError(
          "The plan is of all, or with a namespace's token of that namespace; it takes no --namespace.")
      }
      return
    }
    let (kind, names) = try typed
    guard kind.names[0] != "plans" else { throw ValidationError("What an earlier plan changed shows parva diff.") }
    if names.isEmpty { throw ValidationError("Name the \(self.kind.lowercased()).") }
    try resources.check(kind)
  }

  private var isPlan: Bool { kind.lowercased() == "plan" }

  private var typed: (kind: ResourceKind, names: [String]) {
    get throws { try ResourceKind.typed(kind, name.map { [$0] } ?? []) }
  }

  func run() async throws {
    let connection = try server.connection()
    if isPlan { return try Console.write(try await plan(connection).yaml()) }
    let (kind, names) = try typed
    guard names.count == 1 else { throw ValidationError("One is described at a time.") }
    let path = try await resources.view(kind, names, connection).path(kind, to: names[0])
    var document = try await connection.value(path)
    let parts = ["workloads": ["segments", "endpoints"], "webhooks": ["deliveries"]][kind.names[0]] ?? []
    if !parts.isEmpty, case .object(var members) = document {
      for part in parts { members[part] = .list(try await connection.value("\(path)/\(part)")[part].elements) }
      document = .object(members)
    }
    try Console.write(try document.yaml())
  }

  /// The record of the newest plan, with what it waits for; of a namespace what the plan has for it, and its quota.
  private func plan(_ connection: ServerConnection) async throws -> JSONValue {
    // Of all that is registered, as parva get plan.
    let head = try await connection.send("GET", "/v1/plan")
    if let own = try own(head), let name = own["namespace"].text, case .object(var members) = own {
      let namespace = try await connection.value("/v1/namespaces/\(ServerConnection.escaped(name))")
      for part in ["quota", "use", "weight"] where namespace[part] != .null { members[part] = namespace[part] }
      return .object(members)
    }
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

  /// Nil for the plan of all, which may be large and is not read for this.
  private func own(_ response: HTTPResponse) throws -> JSONValue? {
    guard String(decoding: response.body.prefix(64), as: UTF8.self).contains("\"namespace\"") else { return nil }
    return try ServerConnection.value(of: response)
  }
}
