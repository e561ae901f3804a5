import ArgumentParser
import Foundation
import ParvaFormats

/// A kind of thing that a controller has, as the verbs name it: one row of ``all``.
struct ResourceKind: Sendable {
  /// A column of the table: its title, and what it shows of a row.
  struct Column: Sendable {
    let title: String
    var alignment = TextTable.Alignment.left
    /// Shown with `-o wide` alone.
    var isWide = false
    let cell: @Sendable (JSONValue) -> String?
  }

  /// How one of them is named where there are namespaces.
  enum Naming {
    /// They are the fleet's.
    case plain
    /// By an id that may have a namespace before it.
    case byID
    /// The same, of subscribers.
    case bySubscriber
    /// Beside the name.
    case byQuery
  }

  /// As it is typed, the plural first.
  let names: [String]
  let path: String
  /// Names the rows in the list's answer.
  let member: String
  /// Names one of them.
  let id: String
  /// Most rows of a page.
  let pageLimit: Int
  var takesSelector = false
  var canBeDeleted = true
  var naming = Naming.plain
  let columns: [Column]

  static let all: [ResourceKind] = [
    ResourceKind(
      names: ["workloads", "workload", "wl"], path: "/v1/workloads", member: "workloads", id: "id", pageLimit: 1000,
      takesSelector: true, naming: .byID,
      columns: [
        Column(title: "workload") { $0["id"].text }, Column(title: "model") { $0["model"].text },
        Column(title: "rate/s", alignment: .right) { figure($0["status"]["rate"]) ?? figure($0["rate"]) },
        Column(title: "latency ms", alignment: .right) { figure($0["slo"]["latencyMs"]) },
        Column(title: "state") { $0["status"]["state"].text },
        Column(title: "up/s", alignment: .right) { figure($0["status"]["capacityUp"]) },
        Column(title: "planned/s", alignment: .right) { figure($0["status"]["capacityPlanned"]) },
        Column(title: "why") { $0["status"]["code"].text },
        Column(title: "percentile", alignment: .right, isWide: true) { figure($0["slo"]["percentile"]) },
        Column(title: "priority", alignment: .right, isWide: true) { figure($0["priority"]) },
        Column(title: "labels", isWide: true) { labels($0["labels"]) },
        Column(title: "plan", alignment: .right, isWide: true) { figure($0["status"]["planRevision"]) },
        Column(title: "changed", isWide: true) { $0["updatedAt"].text },
        Column(title: "because", isWide: true) { $0["status"]["message"].text },
      ]),
    ResourceKind(
      names: ["nodes", "node"], path: "/v1/nodes", member: "nodes", id: "name", pageLimit: 1000,
      columns: [
        Column(title: "node") { $0["name"].text }, Column(title: "state") { $0["status"]["state"].text },
        Column(title: "zone") { $0["zone"].text },
        Column(title: "GPUs", alignment: .right) { row in
          row["status"]["usableGPUs"].number.map { "\(Int($0))/\(row["status"]["gpus"].elements.count)" }
        },
        Column(title: "verified", alignment: .right) { figure($0["status"]["verifiedRevision"]) },
        Column(title: "as planned") { $0["status"]["matchesPlan"].flag.map { $0 ? "yes" : "no" } },
        Column(title: "unhealthy", alignment: .right) { figure($0["status"]["unhealthyServices"]) },
        Column(title: "heard") { $0["status"]["lastHeartbeat"].text },
        Column(title: "") { $0["status"]["simulated"].flag == true ? "simulated" : nil },
        Column(title: "address", isWide: true) { $0["address"].text },
        Column(title: "labels", isWide: true) { labels($0["labels"]) },
      ]),
    ResourceKind(
      names: ["plans"], path: "/v1/plans", member: "plans", id: "revision", pageLimit: 500,
      canBeDeleted: false,
      columns: [
        Column(title: "revision", alignment: .right) { figure($0["revision"]) },
        Column(title: "GPUs", alignment: .right) { figure($0["gpuCount"]) },
        Column(title: "at least", alignment: .right) { figure($0["lowerBound"]) },
        Column(title: "status") { $0["status"].text }, Column(title: "planner") { $0["planner"].text },
        Column(title: "unplaced", alignment: .right) { figure($0["unplaced"]) },
        Column(title: "made") { $0["createdAt"].text }, Column(title: "why") { why($0["cause"]) },
      ]),
    ResourceKind(
      names: ["operations", "operation", "op"], path: "/v1/operations", member: "operations", id: "id", pageLimit: 200,
      canBeDeleted: false,
      columns: [
        Column(title: "operation") { $0["id"].text },
        Column(title: "plan", alignment: .right) { figure($0["planRevision"]) },
        Column(title: "status") { $0["status"].text },
        Column(title: "verified", alignment: .right) { row in
          let nodes = row["nodes"].elements
          return "\(nodes.count { $0["status"].text == "verified" })/\(nodes.count)"
        },
        Column(title: "begun") { $0["createdAt"].text }, Column(title: "changed") { $0["updatedAt"].text },
      ]),
    ResourceKind(
      names: ["namespaces", "namespace", "ns"], path: "/v1/namespaces", member: "namespaces", id: "name",
      pageLimit: 1000,
      columns: [
        Column(title: "namespace") { $0["name"].text },
        Column(title: "workloads", alignment: .right) { figure($0["use"]["workloads"]) },
        Column(title: "at most", alignment: .right) { figure($0["quota"]["workloads"]) },
        Column(title: "rate/s", alignment: .right) { figure($0["use"]["rate"]) },
        Column(title: "at most", alignment: .right) { figure($0["quota"]["rate"]) },
        Column(title: "GPUs at most", alignment: .right) { figure($0["quota"]["gpus"]) },
        Column(title: "weight", alignment: .right) { figure($0["weight"]) },
        Column(title: "made") { $0["createdAt"].text },
      ]),
    ResourceKind(
      names: ["windows", "window"], path: "/v1/windows", member: "windows", id: "name", pageLimit: 100,
      columns: [
        Column(title: "window") { $0["name"].text }, Column(title: "kind") { $0["kind"].text },
        Column(title: "days") { days($0["days"].elements.compactMap(\.text)) },
        Column(title: "from") { $0["from"].text ?? $0["start"].text },
        Column(title: "to") { $0["to"].text ?? $0["end"].text },
        Column(title: "time zone") { $0["timeZone"].text },
        Column(title: "except") { $0["except"].elements.compactMap(\.text).joined(separator: " ") },
        Column(title: "now") { $0["now"].flag == true ? "yes" : "no" }, Column(title: "why") { $0["reason"].text },
      ]),
    ResourceKind(
      names: ["profiles", "profile"], path: "/v1/profiles", member: "profiles", id: "model", pageLimit: 1000,
      naming: .byQuery,
      columns: [
        Column(title: "model") { $0["model"].text }, Column(title: "product") { $0["product"].text },
        Column(title: "namespace") { $0["namespace"].text }, Column(title: "source") { $0["source"].text },
        Column(title: "points", alignment: .right) { row in
          figure(row["pointCount"]) ?? (row["points"] == .null ? nil : "\(row["points"].elements.count)")
        },
        Column(title: "origin") { $0["origin"].text },
        Column(title: "revision", alignment: .right, isWide: true) { figure($0["revision"]) },
        Column(title: "filled", alignment: .right, isWide: true) { figure($0["filledCount"]) },
        Column(title: "greatest margin", alignment: .right, isWide: true) { figure($0["greatestMargin"]) },
      ]),
    ResourceKind(
      names: ["webhooks", "webhook", "wh"], path: "/v1/webhooks", member: "webhooks", id: "id", pageLimit: 1000,
      naming: .bySubscriber,
      columns: [
        Column(title: "webhook") { $0["id"].text }, Column(title: "name") { $0["name"].text },
        Column(title: "state") { $0["status"]["state"].text }, Column(title: "url") { $0["url"].text },
        Column(title: "labels") { $0["labelSelector"].text },
        Column(title: "waiting", alignment: .right) { figure($0["status"]["waiting"]) },
        Column(title: "failures", alignment: .right) { figure($0["status"]["failures"]) },
        Column(title: "delivered") { $0["status"]["lastDeliveredAt"].text },
      ]),
  ]

