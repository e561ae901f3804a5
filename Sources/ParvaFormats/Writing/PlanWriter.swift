package import Foundation
package import ParvaEngine

/// What a controller names a plan by that it has published.
package struct PlanIdentity: Hashable, Sendable {
  package var revision: Int
  /// The newest demand revision that the plan was found to serve.
  package var demandRevision: Int

  package init(revision: Int, demandRevision: Int) {
    self.revision = revision
    self.demandRevision = demandRevision
  }
}

/// Writes a plan for other programs. The same plan gives the same bytes.
package enum PlanWriter {
  /// Version of the document that ``json(_:)`` and ``yaml(_:)`` write and ``PlanReader`` reads.
  package static let schemaVersion = 1

  /// A JSON document in the order of the interface's description, one segment a line. O(segments).
  package static func json(_ plan: Plan, as identity: PlanIdentity? = nil) -> Data { document(plan, .json, identity) }

  /// The same document as YAML. O(segments).
  package static func yaml(_ plan: Plan, as identity: PlanIdentity? = nil) -> Data { document(plan, .yaml, identity) }

  /// A document that ``json(_:)`` wrote, with its name in it. O(bytes), and much faster than writing it again.
  package static func json(_ document: Data, as identity: PlanIdentity) -> Data {
    var writer = DocumentWriter(.json)
    writer.object { begin(&$0, identity) }
    let head = writer.bytes.dropLast(2)
    var plain = DocumentWriter(.json)
    plain.object { begin(&$0, nil) }
    let replaced = plain.bytes.dropLast(2)
    guard document.starts(with: replaced) else { return document }
    var named = Data(capacity: document.count + head.count)
    named.append(contentsOf: head)
    named.append(document.dropFirst(replaced.count))
    return named
  }

  private static func begin(_ root: inout DocumentWriter, _ identity: PlanIdentity?) {
    root.field("schemaVersion", schemaVersion)
    if let identity {
      root.field("revision", identity.revision)
      root.field("demandRevision", identity.demandRevision)
    }
  }

  static let csvHeader =
    "gpu,pool,product,node,uuid,segment,workload,model,profile,profile_id,start,size,compute_slices,batch,processes,"
    + "capacity,load,latency_ms,profile_source"

  /// One row a segment. Workloads that are left out do not appear. O(segments).
  package static func csv(_ plan: Plan) -> Data {
    var text = csvHeader + "\n"
    for (index, gpu) in plan.gpus.enumerated() {
      for segment in gpu.segments {
        let profile = gpu.product.profiles[segment.profile]
        text +=
          "\(index),\(CSVWriter.field(gpu.pool)),\(gpu.product.name),\(CSVWriter.field(gpu.node ?? "")),"
          + "\(CSVWriter.field(gpu.uuid ?? "")),\(segment.id),\(segment.workload),\(CSVWriter.field(segment.model)),"
          + "\(profile.name),\(profile.driverProfileID),\(segment.start),\(profile.placementSize),"
          + "\(profile.computeSlices),\(segment.batch),\(segment.processes),\(segment.capacity),\(segment.load),"
          + "\(segment.latencyMs),\(plan.summary.profileSource.rawValue)\n"
      }
    }
    return Data(text.utf8)
  }

  private static func document(_ plan: Plan, _ style: DocumentWriter.Style, _ identity: PlanIdentity?) -> Data {
    let segments = plan.gpus.reduce(0) { $0 + $1.segments.count }
    var writer = DocumentWriter(style, capacity: 1024 + segments * 320)
    writer.object { write(plan, style, identity, &$0) }
    writer.finish()
    return Data(writer.bytes)
  }

  /// The members of the document, where it is part of another one.
  package static func write(
    _ plan: Plan, _ style: DocumentWriter.Style, _ identity: PlanIdentity?, _ root: inout DocumentWriter
  ) {
    write(plan, style, identity, &root) { gpus in
      for (index, gpu) in plan.gpus.enumerated() {
        gpus.object { write(gpu, index, style, &$0) }
      }
    }
  }

  /// The same, with the list of GPUs by whoever knows better.
  static func write(
    _ plan: Plan, _ style: DocumentWriter.Style, _ identity: PlanIdentity?, _ root: inout DocumentWriter,
    gpus: (inout DocumentWriter) -> Void
  ) {
    begin(&root, identity)
    root.field("planner", plan.planner)
    root.field("admission", plan.admission)
    if let margin = plan.margin { root.field("margin", margin) }
    if let objective = plan.objective { root.field("objective", objective.name) }
    if let maxProcesses = plan.maxProcesses { root.field("maxProcesses", maxProcesses) }
    root.field("status", plan.status.rawValue)
    root.array("gpus", gpus)
    root.array("unplaced") { list in
      for refusal in plan.unplaced {
        list.object(inline: style == .json) {
          $0.field("workload", refusal.workload)
          $0.field("code", refusal.code.rawValue)
          $0.field("message", refusal.message)
        }
      }
    }
    write(partial: plan.partial, style, &root)
    root.object("summary") { write(plan.summary, &$0) }
    if let certificate = plan.certificate { write(certificate, style, &root) }
  }

  static func write(
    _ gpu: PlannedGPU, _ index: Int, _ style: DocumentWriter.Style, _ object: inout DocumentWriter
  ) {
    object.field("index", index)
    object.field("pool", gpu.pool)
    object.field("product", gpu.product.name)
    object.field("node", gpu.node)
    object.field("uuid", gpu.uuid)
    object.array("segments") { list in
      for segment in gpu.segments {
        list.object(inline: style == .json) { write(segment, on: gpu, &$0) }
      }
    }
  }

  /// The members of a segment, where it stands in a list of another kind.
  package static func write(_ segment: Segment, on gpu: PlannedGPU, _ object: inout DocumentWriter) {
    let profile = gpu.product.profiles[segment.profile]
    object.field("id", segment.id)
    object.field("workload", segment.workload)
    object.field("model", segment.model)
    object.field("profile", profile.name)
    object.field("profileId", profile.driverProfileID)
    object.field("start", segment.start)
    object.field("size", profile.placementSize)
    writeService(of: segment, on: gpu, &object)
  }

  /// What a segment can do and has to do, wherever it stands.
  package static func writeService(of segment: Segment, on gpu: PlannedGPU, _ object: inout DocumentWriter) {
    object.field("computeSlices", gpu.product.profiles[segment.profile].computeSlices)
    object.field("batch", segment.batch)
    object.field("processes", segment.processes)
    object.field("capacity", segment.capacity)
    object.field("load", segment.load)
    object.field("latencyMs", segment.latencyMs)
  }

  static func write(_ summary: PlanSummary, _ object: inout DocumentWriter) {
    object.field("gpuCount", summary.gpuCount)
    object.field("lowerBound", summary.lowerBound)
    object.field("gap", summary.gap)
    object.field("allocatedSlices", summary.allocatedSlices)
    object.field("externalFragmentation", summary.externalFragmentation)
    object.field("internalSlack", summary.internalSlack)
    for objective in PlanObjective.summed { object.entry(objective.name, summary.sums[objective.name]) }
    object.field("profileSource", summary.profileSource.rawValue)
    if summary.isCutShort { object.field("cutShort", true) }
  }
}

/// Quoting of CSV fields (RFC 4180, section 2).
enum CSVWriter {
  static func field(_ text: String) -> String {
    let special: Set<UInt8> = [0x22, 0x2c, 0x0a, 0x0d]
    guard text.utf8.contains(where: special.contains) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }
}
