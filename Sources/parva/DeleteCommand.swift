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
      parva delete workload resnet bert; parva delete -f demand.yaml takes away the workloads that the file names. A node \
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
    name: [.customShort("f"), .customLong("file")], help: "Take away the workloads of this file; - is standard input.")
  var file: String?

  @Flag(name: .long, help: "A node: forget it as it is, whatever stands there.")
  var force = false

  @Flag(name: .long, help: "What is not there is no failure.")
  var ignoreNotFound = false

  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard file == nil else {
      if kind != nil || force { throw ValidationError("-f stands alone: the file says what goes.") }
      return
    }
    guard let kind else { throw ValidationError("Say what goes: a kind and names, or -f FILE.") }
    let found = try ResourceKind.named(kind)
    guard found.canBeDeleted else { throw ValidationError("\(found.names[0]) cannot be deleted.") }
    guard !names.isEmpty else { throw ValidationError("Name the \(found.names[0]) to delete.") }
    if force && found.names[0] != "nodes" { throw ValidationError("--force is for nodes.") }
  }

  func run() async throws {
    let kind = try ResourceKind.named(kind ?? "workloads")
    let wanted =
      try file.map { try WorkloadReader.read(try InputSource.load($0, limit: InputLimits.listBytes)).map(\.id) }
      ?? names
    let connection = try server.connection()
    var changes = false
    for name in wanted {
      let outcome = try await trial.send(
        "DELETE", kind.path(to: name) + (force ? "?force=true" : ""), accepting: ignoreNotFound ? [404] : [],
        to: connection)
      changes = changes || outcome.changes && outcome.status != 404
      let end =
        switch outcome.status {
        case 404: "not there"
        case 202: (trial.isOn ? "would be drained" : "draining") + ": it goes when the next roll-out has emptied it"
        default: trial.isOn ? "would be deleted" : "deleted"
        }
      try Console.write("\(kind.names[0])/\(name) \(end)\n")
    }
    try trial.finish(changes)
  }
}
