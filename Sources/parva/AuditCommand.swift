import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP

/// `parva audit`: who has done what.
struct AuditCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, ndjson }

  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Show who has changed what at a controller, newest last; needs the role admin.",
    discussion: """
      parva audit --resource workloads/web --since 2h; parva audit -o ndjson --limit 0 > audit.ndjson exports all that is kept. \
      Rows that changed nothing (refusals, dry runs) say so.
      """)

  /// Rows of a page.
  private static let pageRows = 1_000

  @Option(name: .long, help: "Only of this resource, as workloads/web.")
  var resource: String?

  @Option(name: .long, help: "Only of this caller: its id, as token:ID or oidc:SUB@ISSUER, or its name.")
  var who: String?

  @Option(name: .long, help: "Only since a time by RFC 3339, or for the last 45s, 90m, 12h or 30d.")
  var since: String?

  @Option(name: .long, help: "Most rows, of the newest; 0 for all.")
  var limit = 50

  @Flag(name: .long, help: "Go on with rows as they come.")
  var follow = false

  @Option(name: [.customShort("o"), .customLong("output")], help: "Format of the result.")
  var format: Format = .table

  @Flag(name: .long, help: "Draw tables in plain ASCII; the default where the locale is not UTF-8.")
  var ascii = false

  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard (0...1_000_000).contains(limit) else { throw ValidationError("--limit must be 0 to 1000000.") }
    if follow && format == .json {
      throw ValidationError("--follow never ends, and neither would the JSON; use ndjson.")
    }
    if let since, Self.time(since) == nil {
      throw ValidationError("--since \(Self.timeRule).")
    }
  }

  static let timeRule = "must be a time, as 2027-01-31T12:00:00Z, or \(TokenSpecReader.lifetimeRule)"

  /// As the server takes it.
  static func time(_ text: String, now: Date = Date()) -> String? {
    if let seconds = TokenSpecReader.seconds(text) { return Date.ISO8601FormatStyle().format(now - seconds) }
    let isTime = [false, true].contains { fraction in
      (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: fraction))) != nil
    }
    return isTime ? text : nil
  }

  private var filter: [String] {
    [("resource", resource), ("who", who), ("since", since.flatMap { Self.time($0) })].compactMap { name, value in
      value.map { "\(name)=\(ServerConnection.escaped($0))" }
    }
  }

  func run() async throws {
    let connection = try server.connection()
    let filter = filter
    let rows = try await newest(connection, filter)
    try write(rows, isFirst: true)
    guard follow else { return }
    // Where none fits the filter, the newest of all is where to go on.
    var last = try await lastNumber(rows, connection)
    while true {
      try await Task.sleep(for: .seconds(1))
      let after = last
      let more = try await connection.patiently { try await Self.after(after, connection, filter) }
      if !more.isEmpty { try write(more, isFirst: false) }
      last = more.last?["number"].number.map { Int($0) } ?? last
    }
  }

  private func lastNumber(_ rows: [JSONValue], _ connection: ServerConnection) async throws -> Int {
    if let number = rows.last?["number"].number { return Int(number) }
    let page = try await connection.value("/v1/audit?limit=1")
    return page["entries"].elements.first?["number"].number.map { Int($0) } ?? 0
  }

  /// The newest, oldest first.
  private func newest(_ connection: ServerConnection, _ filter: [String]) async throws -> [JSONValue] {
    if limit == 0 { return try await Self.after(0, connection, filter) }
    var rows: [JSONValue] = []
    var cursor: String?
    repeat {
      let query =
        filter + ["limit=\(min(Self.pageRows, limit - rows.count))"]
        + (cursor.map { ["cursor=\(ServerConnection.escaped($0))"] } ?? [])
      let page = try await connection.value("/v1/audit?" + query.joined(separator: "&"))
      rows += page["entries"].elements
      cursor = page["nextCursor"].text
    } while cursor != nil && rows.count < limit
    return rows.reversed()
  }

  private static func after(
    _ number: Int, _ connection: ServerConnection, _ filter: [String]
  ) async throws -> [JSONValue] {
    let response = try await connection.send(
      "GET", "/v1/audit?" + (filter + ["after=\(number)"]).joined(separator: "&"), accept: "application/x-ndjson")
    return try response.body.split(separator: UInt8(ascii: "\n")).map { line in
      do {
        return try InputSource(Data(line), format: .json).value(limit: InputLimits.planBytes)
      } catch {
        throw CommandFailure(.unexpected, "a row of the server's answer is not JSON; is it a Parva controller?")
      }
    }
  }

  private func write(_ rows: [JSONValue], isFirst: Bool) throws {
    switch format {
    case .table: try Console.write(Self.table(rows, Console.style(ascii: ascii), isFirst: isFirst))
    case .json:
      let document = JSONValue.object(["entries": .list(rows)])
      try Console.write(try WireWriter.json(document, isForPeople: true) + Data("\n".utf8))
    case .ndjson: for row in rows { try Console.write(try WireWriter.json(row) + Data("\n".utf8)) }
    }
  }

  private static func table(_ rows: [JSONValue], _ style: TextStyle, isFirst: Bool) -> String {
    guard !rows.isEmpty else { return isFirst ? "nothing was done\n" : "" }
    var table = TextTable(
      [("time", .left), ("who", .left), ("did", .left), ("status", .right), ("changed", .left), ("request", .left)])
    for row in rows {
      table.add([
        row["time"].text ?? "", row["who"].text ?? "", "\(row["method"].text ?? "") \(row["path"].text ?? "")",
        row["status"].number.map { String(Int($0)) } ?? "", row["changed"].flag == true ? "yes" : "no",
        row["requestId"].text ?? "",
      ])
    }
    return table.lines(style).joined(separator: "\n") + "\n"
  }
}
