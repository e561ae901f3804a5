/// What `GET /v1/fleet` answers: the nodes together.
package struct FleetDocument: Codable, Hashable, Sendable {
  /// Nodes in each state, with 0 where there are none.
  package var nodes: [String: Int]
  /// Whether more than half of the nodes are silent at once: the controller takes itself for cut off, and moves nothing.
  package var cutOff: Bool
  /// How long an unreachable node keeps its part of the plan.
  package var graceSeconds: Double

  package init(nodes: [String: Int], cutOff: Bool, graceSeconds: Double) {
    self.nodes = nodes
    self.cutOff = cutOff
    self.graceSeconds = graceSeconds
  }
}
