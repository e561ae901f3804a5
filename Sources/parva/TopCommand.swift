import ArgumentParser
import Foundation
import ParvaFormats

/// `parva top`: what workloads get beside what they ask for.
struct TopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Show the workloads that have least room first: rate, what runs, what is planned.",
    discussion: """
      Room is the capacity that runs divided by the rate; below 100 % requests wait. What was seen of requests is shown where \
      the controller reads it (parva serve --observe).
      """)

  @Option(name: [.customShort("n"), .long], help: "Most rows; 0 is all.")
  var limit = 20

  @Option(
    name: [.customShort("l"), .customLong("selector")], help: "Labels that workloads must have, as key=value,...")
  var selector: String?

  @OptionGroup var scope: ScopeOptions

  @Flag(name: [.customShort("w"), .long], help: "Show it again and again, until interrupted.")
  var watch = false

  @Option(name: .long, help: ArgumentHelp("Seconds between two looks with --watch.", valueName: "seconds"))
  var interval = 5.0

  @Flag(name: .long, help: "Draw tables in plain ASCII; the default where the locale is not UTF-8.")
  var ascii = false

  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard limit >= 0 else { throw ValidationError("--limit must be 0 or more.") }
    guard (0.1...3600).contains(interval) else { throw ValidationError("--interval must be 0.1 to 3600.") }
  }

  func run() async throws {
    let connection = try server.connection()
    let view = ResourceView(scope: try await scope.scope(connection, ids: []))
    while true {
      let text = try await connection.patiently { try await self.look(view, connection) }
      try Console.write(text)
      guard watch else { return }
      try await Task.sleep(for: .seconds(interval))
      try Console.write("\n")
    }
  }

  private func look(_ view: ResourceView, _ connection: ServerConnection) async throws -> String {
    let query =
      view.query(try ResourceKind.named("workloads"))
      + (selector.map { ["labelSelector=\(ServerConnection.escaped($0))"] } ?? [])
    let rows = try await connection.rows("/v1/workloads", "workloads", query: query, most: 1000)
    let ranked = rows.map { (room: Self.room($0), row: $0) }.sorted {
      ($0.room, $0.row["id"].text ?? "") < ($1.room, $1.row["id"].text ?? "")
    }
    guard !ranked.isEmpty else { return "no workloads\n" }
    let shown = limit == 0 ? ranked[...] : ranked.prefix(limit)
    var table = TextTable([
      ("workload", .left), ("rate/s", .right), ("up/s", .right), ("planned/s", .right), ("room", .right),
      ("state", .left),
      ("why", .left),
    ])
    for (room, row) in shown {
      let status = row["status"]
      table.add([
        row["id"].text ?? "", Self.figure(Self.rate(row)), Self.figure(status["capacityUp"]),
        Self.figure(status["capacityPlanned"]), room.isFinite ? "\(Int((room * 100).rounded(.down))) %" : "",
        status["state"].text ?? "", status["code"].text ?? "",
      ])
    }
    let rest = ranked.count - shown.count
    return table.lines(Console.style(ascii: ascii)).joined(separator: "\n") + "\n"
      + (rest > 0 ? "and \(rest) more\n" : "")
  }

  /// What runs, or where no nodes are, what is planned, for each request.
  private static func room(_ row: JSONValue) -> Double {
    guard let rate = rate(row).number, rate > 0 else { return .infinity }
    return ((row["status"]["capacityUp"].number ?? row["status"]["capacityPlanned"].number) ?? 0) / rate
  }

  /// What is asked for now, where that goes by a schedule.
  private static func rate(_ row: JSONValue) -> JSONValue {
    row["status"]["rate"] == .null ? row["rate"] : row["status"]["rate"]
  }

  private static func figure(_ value: JSONValue) -> String { value.number.map { String(format: "%.1f", $0) } ?? "" }
}
