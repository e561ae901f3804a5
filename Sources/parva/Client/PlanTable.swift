import Foundation
import ParvaFormats

/// A plan as a table of its segments, for who is told its own part alone, and for who wants a row for each.
enum PlanTable {
  /// Segments of a plan's document, those of a namespace's part as well. Those of a whole plan with where they stand.
  static func segments(of plan: JSONValue) -> [JSONValue] {
    guard plan["gpus"] != .null else { return plan["segments"].elements }
    return plan["gpus"].elements.enumerated().flatMap { index, gpu in
      gpu["segments"].elements.map { segment in
        guard case .object(var members) = segment else { return segment }
        members["gpu"] = .number(Double(index))
        for name in ["pool", "product", "node", "uuid"] where gpu[name] != .null { members[name] = gpu[name] }
        return .object(members)
      }
    }
  }

  private static let columns: [ResourceKind.Column] = [
    .init(title: "segment") { $0["id"].text }, .init(title: "workload") { $0["workload"].text },
    .init(title: "model") { $0["model"].text }, .init(title: "product") { $0["product"].text },
    .init(title: "profile") { $0["profile"].text },
    .init(title: "capacity/s", alignment: .right) { tenths($0["capacity"]) },
    .init(title: "load/s", alignment: .right) { tenths($0["load"]) },
    .init(title: "batch", alignment: .right, isWide: true) { ResourceKind.figure($0["batch"]) },
    .init(title: "processes", alignment: .right, isWide: true) { ResourceKind.figure($0["processes"]) },
    .init(title: "latency ms", alignment: .right, isWide: true) { tenths($0["latencyMs"]) },
    .init(title: "GPU", alignment: .right, isWide: true) { ResourceKind.figure($0["gpu"]) },
    .init(title: "start", alignment: .right, isWide: true) { ResourceKind.figure($0["start"]) },
    .init(title: "pool", isWide: true) { $0["pool"].text }, .init(title: "node", isWide: true) { $0["node"].text },
  ]

  /// A row a segment, and a line for each workload that is left out or served in part.
  static func text(_ plan: JSONValue, _ style: TextStyle, isWide: Bool) -> String {
    let rows = segments(of: plan)
    var lines = ResourceKind.lines(rows, columns.filter { isWide || !$0.isWide }, style)
    lines += plan["partial"].elements.map { row in
      "\(row["workload"].text ?? ""): \(tenths(row["served"]) ?? "") of \(tenths(row["demanded"]) ?? "")/s, \(why(row))"
    }
    lines += plan["unplaced"].elements.map { "\($0["workload"].text ?? ""): not served, \(why($0))" }
    let served = Set(rows.compactMap { $0["workload"].text }).count
    let whose = plan["namespace"].text.map { " of the namespace \($0)" } ?? ""
    let count = "\(rows.count) segment\(rows.count == 1 ? "" : "s")"
    lines.append(
      "plan revision \(ResourceKind.figure(plan["revision"]) ?? "0"): \(count) for \(served) workload\(served == 1 ? "" : "s")\(whose)"
    )
    return lines.joined(separator: "\n") + "\n"
  }

  private static func why(_ row: JSONValue) -> String { "\(row["code"].text ?? ""): \(row["message"].text ?? "")" }

  private static func tenths(_ value: JSONValue) -> String? { value.number.map { String(format: "%.1f", $0) } }
}
