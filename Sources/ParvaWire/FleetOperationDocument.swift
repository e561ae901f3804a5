/// What `GET /v1/operations/{id}` of the controller answers: a plan revision on its way to the nodes.
package struct FleetOperationDocument: Codable, Hashable, Sendable {
  package enum Status: String, Codable, Sendable, CaseIterable {
    case running
    /// Every node has read its assignment back as wanted.
    case verified
    /// At least one node ended otherwise; each says why.
    case failed
    /// A newer revision was pushed before this one was through.
    case superseded

    package var isOver: Bool { self != .running }
  }

  package struct Node: Codable, Hashable, Sendable {
    package enum Status: String, Codable, Sendable, CaseIterable {
      /// Not sent yet.
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

  package var id: String
  /// `apply`.
  package var kind: String
  package var planRevision: Int
  package var status: Status
  package var createdAt: String
  package var updatedAt: String
  /// How often a controller took it up again after its own restart.
  package var resumed: Int
  package var nodes: [Node]

  package init(id: String, planRevision: Int, createdAt: String, nodes: [Node]) {
    self.id = id
    kind = "apply"
    self.planRevision = planRevision
    status = .running
    self.createdAt = createdAt
    updatedAt = createdAt
    resumed = 0
    self.nodes = nodes
  }
}
