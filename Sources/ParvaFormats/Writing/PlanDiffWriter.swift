package import Foundation
package import ParvaEngine

/// Writes what changes between two plans, for programs and for people.
package struct PlanDiffWriter {
  private let diff: PlanDiff
  private let old: Plan
  private let new: Plan

  package init(from old: Plan, to new: Plan) {
    self.old = old
    self.new = new
    diff = PlanDiff(from: old, to: new)
  }

  package var isEmpty: Bool { diff.isEmpty }

  package func json() -> Data { document(.json) }
  package func yaml() -> Data { document(.yaml) }

  private struct Row {
    var kind: String
    var id: String
    var from: PlanDiff.Place?
    var to: PlanDiff.Place?
  }

  private var rows: [Row] {
    diff.changes.map { change in
      switch change {
      case .added(let place): Row(kind: "added", id: place.segment.id, from: nil, to: place)
      case .removed(let place): Row(kind: "removed", id: place.segment.id, from: place, to: nil)
      case .moved(let from, let to): Row(kind: "moved", id: to.segment.id, from: from, to: to)
      case .retuned(let from, let to): Row(kind: "retuned", id: to.segment.id, from: from, to: to)
      case .reloaded(let from, let to): Row(kind: "reloaded", id: to.segment.id, from: from, to: to)
      }
    }
  }

  private func document(_ style: DocumentWriter.Style) -> Data {
    var writer = DocumentWriter(style)
    writer.object { write(style, &$0) }
    writer.finish()
    return Data(writer.bytes)
  }

  /// The members of the document, where it is part of another one.
  package func write(_ style: DocumentWriter.Style, _ root: inout DocumentWriter) {
    root.array("changes") { list in
      for row in rows {
        list.object { object in
          object.field("change", row.kind)
          object.field("segment", row.id)
          write("from", row.from, old, &object)
          write("to", row.to, new, &object)
        }
      }
    }
    for (key, refusals) in [
      ("newlyUnplaced" as StaticString, diff.newlyUnserved),
      ("noLongerUnplaced", diff.noLongerUnserved),
    ] {
      root.array(key) { list in
        for refusal in refusals {
          list.object(inline: style == .json) {
            $0.field("workload", refusal.workload)
            $0.field("code", refusal.code.rawValue)
            $0.field("message", refusal.message)
          }
        }
      }
    }
    root.object("summary") {
      $0.field("changed", diff.changes.count)
      $0.field("kept", diff.kept)
      $0.field("instancesCreated", diff.instancesCreated)
      $0.field("instancesDestroyed", diff.instancesDestroyed)
      $0.field("instancesKept", diff.instancesKept)
      $0.field("gpusBefore", diff.gpusBefore)
      $0.field("gpusAfter", diff.gpusAfter)
    }
  }

  private func write(
    _ key: StaticString, _ place: PlanDiff.Place?, _ plan: Plan, _ object: inout DocumentWriter
  ) {
    guard let place else { return object.null(key) }
    let gpu = plan.gpus[place.gpu]
    object.object(key, inline: true) {
      $0.field("gpu", place.gpu)
      $0.field("node", gpu.node)
      $0.field("uuid", gpu.uuid)
      $0.field("pool", gpu.pool)
      $0.field("product", gpu.product.name)
      $0.field("profile", gpu.product.profiles[place.segment.profile].name)
      $0.field("profileId", gpu.product.profiles[place.segment.profile].driverProfileID)
      $0.field("start", place.segment.start)
      $0.field("batch", place.segment.batch)
      $0.field("processes", place.segment.processes)
      $0.field("load", place.segment.load)
      $0.field("capacity", place.segment.capacity)
    }
  }

  /// One row a changed segment.
  package func csv() -> Data {
    let columns = [
      "gpu", "node", "uuid", "pool", "profile", "profile_id", "start", "batch", "processes", "load", "capacity",
    ]
    var text =
      "change,segment," + columns.map { "from_\($0)" }.joined(separator: ",") + ","
      + columns.map { "to_\($0)" }.joined(separator: ",") + "\n"
    func fields(_ place: PlanDiff.Place?, _ plan: Plan) -> String {
      guard let place else { return String(repeating: ",", count: columns.count - 1) }
      let (gpu, segment) = (plan.gpus[place.gpu], place.segment)
      let profile = gpu.product.profiles[segment.profile]
      return
        "\(place.gpu),\(CSVWriter.field(gpu.node ?? "")),\(CSVWriter.field(gpu.uuid ?? "")),\(CSVWriter.field(gpu.pool)),\(profile.name),\(profile.driverProfileID),\(segment.start),"
        + "\(segment.batch),\(segment.processes),\(segment.load),\(segment.capacity)"
    }
    for row in rows { text += "\(row.kind),\(row.id),\(fields(row.from, old)),\(fields(row.to, new))\n" }
    return Data(text.utf8)
  }

  /// One line a change, then totals.
  package func text(_ style: TextStyle) -> String {
    let signs = ["added": "+", "removed": "-", "moved": ">", "retuned": "~", "reloaded": "="]
    var lines = rows.map { row in
      let parts = [row.from.map { describe($0, old, row.kind) }, row.to.map { describe($0, new, row.kind) }]
      return "\(signs[row.kind] ?? "?") \(row.id): \(row.kind) "
        + parts.compactMap(\.self).joined(separator: style.unicode ? " → " : " -> ")
    }
    lines += diff.newlyUnserved.map { "! \($0.workload): no longer served: \($0.message) [\($0.code.rawValue)]" }
    lines += diff.noLongerUnserved.map { "* \($0.workload): served now" }
    let totals =
      "\(Figures.count(diff.changes.count, "segment")) changed, \(diff.kept) kept \(style.dot) "
      + "\(Figures.count(diff.instancesCreated, "instance")) to create, \(diff.instancesDestroyed) to destroy, "
      + "\(diff.instancesKept) kept \(style.dot) GPUs \(diff.gpusBefore) \(style.unicode ? "→" : "->") \(diff.gpusAfter)"
    return (lines + [style.bold(totals)]).joined(separator: "\n") + "\n"
  }

  private func describe(_ place: PlanDiff.Place, _ plan: Plan, _ kind: String) -> String {
    let segment = place.segment
    let gpu = plan.gpus[place.gpu]
    let profile = gpu.product.profiles[segment.profile].name
    return switch kind {
    case "retuned": "\(segment.model) batch \(segment.batch) processes \(segment.processes)"
    case "reloaded": "\(Figures.plain(segment.load))/s of \(Figures.plain(segment.capacity))/s"
    default: "\(Self.name(gpu) ?? "GPU \(place.gpu)") \(profile) at \(segment.start)"
    }
  }

  /// A bound GPU by its node and the beginning of its UUID: its number may be another one in the next plan.
  private static func name(_ gpu: PlannedGPU) -> String? {
    guard let uuid = gpu.uuid else { return nil }
    // As the driver writes them: `GPU-` and 36 digits and hyphens, of which the first eight tell GPUs apart.
    return (gpu.node.map { "\($0) " } ?? "") + (uuid.utf8.count == 40 ? String(uuid.prefix(12)) : uuid)
  }
}
