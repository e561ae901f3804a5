import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP

/// What `parva logs` is about.
enum LogSubject: Hashable, Sendable {
  case workload(String), node(String), operation(String?), plan

  init(_ kind: String, _ name: String?) throws {
    var (found, name) = ("plan", name)
    if kind.lowercased() != "plan" {
      let (typed, names) = try ResourceKind.typed(kind, name.map { [$0] } ?? [])
      guard names.count <= 1 else { throw ValidationError("There are logs of one at a time.") }
      (found, name) = (typed.names[0], names.first)
    }
    switch (found, name) {
    case ("plan", _), ("plans", nil): self = .plan
    case ("operations", let name): self = .operation(name)
    case ("workloads", let name?): self = .workload(name)
    case ("nodes", let name?): self = .node(name)
    case ("workloads", nil), ("nodes", nil):
      throw ValidationError("Name the \(found == "nodes" ? "node" : "workload").")
    default: throw ValidationError("There are logs of a workload, a node, an operation and the plan, not of \(found).")
    }
  }

  /// With the newest operation where none is named, and a workload's id as the controller tells it.
  func resolved(_ scope: ScopeOptions, _ connection: ServerConnection) async throws -> LogSubject {
    switch self {
    case .operation(let id): return .operation(try await RolloutReport.id(id, connection))
    case .workload(let id):
      let scope = try await scope.scope(connection, ids: [id])
      return .workload(scope.told(try scope.id(id)))
    case .node, .plan: return self
    }
  }

  /// As the audit names it.
  fileprivate var resources: [String] {
    switch self {
    case .workload(let name): ["workloads/\(name)"]
    case .node(let name): ["nodes/\(name)"]
    case .operation(let id): id.map { ["operations/\($0)"] } ?? []
    case .plan: ["plan", "plans", "workloads"]
    }
  }

  /// Its own document; nil for what has none.
  fileprivate var path: String? {
    switch self {
    case .workload(let name): "/v1/workloads/\(ServerConnection.escaped(name))"
    case .node(let name): "/v1/nodes/\(ServerConnection.escaped(name))"
    case .operation, .plan: nil
    }
  }
}

/// One thing that has happened.
struct LogLine: Hashable, Sendable {
  /// RFC 3339, UTC.
  let time: String
  /// `workload`, `state`, `plan`, `rollout` or `change`.
  let source: String
  let text: String
  /// What the controller tells of it.
  let row: JSONValue

  /// Two lines that have it in common tell the same.
  var identity: [JSONValue] {
    // What is said of a condition now goes on changing while it is so.
    [.string(time), .string(source)] + (row["since"] == .null ? [row] : [row["type"], row["status"]])
  }

  var document: JSONValue {
    .object(["time": .string(time), "source": .string(source), "text": .string(text), "of": row])
  }
}

/// Gathers what a controller tells of one thing, and each time what is new of it.
struct LogReader: Sendable {
  /// Rows of each list that are looked at.
  private static let most = 200

  let subject: LogSubject
  private let since: Date?
  private let limit: Int
  /// What has been shown, by what the controller tells of it.
  private var seen: Set<[JSONValue]> = []
  private var isFirst = true
  /// Whether the audit may be read.
  private var mayAudit = true

  init(subject: LogSubject, since: String?, limit: Int) {
    (self.subject, self.limit) = (subject, limit)
    self.since = since.flatMap(Self.date)
  }

  /// Oldest first. The first time at most so many as were asked for.
  ///
  /// - Throws: ``CommandFailure`` where there is no such thing, and nothing is known of one that was.
  mutating func next(_ connection: ServerConnection) async throws -> [LogLine] {
    var lines = try await states(connection)
    let isThere = lines != nil
    lines = (lines ?? []) + (try await plans(connection)) + (try await operations(connection))
    lines! += try await changes(connection)
    var found: [LogLine] = []
    // What has one time stays as it was told: the controller tells a workload's declaration before what came of it.
    let ordered = (lines ?? []).enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
    for (_, line) in ordered where !seen.contains(line.identity) {
      if let since, let date = Self.date(line.time), date < since { continue }
      found.append(line)
    }
    seen = Set((lines ?? []).map(\.identity))
    if isFirst {
      if !isThere, seen.isEmpty { _ = try await connection.value(subject.path ?? "") }
      if limit > 0 { found = found.suffix(limit) }
      isFirst = false
    }
    return found
  }