  static func named(_ name: String) throws -> ResourceKind {
    guard let kind = all.first(where: { $0.names.contains(name.lowercased()) }) else {
      throw ValidationError(
        "There are no '\(name)'; there are plan, \(all.map { $0.names[0] }.joined(separator: ", ")).")
    }
    return kind
  }

  /// A kind and names as they are typed: `workload web bert`, or `workloads/web workloads/bert` as `-o name` prints them.
  static func typed(_ kind: String, _ names: [String]) throws -> (kind: ResourceKind, names: [String]) {
    guard kind.contains("/") else { return (try named(kind), names) }
    let pairs = try ([kind] + names).map { text in
      let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[1].isEmpty else {
        throw ValidationError("'\(text)': beside \(kind) every name has its kind before it, as workloads/web.")
      }
      return (kind: try named(parts[0]), name: parts[1])
    }
    if let other = pairs.first(where: { $0.kind.path != pairs[0].kind.path }) {
      throw ValidationError("'\(other.kind.names[0])/\(other.name)' is of another kind than \(kind).")
    }
    return (pairs[0].kind, pairs.map(\.name))
  }

  /// What one row is called.
  func name(of row: JSONValue) -> String { row[id].text ?? Self.figure(row[id]) ?? "" }

  /// What its path is.
  func path(to name: String) -> String { "\(path)/\(ServerConnection.escaped(name))" }

