/// What `GET /v1/operations/{id}` of the controller answers: a plan revision on its way to the nodes.
package struct FleetOperationDocument: Codable, Hashable, Sendable {
  package enum Status: String, Codable, Sendable, CaseIterable {
    case running
    /// Nothing more begins until it is resumed; what had begun goes on to its end.
    case paused
    /// What stood before is being brought back.
    case rollingBack = "rolling_back"
    /// Every node has read its assignment back as wanted.
    case verified
    /// At least one node ended otherwise; each says why.
    case failed
    /// A newer revision was pushed before this one was through.
    case superseded
    /// Ended by request where it was.
    case aborted
    /// Every node has read back what it had before.
    case rolledBack = "rolled_back"

    package var isOver: Bool { ![.running, .paused, .rollingBack].contains(self) }
  }

  package struct Node: Codable, Hashable, Sendable {
    package enum Status: String, Codable, Sendable, CaseIterable {
      /// Waits for its turn.
      case pending
      /// Being sent, or waiting for another attempt; `message` says why.
      case pushing
      /// The node has it and works on it.
      case applying
      case verified
      /// The node went back to what stood before.
      case rolledBack = "rolled_back"
      /// The node touched nothing; `problems` says why.
      case refused
      /// A step failed on the node and so did the way back.
      case stuck
      case failed
      case superseded
      /// Its turn had not come when the operation was aborted.
      case aborted

      package var isOver: Bool {
        switch self {
        case .pending, .pushing, .applying: false
        default: true
        }
      }
    }

    package var name: String
    package var status: Status
    /// Requests that carried the assignment.
    package var attempts: Int
    /// GPU instances that the node is to have.
    package var instances: Int
    /// True where the node had verified this before, under whichever revision, and was not asked again.
    package var unchanged: Bool?
    /// True when no hardware is behind the node; nil until it has answered.
    package var simulated: Bool?
    /// Of the waves' parts that this node has, those that are done; nil for both where it has one or none.
    package var partsDone: Int?
    package var parts: Int?
    /// The node's own operation.
    package var operation: String?
    package var steps: [NodeOperationDocument.Step]
    package var failure: NodeOperationDocument.Failure?
    package var problems: [NodeOperationDocument.Problem]
    /// What was left on GPUs of the node that do not answer; nil where there are none.
    package var lost: [LostDocument]?
    /// Code and sentence of the last thing that went wrong on the way.
    package var code: String?
    package var message: String?

    package init(name: String, instances: Int) {
      self.name = name
      self.instances = instances
      status = .pending
      attempts = 0
      steps = []
      problems = []
    }
  }

  /// How the nodes get there: in waves, so that every workload keeps the lesser of both rates where any order allows it.
  package struct Rollout: Codable, Hashable, Sendable {
    /// What is done when a node fails.
    package enum FailureAction: String, Codable, Sendable, CaseIterable {
      /// What does not depend on it goes on; the operation ends failed.
      case stop
      /// Every node is brought back to what it had before.
      case rollback
    }

    /// How an operation is to end where not with its plan.
    package enum Ending: String, Codable, Sendable, CaseIterable {
      case abort, rollback
    }

    /// A workload that falls below what it is to keep.
    package struct Shortfall: Codable, Hashable, Sendable {
      package var workload: String
      /// Requests per second: the lesser of what it had and gets, and what stands at the worst moment.
      package var floor: Double
      package var least: Double

      package init(workload: String, floor: Double, least: Double) {
        self.workload = workload
        self.floor = floor
        self.least = least
      }
    }

    /// Share of its rate that a workload may lack on the way.
    package var maxUnavailable: Double
    package var onFailure: FailureAction
    /// Set as soon as an abort or a roll-back is asked for, or a failure asks for it; nil otherwise.
    package var ending: Ending?
    /// The plan that a roll-back brings back; nil where none was applied before.
    package var previousRevision: Int?
    /// True for a push to some of the plan's nodes, beside what else pushes it.
    package var partial: Bool?
    /// True for what the controller began by itself.
    package var automatic: Bool?
    /// Steps towards this revision that nodes may have been told so far.
    package var phases: Int
    /// Waves of the way that is gone now; nil until it is known.
    package var waves: Int?
    /// Estimate of what the waves take one after the other; nil until the way is known.
    package var expectedSeconds: Double?
    /// Segments made for the way only.
    package var temporaries: Int?
    /// Workloads that fall short on the way, the worst first, at most ``mostShortfalls``; nil means none.
    package var shortfalls: [Shortfall]?

    package static let mostShortfalls = 100

    package init(
      maxUnavailable: Double, onFailure: FailureAction, previousRevision: Int?, partial: Bool? = nil,
      automatic: Bool? = nil, phases: Int
    ) {
      self.automatic = automatic
      self.partial = partial
      self.maxUnavailable = maxUnavailable
      self.onFailure = onFailure
      self.previousRevision = previousRevision
      self.phases = phases
    }
  }

  package var id: String
  /// `apply`.
  package var kind: String
  package var planRevision: Int
  package var status: Status
  package var createdAt: String
  package var updatedAt: String
  /// How often a controller took it up again after its own restart.
  package var resumed: Int
  package var rollout: Rollout
  package var nodes: [Node]

  package init(id: String, planRevision: Int, createdAt: String, rollout: Rollout, nodes: [Node]) {
    self.id = id
    kind = "apply"
    self.planRevision = planRevision
    status = .running
    self.createdAt = createdAt
    updatedAt = createdAt
    resumed = 0
    self.rollout = rollout
    self.nodes = nodes
  }
}
