import Foundation
import ParvaFormats

/// An operation as a person follows it.
enum RolloutReport {
  /// The one of that id, or the newest.
  static func operation(_ id: String?, _ connection: ServerConnection) async throws -> JSONValue {
    if let id { return try await connection.value("/v1/operations/\(ServerConnection.escaped(id))") }
    guard let newest = try await connection.value("/v1/operations?limit=1")["operations"].elements.first else {
      throw CommandFailure(.badInput, "no plan has been brought to nodes yet; parva rollout start does it")
    }
    return newest
  }

  /// Writes where it is, and with `follow` each node as it gets on, until it is over.
  ///
  /// - Throws: ``CommandFailure`` with ``ExitStatus/checkFailed`` where it is over and not verified.
  static func show(_ operation: JSONValue, follow: Bool, _ connection: ServerConnection) async throws {
    var operation = operation
    try Console.write(text(operation))
    let id = ServerConnection.escaped(operation["id"].text ?? "")
    while follow, !isOver(operation) {
      try await Task.sleep(for: .milliseconds(500))
      let next = try await connection.value("/v1/operations/\(id)")
      let lines = changes(from: operation, to: next)
      if !lines.isEmpty { try Console.write(lines.joined(separator: "\n") + "\n") }
      operation = next
    }
    if isOver(operation), operation["status"].text != "verified" { throw CommandFailure(.checkFailed) }
  }

  private static func isOver(_ operation: JSONValue) -> Bool {
    !["running", "paused", "rolling_back"].contains(operation["status"].text)
  }

  static func text(_ operation: JSONValue) -> String {
    (["operation \(operation["id"].text ?? "?")  " + head(operation)] + operation["nodes"].elements.map(node))
      .joined(separator: "\n") + "\n"
  }

  private static func head(_ operation: JSONValue) -> String {
    let nodes = operation["nodes"].elements
    let done = nodes.count { $0["status"].text == "verified" }
    let short = operation["rollout"]["shortfalls"].elements.map { row in
      let (least, floor) = (row["least"].number ?? 0, row["floor"].number ?? 0)
      return "\(row["workload"].text ?? "?") \(Figures.plain(least)) of \(Figures.plain(floor))/s"
    }
    return
      "plan \(Int(operation["planRevision"].number ?? 0))  \(operation["status"].text ?? "?")  \(done)/\(nodes.count) nodes"
      + (short.isEmpty ? "" : "  falls short: \(short.joined(separator: ", "))")
  }

  private static func node(_ node: JSONValue) -> String {
    let steps = node["steps"].elements
    let parts = node["parts"].number.map { "part \(Int(node["partsDone"].number ?? 0)) of \(Int($0))" }
    let progress = steps.isEmpty ? nil : "\(steps.count { $0["done"].flag == true })/\(steps.count) steps"
    let why = node["failure"]["detail"].text ?? node["message"].text
    return "  \(node["name"].text ?? "?")  \(node["status"].text ?? "?")"
      + [parts, progress, why].compactMap { $0.map { "  " + $0 } }.joined()
  }

  /// A line for the whole and for each node that is not as it was.
  private static func changes(from old: JSONValue, to new: JSONValue) -> [String] {
    let before = Dictionary(
      old["nodes"].elements.map { ($0["name"].text ?? "", node($0)) }, uniquingKeysWith: { $1 })
    let lines = new["nodes"].elements.filter { before[$0["name"].text ?? ""] != node($0) }.map(node)
    return lines + (head(old) == head(new) ? [] : [head(new)])
  }
}
