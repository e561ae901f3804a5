package import ParvaWire

/// Draws a fleet for a person: each node with its state, each GPU as a bar with its instances.
package struct FleetPicture {
  private let nodes: [NodeResource]
  private let style: TextStyle
  /// Colour number of each workload, in order of name.
  private let colors: [String: Int]

  package init(_ list: NodeList, style: TextStyle) {
    nodes = list.nodes
    self.style = style
    let workloads = Set(list.nodes.flatMap { $0.status.gpus.flatMap { $0.instances.compactMap(\.workload) } })
    colors = Dictionary(uniqueKeysWithValues: workloads.sorted().enumerated().map { ($1, $0) })
  }

  /// Lines joined and ended by line feeds. O(instances).
  package func text() -> String {
    guard !nodes.isEmpty else { return "No node is registered.\n" }
    return nodes.map { node in
      ([style.bold(heading(node))] + bars(node) + others(node)).joined(separator: "\n") + "\n"
    }.joined(separator: "\n")
  }

  private func heading(_ node: NodeResource) -> String {
    let status = node.status
    var parts = [node.name + (status.simulated == true ? " (simulated: no hardware)" : ""), status.state]
    if let zone = node.zone { parts.append("zone \(zone)") }
    parts.append(status.verifiedRevision.map { "plan revision \($0) verified" } ?? "no plan yet")
    if let degraded = status.degraded { parts.append("degraded: \(degraded)") }
    let count = status.gpus.reduce(0) { $0 + $1.instances.count }
    parts.append("\(Figures.count(status.gpus.count, "GPU")), \(Figures.count(count, "instance"))")
    return parts.joined(separator: " \(style.dot) ")
  }

  /// Bars of the GPUs on which something stands; neighbours of one length share their borders.
  private func bars(_ node: NodeResource) -> [String] {
    var lines: [String] = []
    var block: (length: Int, rows: [SliceBars.Row])?
    func close() {
      guard let block else { return }
      lines += SliceBars(axisLength: block.length, margin: 8, style: style).lines(block.rows)
    }
    for gpu in node.status.gpus where !gpu.instances.isEmpty {
      let end = gpu.instances.map { $0.start + $0.size }.max() ?? 1
      let length = max(gpu.memorySlices ?? 8, end)
      if block?.length != length {
        close()
        block = (length, [])
      }
      block?.rows.append(
        SliceBars.Row(labels: ("GPU \(gpu.index)", gpu.usable ? "" : "left"), cells: gpu.instances.map(cell)))
    }
    close()
    return lines
  }

  private func cell(_ instance: NodeResource.Instance) -> SliceBars.Cell {
    let name = instance.workload ?? (instance.owned ? "" : "foreign")
    return SliceBars.Cell(
      start: instance.start, size: instance.size,
      text: ([name], [instance.profile, String(instance.profile.prefix(2))]),
      color: instance.workload.flatMap { colors[$0] } ?? colors.count)
  }

  private func others(_ node: NodeResource) -> [String] {
    let free = node.status.gpus.count { $0.instances.isEmpty && $0.usable }
    return (free > 0 ? ["\(Figures.count(free, "GPU")) free"] : [])
      + node.status.gpus.filter { !$0.usable }.map {
        "GPU \($0.index) is left out of plans: \($0.message ?? "unknown") [\($0.reason ?? "unknown")]"
      }
  }
}
