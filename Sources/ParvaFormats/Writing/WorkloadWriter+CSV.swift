package import Foundation
package import ParvaEngine

extension WorkloadWriter {
  /// A column of the CSV, with its cell; empty for what a workload leaves at its default.
  private struct Column {
    var name: String
    /// Whether it is written where no workload has anything in it.
    var isAlways = false
    var cell: (Workload) -> String
  }

  private static var columns: [Column] {
    [
      Column(name: "id", isAlways: true) { $0.id },
      Column(name: "model", isAlways: true) { $0.model },
      Column(name: "rate", isAlways: true) { "\($0.rate)" },
      Column(name: "latency_ms", isAlways: true) { "\($0.sloLatencyMs)" },
      Column(name: "percentile", isAlways: true) { "\($0.percentile)" },
      Column(name: "margin") { $0.margin.map { "\($0)" } ?? "" },
      Column(name: "priority", isAlways: true) { "\($0.priority)" },
      Column(name: "arrivals") { workload in
        switch workload.arrivals {
        case .poisson: ""
        case .deterministic: "deterministic"
        case .gamma(let cv2): "gamma:\(cv2)"
        case .trace(let name): "trace:\(name)"
        }
      },
      Column(name: "labels") { workload in
        workload.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "|")
      },
      Column(name: "queue") { $0.declaredQueue?.rawValue ?? "" },
      Column(name: "products") { $0.constraints.products.joined(separator: "|") },
      Column(name: "exclude_products") { $0.constraints.excludeProducts.joined(separator: "|") },
      Column(name: "pools") { $0.constraints.pools.joined(separator: "|") },
      Column(name: "exclude_pools") { $0.constraints.excludePools.joined(separator: "|") },
      Column(name: "spread") { workload in
        workload.constraints.spread.map { "\($0.over.rawValue):\($0.atLeast)" } ?? ""
      },
      Column(name: "exclusive") { $0.constraints.exclusive ?? "" },
      Column(name: "allow_partial") { $0.allowsPartial ? "true" : "" },
      Column(name: "move_cost") { $0.moveCost.map { "\($0)" } ?? "" },
      Column(name: "max_processes") { $0.maxProcesses.map { "\($0)" } ?? "" },
      Column(name: "min_replicas") { $0.constraints.replicas.map { "\($0.least)" } ?? "" },
      Column(name: "max_replicas") { $0.constraints.replicas?.most.map { "\($0)" } ?? "" },
      Column(name: "survive") { workload in
        workload.constraints.survive.map { "\($0.over == .gpu ? "gpus" : "nodes"):\($0.losses)" } ?? ""
      },
    ]
  }

  /// One row a workload; a column that is not of every file is there where some workload needs it.
  ///
  /// - Throws: `not_in_format` for each workload that CSV cannot hold whole: one with a launch or a schedule, or with more labels
  ///   than fit into a field.
  package static func csv(_ workloads: [Workload]) throws(InputErrors) -> Data {
    var refusals = Refusals()
    let columns = columns.map { (column: $0, cells: workloads.map($0.cell)) }
      .filter { $0.column.isAlways || $0.cells.contains { !$0.isEmpty } }
    for (index, workload) in workloads.enumerated() {
      let long = columns.first { $0.cells[index].utf8.count > InputLimits.csvFieldBytes }
      let beyond = workload.launch != nil ? "launch" : workload.schedule.isEmpty ? long?.column.name : "schedule"
      guard let problem = beyond else { continue }
      refusals.add(
        InputError(.notInFormat, "CSV cannot hold the \(problem) of \(workload.id); JSON and YAML can", file: "csv"))
    }
    try refusals.check()
    var text = columns.map(\.column.name).joined(separator: ",") + "\n"
    for index in workloads.indices {
      text += columns.map { CSVWriter.field($0.cells[index]) }.joined(separator: ",") + "\n"
    }
    return Data(text.utf8)
  }
}