  private static func date(_ text: String) -> Date? {
    [true, false].lazy.compactMap { fraction in
      try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: fraction))
    }.first
  }

  /// What has been so of a workload, each as it was told then; of a node what is so since when. Nil where it is not there.
  private func states(_ connection: ServerConnection) async throws -> [LogLine]? {
    guard let path = subject.path else { return [] }
    if case .workload = subject { return try await history(path, connection) }
    let response = try await connection.send("GET", path, accepting: [404])
    guard response.status != 404 else { return nil }
    // Only the status is of that time; reason and figures are those of now.
    return try ServerConnection.value(of: response)["status"]["conditions"].elements.compactMap { row in
      guard let since = row["since"].text, let type = row["type"].text, let status = row["status"].text else {
        return nil
      }
      return LogLine(
        time: since, source: "state",
        text: "\(type) is \(status); now \(row["reason"].text ?? ""), \(row["message"].text ?? "")",
        row: row)
    }
  }

  private func history(_ path: String, _ connection: ServerConnection) async throws -> [LogLine]? {
    let response = try await connection.send("GET", path + "/history", accepting: [404])
    guard response.status != 404 else { return nil }
    return try ServerConnection.value(of: response)["history"].elements.compactMap { row in
      guard let time = row["time"].text, let type = row["type"].text, let status = row["status"].text else {
        return nil
      }
      let (reason, message) = (row["reason"].text ?? "", row["message"].text ?? "")
      switch (type, status) {
      case ("Registered", _): return LogLine(time: time, source: "workload", text: "\(reason): \(message)", row: row)
      case ("Planned", "True"): return LogLine(time: time, source: "plan", text: message, row: row)
      default:
        return LogLine(
          time: time, source: type == "Planned" ? "plan" : "state",
          text: "\(type) is \(status): \(reason), \(message)", row: row)
      }
    }
  }

  /// Plans, of a workload those that were made because of it.
  private func plans(_ connection: ServerConnection) async throws -> [LogLine] {
    let name: String?
    switch subject {
    case .plan: name = nil
    case .workload(let id): name = id
    case .node, .operation: return []
    }
    let response = try await connection.send("GET", "/v1/plans?limit=\(Self.most)", accepting: [403])
    // Whose token is for one namespace sees no plans of all: of a workload its history tells what they gave it.
    if response.status == 403, name != nil { return [] }
    guard response.status != 403 else { throw ServerConnection.failure(response, "GET", "/v1/plans") }
    return try ServerConnection.value(of: response)["plans"].elements.compactMap { row in
      let cause = row["cause"]
      let names = (cause["changed"]["first"].elements + cause["removed"]["first"].elements).compactMap(\.text)
      guard let made = row["createdAt"].text, name.map(names.contains) ?? true else { return nil }
      let count = Int(row["gpuCount"].number ?? 0)
      let gpus = "\(count) GPU\(count == 1 ? "" : "s")"
      let unplaced = Int(row["unplaced"].number ?? 0)
      let why = ResourceKind.why(cause).map { ", because of \($0)" } ?? ""
      return LogLine(
        time: made, source: "plan",
        text:
          "revision \(Int(row["revision"].number ?? 0)): \(gpus)\(unplaced > 0 ? ", \(unplaced) not served" : "")\(why)",
        row: row)
    }
  }

  /// Operations, of a node its part of them.
  private func operations(_ connection: ServerConnection) async throws -> [LogLine] {
    let rows: [JSONValue]
    switch subject {
    case .workload: return []
    case .operation(let id):
      rows = [try await connection.value("/v1/operations/\(ServerConnection.escaped(id ?? ""))")]
    case .node, .plan: rows = try await connection.value("/v1/operations?limit=\(Self.most)")["operations"].elements
    }
    return rows.flatMap { row -> [LogLine] in
      let what = "\(row["id"].text ?? "") of plan \(Int(row["planRevision"].number ?? 0))"
      var lines: [LogLine] = []
      func add(_ time: JSONValue, _ text: String, _ row: JSONValue) {
        if let time = time.text { lines.append(LogLine(time: time, source: "rollout", text: text, row: row)) }
      }
      let nodes = row["nodes"].elements
      if case .node(let name) = subject {
        guard let node = nodes.first(where: { $0["name"].text == name }) else { return [] }
        add(row["updatedAt"], "\(what): \(Self.status(node))", node)
        return lines
      }
      add(row["createdAt"], "\(what): begun", row)
      add(row["updatedAt"], "\(what): \(Self.status(row))", row)
      if case .operation = subject {
        for node in nodes { add(row["updatedAt"], "\(node["name"].text ?? ""): \(Self.status(node))", node) }
      }
      return lines
    }
  }

  private static func status(_ row: JSONValue) -> String {
    let message = row["message"].text ?? row["failure"]["message"].text
    return (row["status"].text ?? "") + (message.map { ", \($0)" } ?? "")
  }

  /// Who has changed what, for those who may know.
  private mutating func changes(_ connection: ServerConnection) async throws -> [LogLine] {
    guard mayAudit else { return [] }
    var lines: [LogLine] = []
    for resource in subject.resources {
      let count = limit == 0 ? 1_000 : min(1_000, max(Self.most, limit))
      let path = "/v1/audit?limit=\(count)&resource=\(ServerConnection.escaped(resource))"
      let response = try await connection.send("GET", path, accepting: [403])
      guard response.status != 403 else {
        mayAudit = false
        Console.error("who has changed what is not shown: that takes a token of the role admin")
        return []
      }
      for row in try ServerConnection.value(of: response)["entries"].elements {
        // Of the plan what is done to it, and to the workloads all at once.
        if case .plan = subject, resource == "workloads", row["resource"].text != "workloads" { continue }
        guard let time = row["time"].text else { continue }
        let end = row["changed"].flag == true ? "" : ", and changed nothing"
        lines.append(
          LogLine(
            time: time, source: "change",
            text: "\(row["name"].text ?? ""): \(row["method"].text ?? "") \(row["path"].text ?? "") was answered "
              + "\(Int(row["status"].number ?? 0))\(end)", row: row))
      }
    }
    return lines
  }
}