  /// Columns in which nothing stands are left out.
  func table(_ rows: [JSONValue], _ style: TextStyle, isWide: Bool = false) -> String {
    guard !rows.isEmpty else { return "no \(names[0])\n" }
    return Self.lines(rows, columns.filter { isWide || !$0.isWide }, style).joined(separator: "\n") + "\n"
  }

  /// None for no rows.
  static func lines(_ rows: [JSONValue], _ columns: [Column], _ style: TextStyle) -> [String] {
    guard !rows.isEmpty else { return [] }
    let cells = rows.map { row in columns.map { $0.cell(row) ?? "" } }
    let shown = columns.indices.filter { column in cells.contains { !$0[column].isEmpty } }
    var table = TextTable(shown.map { (columns[$0].title, columns[$0].alignment) })
    for row in cells { table.add(shown.map { row[$0] }) }
    return table.lines(style)
  }

  /// `key=value,...`, in order.
  private static func labels(_ value: JSONValue) -> String? {
    guard case .object(let members) = value else { return nil }
    return members.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text ?? "")" }.joined(separator: ",")
  }

  /// `mon tue`, `all` for all of them.
  private static func days(_ names: [String]) -> String {
    names.count == 7 ? "all" : names.map { String($0.prefix(3)) }.joined(separator: " ")
  }

  /// What a plan was made for.
  static func why(_ cause: JSONValue) -> String? {
    var parts = cause["triggers"].elements.compactMap(\.text)
    if let revision = figure(cause["broughtBack"]) { parts.append("to \(revision)") }
    for name in ["changed", "removed"] {
      guard let count = cause[name]["count"].number else { continue }
      let first = cause[name]["first"].elements.prefix(3).compactMap(\.text)
      let more = Int(count) - first.count
      parts.append("\(name) " + first.joined(separator: " ") + (more > 0 ? " and \(more) more" : ""))
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  static func figure(_ value: JSONValue) -> String? {
    value.number.map { Int(exactly: $0).map(String.init) ?? Figures.plain($0) }
  }
}
