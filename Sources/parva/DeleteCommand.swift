import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP

/// `parva delete`: things of a controller taken away.
struct DeleteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Take workloads, nodes, stored profiles, windows, namespaces or webhooks away.",
    discussion: """
      parva delete workload resnet bert; parva delete -f demand.yaml takes away the workloads that the file names. Each is \
      tried and told of; where one is refused it ends with 2. A node \
      that holds something is drained first, and goes with the next roll-out; a namespace goes when nothing is in it and no \
      token is for it.
      """)

  @Argument(
    help: "workload, node, profile, window, namespace or webhook; without -f.",
    completion: .list(["workload", "node", "profile", "window", "namespace", "webhook"]))
  var kind: String?

  @Argument(help: "Names of those to take away.", completion: NameCompletion.names())
  var names: [String] = []

  @Option(
    name: [.customShort("f"), .customLong("file")], help: "Take away the workloads of this file; - is standard input.",
    completion: .file())
  var file: String?

  @Flag(name: .long, help: "A node: forget it as it is, whatever stands there.")
  var force = false

  @Flag(name: .long, help: "What is not there is no failure.")
  var ignoreNotFound = false

  @OptionGroup var resources: ResourceOptions
  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard file == nil else {
      if kind != nil || force || resources.product != nil {
        throw ValidationError("-f stands alone: the file says what goes.")
      }
      return
    }
    guard let kind else { throw ValidationError("Say what goes: a kind and names, or -f FILE.") }
    let (found, names) = try ResourceKind.typed(kind, names)
    guard found.canBeDeleted else { throw ValidationError("\(found.names[0]) cannot be deleted.") }
    guard !names.isEmpty else { throw ValidationError("Name the \(found.names[0]) to delete.") }
    if force && found.names[0] != "nodes" { throw ValidationError("--force is for nodes.") }
    try resources.check(found)
  }

  func run() async throws {
    let connection = try server.connection()
    let (kind, wanted, view) = try await wanted(connection)
    var changes = false
    var refused = false
    for name in wanted {
      do {
        let outcome = try await delete(name, kind, view, connection)
        changes = changes || outcome.changes
      } catch let failure as CommandFailure {
        Console.error("\(kind.names[0])/\(name): \(failure.message ?? "")")
        // A controller that does not answer will not do so to the others.
        if failure.status != .badInput { throw CommandFailure(failure.status) }
        refused = true
      }
    }
    if refused { throw CommandFailure(.badInput) }
    try trial.finish(changes)
  }

  private func wanted(
    _ connection: ServerConnection
  ) async throws -> (kind: ResourceKind, names: [String], view: ResourceView) {
    guard let file else {
      let (kind, names) = try ResourceKind.typed(kind ?? "", names)
      return (kind, names, try await resources.view(kind, names, connection))
    }
    let scope = try await resources.scope.scope(connection)
    let names = try ApplyCommand.workloads(of: [file], scope).map { scope.told($0.id) }
    return (try ResourceKind.named("workloads"), names, ResourceView(scope: scope))
  }

  private func delete(
    _ name: String, _ kind: ResourceKind, _ view: ResourceView, _ connection: ServerConnection
  ) async throws -> DryRunOption.Outcome {
    let path = try view.path(kind, to: name)
    let whole = path + (force ? (path.contains("?") ? "&" : "?") + "force=true" : "")
    var accepting: Set<Int> = ignoreNotFound ? [404, 428] : [428]
    var outcome = try await trial.send("DELETE", whole, accepting: accepting, inDoubt: [404], to: connection)
    if outcome.status == 428 {
      // The controller wants to be told that it goes whatever it is by now.
      accepting.remove(428)
      outcome = try await trial.send(
        "DELETE", whole, headers: ["If-Match": "*"], accepting: accepting, inDoubt: [404, 412], to: connection)
    }
    let end =
      switch outcome.status {
      // Without --ignore-not-found it was there before an attempt of which nothing was heard.
      case 404 where ignoreNotFound: "not there"
      case 202: (trial.isOn ? "would be drained" : "draining") + ": it goes when the next roll-out has emptied it"
      default: trial.isOn ? "would be deleted" : "deleted"
      }
    try Console.write("\(kind.names[0])/\(name) \(end)\n")
    outcome.changes = outcome.changes && outcome.status != 404
    return outcome
  }
}
