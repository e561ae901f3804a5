package import Foundation
package import ParvaEngine

/// Writes workloads so that ``WorkloadReader`` reads them back equal.
package enum WorkloadWriter {
  package static func json(_ workloads: [Workload]) -> Data { document(workloads, .json) }
  package static func yaml(_ workloads: [Workload]) -> Data { document(workloads, .yaml) }

  /// One workload as ``WorkloadReader/readOne(_:)`` reads it.
  package static func json(_ workload: Workload) -> Data {
    var writer = DocumentWriter(.json)
    writer.object { write(workload, &$0) }
    writer.finish()
    return Data(writer.bytes)
  }

  /// The same on one line.
  package static func line(_ workload: Workload) -> Data {
    var writer = DocumentWriter(.json, capacity: 256)
    writer.object(inline: true) { write(workload, &$0) }
    return Data(writer.bytes)
  }

  private static func document(_ workloads: [Workload], _ style: DocumentWriter.Style) -> Data {
    var writer = DocumentWriter(style)
    writer.object { root in
      root.array("workloads") { list in
        for workload in workloads {
          list.object(inline: style == .json) { write(workload, &$0) }
        }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  /// The members of one workload in an object that may hold others too.
  package static func write(_ workload: Workload, _ object: inout DocumentWriter) {
    object.field("id", workload.id)
    object.field("model", workload.model)
    object.field("rate", workload.rate)
    writeSchedule(workload.schedule, &object)
    object.object("slo", inline: true) {
      $0.field("latencyMs", workload.sloLatencyMs)
      $0.field("percentile", workload.percentile)
      if let margin = workload.margin { $0.field("margin", margin) }
    }
    switch workload.arrivals {
    case .poisson: break
    case .deterministic: object.object("arrivals", inline: true) { $0.field("process", "deterministic") }
    case .gamma(let cv2):
      object.object("arrivals", inline: true) {
        $0.field("process", "gamma")
        $0.field("cv2", cv2)
      }
    case .trace(let name):
      object.object("arrivals", inline: true) {
        $0.field("process", "trace")
        $0.field("trace", name)
      }
    }
    if workload.priority != 0 { object.field("priority", workload.priority) }
    if !workload.labels.isEmpty {
      object.object("labels", inline: true) { labels in
        for (key, value) in workload.labels.sorted(by: { $0.key < $1.key }) { labels.entry(key, value) }
      }
    }
    if let launch = workload.launch { write(launch, &object) }
    if let queue = workload.declaredQueue { object.field("queue", queue.rawValue) }
    writePlacement(workload, &object)
  }

  private static func write(_ launch: ServerCommand, _ object: inout DocumentWriter) {
    object.object("launch", inline: true) { object in
      object.field("command", launch.command)
      if !launch.args.isEmpty { object.array("args", inline: true) { for arg in launch.args { $0.element(arg) } } }
      if !launch.env.isEmpty {
        object.object("env", inline: true) { env in
          for (key, value) in launch.env.sorted(by: { $0.key < $1.key }) { env.entry(key, value) }
        }
      }
      if let workdir = launch.workdir { object.field("workdir", workdir) }
      if let port = launch.port { object.field("port", port) }
      if let health = launch.health { object.field("health", health) }
      if let stopTimeout = launch.stopTimeout { object.field("stopTimeout", stopTimeout) }
      if launch.memoryMiB != nil || launch.cpus != nil {
        object.object("limits", inline: true) { limits in
          if let memory = launch.memoryMiB { limits.field("memoryMiB", memory) }
          if let cpus = launch.cpus { limits.field("cpus", cpus) }
        }
      }
    }
  }

  package static func text(_ workloads: [Workload], style: TextStyle) -> String {
    // What no workload declares has no column.
    let hasMargins = workloads.contains { $0.margin != nil }
    let hasQueues = workloads.contains { $0.queue != .shared }
    var table = TextTable(
      [
        ("workload", .left), ("model", .left), ("rate/s", .right), ("latency ms", .right), ("percentile", .right),
      ] + (hasMargins ? [("margin", .right)] : [])
        + [("arrivals", .left)] + (hasQueues ? [("queue", .left)] : [])
        + [("priority", .right), ("labels", .left)])
    for workload in workloads {
      let arrivals =
        switch workload.arrivals {
        case .poisson: "poisson"
        case .deterministic: "deterministic"
        case .gamma(let cv2): "gamma cv2 \(RangeCheck.plain(cv2))"
        case .trace(let name): "trace \(name)"
        }
      let margin = workload.margin.map { "\(RangeCheck.plain(($0 * 1e5).rounded() / 1e3)) %" } ?? ""
      let labels = workload.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      table.add(
        [
          workload.id, workload.model, RangeCheck.plain(workload.rate), RangeCheck.plain(workload.sloLatencyMs),
          RangeCheck.plain(workload.percentile),
        ] + (hasMargins ? [margin] : []) + [arrivals] + (hasQueues ? [workload.queue.rawValue] : [])
          + [String(workload.priority), labels.joined(separator: ",")])
    }
    return (table.lines(style) + [Figures.count(workloads.count, "workload")]).joined(separator: "\n") + "\n"
  }
}
