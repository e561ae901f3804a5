package import ParvaWire

/// An operation for people: where it stands, and of each node what it does or waits for.
package struct OperationText {
  private let document: FleetOperationDocument
  private let style: TextStyle

  package init(_ document: FleetOperationDocument, style: TextStyle) {
    self.document = document
    self.style = style
  }

  package var text: String {
    let rollout = document.rollout
    var head = ["plan revision \(document.planRevision)", document.status.rawValue]
    if let waves = rollout.waves { head.append(Figures.count(waves, "wave")) }
    if let ending = rollout.ending { head.append("\(ending.rawValue) was asked for") }
    var lines = [style.bold(document.id) + " \(style.dot) " + head.joined(separator: " \(style.dot) ")]
    let width = document.nodes.map(\.name.count).max() ?? 0
    for node in document.nodes {
      var words = [node.name + String(repeating: " ", count: width - node.name.count), node.status.rawValue]
      if let done = node.partsDone, let parts = node.parts { words.append("\(done) of \(parts) parts") }
      if node.unchanged == true { words.append("unchanged") }
      if let step = node.steps.first(where: { !$0.done }), !node.status.isOver { words.append(step.description) }
      if let message = node.message { words.append(message) }
      lines.append("  " + words.joined(separator: "  "))
    }
    for shortfall in rollout.shortfalls ?? [] {
      lines.append(
        "! \(shortfall.workload): falls to \(Figures.plain(shortfall.least))/s of \(Figures.plain(shortfall.floor))/s")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
