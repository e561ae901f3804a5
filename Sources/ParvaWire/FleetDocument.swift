/// What `GET /v1/fleet` answers: the nodes together.
package struct FleetDocument: Codable, Hashable, Sendable {
  /// What automatic applies do or wait for.
  package struct AutoApply: Codable, Hashable, Sendable {
    /// A node that is pushed to again after a pause.
    package struct Retry: Codable, Hashable, Sendable {
      package var node: String
      package var seconds: Double

      package init(node: String, seconds: Double) {
        self.node = node
        self.seconds = seconds
      }
    }

    /// `planning`, `no_nodes`, `halted`, `pushing`, `retrying`, `failing` or `settled`.
    package var state: String
    package var message: String
    /// By name, 100 at most.
    package var retries: [Retry]

    package init(state: String, message: String, retries: [Retry]) {
      self.state = state
      self.message = message
      self.retries = retries
    }
  }

  /// Nodes in each state, with 0 where there are none.
  package var nodes: [String: Int]
  /// Whether more than half of the nodes are silent at once: the controller takes itself for cut off, and moves nothing.
  package var cutOff: Bool
  /// How long an unreachable node keeps its part of the plan.
  package var graceSeconds: Double
  /// Nil where plans are not applied by themselves.
  package var autoApply: AutoApply?

  package init(nodes: [String: Int], cutOff: Bool, graceSeconds: Double, autoApply: AutoApply? = nil) {
    self.autoApply = autoApply
    self.nodes = nodes
    self.cutOff = cutOff
    self.graceSeconds = graceSeconds
  }
}
