import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP

/// `parva get`: what a controller has.
struct GetCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, wide, json, yaml, name
  }

  static let configuration = CommandConfiguration(
    commandName: "get",
    abstract:
      "Show what a controller has: the plan, workloads, nodes, operations, plans, namespaces, windows, profiles, webhooks.",
    discussion: """
      parva get plan, parva get workloads -l team=vision, parva get node gpu7 -o yaml. With --watch rows are shown again \
      whenever they change. -o wide has more columns, and of the plan a row a segment; -o name can, but for the plan, be given to other verbs. \
      With a namespace's token the plan is its own part of it. Ends with 2 for what is not there, after what is, and with 1 \
      where the controller does not answer.
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

  @OptionGroup var resources: ResourceOptions
  @OptionGroup var server: ServerOptions

  private var isPlan: Bool { kind.lowercased() == "plan" }

  func validate() throws {
    guard (0.1...3600).contains(interval) else { throw ValidationError("--interval must be 0.1 to 3600.") }
    if isPlan {
      guard names.isEmpty, selector == nil else {
        throw ValidationError("There is one plan; parva get plans has those that were.")
      }
      guard resources.scope.namespace == nil, resources.product == nil else {
        throw ValidationError(
          "The plan is of all, or with a namespace's token of that namespace; it takes no --namespace.")
      }
      return
    }
    let (kind, names) = try ResourceKind.typed(kind, names)
    try resources.check(kind)
    if selector != nil && (!kind.takesSelector || !names.isEmpty) {
      throw ValidationError("--selector is for lists of workloads.")
    }
  }

  func run() async throws {
    let connection = try server.connection()
    if isPlan { return try await showPlan(connection) }
    let (kind, names) = try ResourceKind.typed(kind, names)
    let view = try await resources.view(kind, names, connection)
    let first = try await self.rows(kind, names, view, connection)
    var rows = first.rows
    if !rows.isEmpty || first.refusals.isEmpty { try write(rows, kind, isOne: names.count == 1, isFirst: true) }
    if !first.refusals.isEmpty {
      for refusal in first.refusals { Console.error(refusal) }
      throw CommandFailure(.badInput)
    }
    while watch {
      try await Task.sleep(for: .seconds(interval))
      let next = try await connection.patiently { try await self.rows(kind, names, view, connection).rows }
      let known = Set(rows)
      let changed = next.filter { !known.contains($0) }
      if !changed.isEmpty { try write(changed, kind, isOne: names.count == 1, isFirst: false) }
      let left = Set(next.map(kind.name))
      for name in rows.map(kind.name) where !left.contains(name) { Console.error("\(kind.names[0])/\(name) is gone") }
      rows = next
    }
  }

  /// What there is of it, and what was said of each that is not to be had.
  private func rows(
    _ kind: ResourceKind, _ names: [String], _ view: ResourceView, _ connection: ServerConnection
  ) async throws -> (rows: [JSONValue], refusals: [String]) {
    guard !names.isEmpty else {
      let query = view.query(kind) + (selector.map { ["labelSelector=\(ServerConnection.escaped($0))"] } ?? [])
      let rows = try await connection.rows(kind.path, kind.member, query: query, most: kind.pageLimit)
      return (rows.filter { view.holds($0, kind) }, [])
    }
    var (rows, refusals): ([JSONValue], [String]) = ([], [])
    for name in names {
      do {
        rows.append(try await connection.value(try view.path(kind, to: name)))
      } catch let failure as CommandFailure where failure.status == .badInput {
        refusals.append("\(kind.names[0])/\(name): \(failure.message ?? "")")
      }
    }
    return (rows, refusals)
  }

  private func write(_ rows: [JSONValue], _ kind: ResourceKind, isOne: Bool, isFirst: Bool) throws {
    // One that was asked for by its name is itself the document; more are the list that the controller has.
    let document = isOne ? rows.first ?? .null : .object([kind.member: .list(rows)])
    switch format {
    case .table, .wide: try Console.write(kind.table(rows, Console.style(ascii: ascii), isWide: format == .wide))
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

  /// The controller draws it itself, but for a namespace, which it tells its own part as JSON and in no other form.
  private func showPlan(_ connection: ServerConnection) async throws {
    let wanted: DocumentFormat? =
      switch format {
      case .table: .table
      case .yaml: .yaml
      case .json, .wide, .name: nil
      }
    let json = DocumentFormat.json.mediaTypes[0]
    let accept = wanted.map { "\($0.mediaTypes[0]), \(json);q=0.5" } ?? json
    var revision: String?
    repeat {
      let path = "/v1/plan" + (revision.map { "?after=\($0)&wait=30" } ?? "")
      let response = try await connection.patiently(while: watch && revision != nil) {
        try await connection.send("GET", path, accept: accept, accepting: [304])
      }
      if response.status != 304 { try write(plan: response, isFirst: revision == nil) }
      if let waits = response.headers["Parva-Plan-Waits"] { Console.error(Self.sentence(waits)) }
      revision = response.headers["Parva-Plan-Revision"] ?? revision
    } while watch
  }

  private func write(plan response: HTTPResponse, isFirst: Bool) throws {
    let isJSON = response.headers["Content-Type"]?.hasPrefix(DocumentFormat.json.mediaTypes[0]) == true
    guard isJSON, format != .json else { return try Console.write(response.body) }
    let plan = try ServerConnection.value(of: response)
    switch format {
    case .table, .wide:
      try Console.write(PlanTable.text(plan, Console.style(ascii: ascii), isWide: format == .wide))
    case .yaml: try Console.write((isFirst ? Data() : Data("---\n".utf8)) + (try plan.yaml()))
    case .name:
      try Console.write(PlanTable.segments(of: plan).map { "segments/\($0["id"].text ?? "")\n" }.joined())
    case .json: break
    }
  }
}
