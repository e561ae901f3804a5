import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP

/// `parva get`: what a controller has.
struct GetCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, json, yaml, name
  }

  static let configuration = CommandConfiguration(
    commandName: "get",
    abstract:
      "Show what a controller has: the plan, workloads, nodes, operations, plans, namespaces, windows, profiles, webhooks.",
    discussion: """
      parva get plan, parva get workloads -l team=vision, parva get node gpu7 -o yaml. With --watch rows are shown again \
      whenever they change. Ends with 2 for what is not there, and with 1 where the controller does not answer.
      """)

  @Argument(
    help: ArgumentHelp(
      "plan, \(ResourceKind.all.map { $0.names.joined(separator: "|") }.joined(separator: ", ")).", valueName: "kind"),
    completion: .list(["plan"] + ResourceKind.all.flatMap(\.names)))
  var kind: String

  @Argument(help: "Names of those to show (default: all).", completion: NameCompletion.names())
  var names: [String] = []

  @Option(name: [.customShort("o"), .customLong("output")], help: "Format of the result.")
  var format: Format = .table

  @Option(
    name: [.customShort("l"), .customLong("selector")], help: "Labels that workloads must have, as key=value,...")
  var selector: String?

  @Flag(name: [.customShort("w"), .long], help: "Go on, and show each row again when it changes, until interrupted.")
  var watch = false

  @Option(name: .long, help: ArgumentHelp("Seconds between two looks with --watch.", valueName: "seconds"))
  var interval = 2.0

  @Flag(name: .long, help: "Draw tables in plain ASCII; the default where the locale is not UTF-8.")
  var ascii = false

  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard (0.1...3600).contains(interval) else { throw ValidationError("--interval must be 0.1 to 3600.") }
    if kind == "plan" {
      guard names.isEmpty, selector == nil else {
        throw ValidationError("There is one plan; parva get plans has those that were.")
      }
      guard format != .name else { throw ValidationError("A plan has no name; -o is table, json or yaml.") }
      return
    }
    let kind = try ResourceKind.named(kind)
    if selector != nil && (!kind.takesSelector || !names.isEmpty) {
      throw ValidationError("--selector is for lists of workloads.")
    }
  }

  func run() async throws {
    let connection = try server.connection()
    if kind == "plan" { return try await showPlan(connection) }
    let kind = try ResourceKind.named(kind)
    var rows = try await rows(kind, connection)
    try write(rows, kind, isFirst: true)
    while watch {
      try await Task.sleep(for: .seconds(interval))
      let next = try await connection.patiently { try await self.rows(kind, connection) }
      let known = Set(rows)
      let changed = next.filter { !known.contains($0) }
      if !changed.isEmpty { try write(changed, kind, isFirst: false) }
      let left = Set(next.map(kind.name))
      for name in rows.map(kind.name) where !left.contains(name) { Console.error("\(kind.names[0])/\(name) is gone") }
      rows = next
    }
  }

  private func rows(_ kind: ResourceKind, _ connection: ServerConnection) async throws -> [JSONValue] {
    var rows: [JSONValue] = []
    for name in names { rows.append(try await connection.value(kind.path(to: name))) }
    guard names.isEmpty else { return rows }
    let query = selector.map { ["labelSelector=\(ServerConnection.escaped($0))"] } ?? []
    return try await connection.rows(kind.path, kind.member, query: query, most: kind.pageLimit)
  }

  private func write(_ rows: [JSONValue], _ kind: ResourceKind, isFirst: Bool) throws {
    // One that was asked for by its name is itself the document; more are the list that the controller has.
    let document = names.count == 1 ? rows.first ?? .null : .object([kind.member: .list(rows)])
    switch format {
    case .table: try Console.write(kind.table(rows, Console.style(ascii: ascii)))
    case .json: try Console.write(try WireWriter.json(document, isForPeople: true) + Data("\n".utf8))
    case .yaml: try Console.write((isFirst ? Data() : Data("---\n".utf8)) + (try document.yaml()))
    case .name: try Console.write(rows.map { "\(kind.names[0])/\(kind.name(of: $0))\n" }.joined())
    }
  }

  /// `until=TIME; windows=A,B` as a person reads it.
  private static func sentence(_ waits: String) -> String {
    var parts: [String: String] = [:]
    for part in waits.split(separator: ";") {
      let sides = part.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
      if sides.count == 2 { parts[sides[0]] = sides[1] }
    }
    let windows = (parts["windows"] ?? "").split(separator: ",").joined(separator: ", ")
    return "this plan waits\(parts["until"].map { " until \($0)" } ?? ""), by the windows \(windows)"
  }

  /// The controller draws it itself.
  private func showPlan(_ connection: ServerConnection) async throws {
    let accept =
      switch format {
      case .json: DocumentFormat.json
      case .yaml: DocumentFormat.yaml
      case .table, .name: DocumentFormat.table
      }
    var revision: String?
    repeat {
      let path = "/v1/plan" + (revision.map { "?after=\($0)&wait=30" } ?? "")
      let response = try await connection.send("GET", path, accept: accept.mediaTypes[0], accepting: [304])
      if response.status != 304 { try Console.write(response.body) }
      if let waits = response.headers["Parva-Plan-Waits"] { Console.error(Self.sentence(waits)) }
      revision = response.headers["Parva-Plan-Revision"] ?? revision
    } while watch
  }
}
