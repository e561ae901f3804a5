import ParvaWire

/// The registered nodes at one moment, with what they offer to plans.
package struct Fleet: Sendable {
  /// By name.
  package var nodes: [String: NodeRecord] = [:]
  /// Names that were removed: their agents are told so, and come back only by a registration.
  package var removed: Set<String> = []
  package var inventory = FleetInventory([])
  var holders = WorkloadHolders()
  /// Grows whenever ``inventory`` offers something else to plans.
  package var generation = 0

  /// Puts a record in place of the one before it. What was applied stays as it is now: a push may have ended since the
  /// record was read.
  mutating func set(_ record: NodeRecord) {
    var record = record
    record.applied = nodes[record.name]?.applied
    nodes[record.name] = record
  }

  package var sorted: [NodeRecord] { nodes.values.sorted { $0.name < $1.name } }

  /// The newest plan revision that any node knows. A store that was lost must not give its numbers out again: nodes
  /// refuse what is older.
  var newestRevision: Int { nodes.values.compactMap { $0.state?.verified?.revision }.max() ?? 0 }
}
