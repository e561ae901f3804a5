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

    /// `planning`, `no_nodes`, `halted`, `pushing`, `limited`, `retrying`, `failing`, `waiting`, `holding` or `settled`.
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

  /// Workloads that plans are made for at higher rates than they have.
  package struct Holds: Codable, Hashable, Sendable {
    package struct Workload: Codable, Hashable, Sendable {
      package var id: String
      /// Requests per second that it asks for, and that plans are made for.
      package var rate: Double
      package var plannedRate: Double
      /// When plans follow, unless the rate rises before; nil where the rate is within the dead band.
      package var until: String?

      package init(id: String, rate: Double, plannedRate: Double, until: String?) {
        (self.id, self.rate, self.plannedRate, self.until) = (id, rate, plannedRate, until)
      }
    }

    package var count: Int
    /// When the first of them is followed; nil where all are within the dead band.
    package var next: String?
    /// By id, 100 at most.
    package var workloads: [Workload]

    package init(count: Int, next: String?, workloads: [Workload]) {
      (self.count, self.next, self.workloads) = (count, next, workloads)
    }
  }

  /// How long plans are ahead of rates that go by schedules.
  package struct ScheduleLead: Codable, Hashable, Sendable {
    package var seconds: Double
    /// Whether it is how long roll-outs have taken.
    package var learnt: Bool

    package init(seconds: Double, learnt: Bool) { (self.seconds, self.learnt) = (seconds, learnt) }
  }

  /// Nodes in each state, with 0 where there are none.
  package var nodes: [String: Int]
  /// Whether more than half of the nodes are silent at once: the controller takes itself for cut off, and moves nothing.
  package var cutOff: Bool
  /// How long an unreachable node keeps its part of the plan.
  package var graceSeconds: Double
  /// Nil where plans are not applied by themselves.
  package var autoApply: AutoApply?
  /// Nil where plans follow every rate at once.
  package var holds: Holds?
  /// Nil where plans follow what changes.
  package var pin: PlanPinDocument?
  /// Whether plans go to nodes by themselves; nil without windows.
  package var rollouts: RolloutGateDocument?
  /// Nil from controllers of before.
  package var scheduleLead: ScheduleLead?

  package init(
    nodes: [String: Int], cutOff: Bool, graceSeconds: Double, autoApply: AutoApply? = nil, holds: Holds? = nil,
    pin: PlanPinDocument? = nil, rollouts: RolloutGateDocument? = nil, scheduleLead: ScheduleLead? = nil
  ) {
    self.scheduleLead = scheduleLead
    self.pin = pin
    self.rollouts = rollouts
    self.autoApply = autoApply
    self.holds = holds
    self.nodes = nodes
    self.cutOff = cutOff
    self.graceSeconds = graceSeconds
  }
}
