import ParvaFormats
package import ParvaWire

/// The registered nodes at one moment, with what they offer to plans.
package struct Fleet: Sendable {
  /// By name.
  package var nodes: [String: NodeRecord] = [:]
  package var inventory = FleetInventory([])
  /// Grows whenever ``inventory`` offers something else to plans.
  package var generation = 0

  /// The first nodes behind a name, in order of name. O(nodes) for the names, the records of the page alone are copied.
  package func page(after name: String, limit: Int) -> [NodeRecord] {
    nodes.keys.filter { $0 > name }.sorted().prefix(limit).compactMap { nodes[$0] }
  }

  /// The newest plan revision that any node has verified or accepted. A store that was lost must not give its numbers out again: nodes
  /// refuse what is older.
  /// One that no reader of JSON has as it is written does not count: it would take all that follow along.
  var newestRevision: Int {
    nodes.values.flatMap { [$0.state?.verified?.revision, $0.state?.accepted] }.compactMap { $0 }.filter(
      NodeStateReader.revisions.contains
    ).max() ?? 0
  }

  /// What stands on each node, where the controller knows it.
  package var standing: [String: [WantedGPU]] { nodes.compactMapValues(\.standing) }
}

/// The fleet in a few figures.
package struct FleetCount: Hashable, Sendable {
  /// Nodes in each condition.
  package var nodes: [NodeCondition: Int] = [:]
  /// Whether so many nodes are silent that the controller takes itself for cut off, and moves nothing.
  package var isCutOff = false
  /// Nodes by condition and its status.
  package var conditions: [String: [ConditionDocument.Status: Int]] = [:]
  /// Nodes of the current plan by how many revisions what they have verified is behind it; 0 has what it wants, nil has
  /// verified nothing.
  package var lag: [Int?: Int] = [:]
}

/// What has changed of a node's conditions.
package struct NodeNews: Codable, Hashable, Sendable {
  package var name: String
  /// Nil where the node is gone.
  package var state: String?
  package var conditions: [ConditionDocument]
}
