import ParvaWire

/// What a roll-out is to reach, and what it owes to the workloads on the way.
package struct RolloutGoal: Sendable {
  package var assignments: NodeAssignments
  /// Requests per second that each workload is served in the end.
  package var rates: [String: Double]
  /// Requests per second that each workload was served by the plan before; who is not listed is owed what runs of it.
  package var before: [String: Double]
  /// By workload, the tenants that may not share a GPU.
  package var tenants: [String: String]

  package init(
    _ assignments: NodeAssignments, rates: [String: Double], before: [String: Double] = [:],
    tenants: [String: String] = [:]
  ) {
    self.assignments = assignments
    self.rates = rates
    self.before = before
    self.tenants = tenants
  }

  /// Of a plan of which only the assignments are known: workloads are owed the capacity that it gives them.
  package init(_ assignments: NodeAssignments, tenants: [String: String] = [:]) {
    var rates: [String: Double] = [:]
    for instance in assignments.gpus.values.joined().flatMap(\.instances) {
      guard let workload = instance.workload else { continue }
      rates[workload, default: 0] += instance.capacity ?? 0
    }
    self.init(assignments, rates: rates, tenants: tenants)
  }
}

/// Who may be changed, and how far service may fall.
package struct RolloutTerms: Sendable {
  /// Nodes that are told something; all others stay as they are.
  package var nodes: Set<String>
  /// Share of its rate that a workload may lack on the way, 0...1.
  package var maxUnavailable = 0.0

  package init(nodes: Set<String>, maxUnavailable: Double = 0) {
    self.nodes = nodes
    self.maxUnavailable = maxUnavailable
  }
}
