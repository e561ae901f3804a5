import ArgumentParser
import Foundation
import ParvaFormats

/// `parva pin`: the current plan stays.
struct PinCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pin",
    abstract: "Keep the controller's plan as it is: nothing is planned until it is released.",
    discussion: """
      Workloads may be registered and changed meanwhile; they wait. parva unpin lets plans follow again.
      """)

  @Option(help: "Why, for whoever wonders; at most 500 bytes.")
  var reason: String?

  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let outcome = try await trial.order("POST", "/v1/plan/pin", reason, to: try server.connection())
    if trial.isOn {
      try Console.write(outcome.changes ? "the current plan would be pinned\n" : "the plan is pinned so already\n")
    } else {
      let pin = try ServerConnection.value(of: outcome.response)
      try Console.write("plan revision \(Int(pin["revision"].number ?? 0)) is pinned\n")
    }
    try trial.finish(outcome.changes)
  }
}

/// `parva unpin`: plans follow again.
struct UnpinCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpin", abstract: "Let plans follow again what has changed since one was pinned.")

  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let outcome = try await trial.order("DELETE", "/v1/plan/pin", nil, to: try server.connection())
    if trial.isOn {
      try Console.write(outcome.changes ? "plans would follow again what changes\n" : "no plan is pinned\n")
    } else {
      try Console.write("plans follow again what changes\n")
    }
    try trial.finish(outcome.changes)
  }
}

/// `parva rollback`: an earlier plan as the current one.
struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback",
    abstract: "Make an earlier plan the current one, as a new revision, and pin it.",
    discussion: """
      parva get plans shows which there are. Without --auto-apply at the controller, parva rollout start brings it to the \
      nodes; parva unpin lets plans follow again.
      """)

  @Argument(help: "Revision of the earlier plan.", completion: NameCompletion.names("plans"))
  var revision: Int

  @Option(help: "Why, for whoever wonders; at most 500 bytes.")
  var reason: String?

  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let outcome = try await trial.order("POST", "/v1/plans/\(revision)/rollback", reason, to: try server.connection())
    if trial.isOn {
      try Console.write("plan revision \(revision) would be brought back as a new revision, and pinned\n")
    } else {
      let pin = try ServerConnection.value(of: outcome.response)
      try Console.write(
        "plan revision \(revision) is brought back as revision \(Int(pin["revision"].number ?? 0)), which is pinned\n")
    }
    try trial.finish(outcome.changes)
  }
}

extension DryRunOption {
  fileprivate func order(
    _ method: String, _ path: String, _ reason: String?, to connection: ServerConnection
  ) async throws -> Outcome {
    let body = try reason.map { try WireWriter.json(JSONValue.object(["reason": .string($0)])) }
    return try await send(method, path, body: body, to: connection)
  }
}
