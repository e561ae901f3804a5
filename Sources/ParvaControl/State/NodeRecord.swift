package import Foundation
package import ParvaWire

/// One registered node: what was declared of it, and what it last said of itself.
package struct NodeRecord: Hashable, Sendable {
  package var name: String
  package var address: String
  package var secret: NodeSecret?
  package var secretReference: String?
  package var zone: String?
  package var labels: [String: String]
  /// Grows by one with every change of what is declared.
  package var revision: Int
  package var createdAt: Date
  package var updatedAt: Date
  /// On its way out: plans leave it out, and it goes once its last instances are gone.
  package var isDraining: Bool
  /// Whether plans count on it, as an operator has said.
  package var duty = NodeDuty.inService
  /// Whether too many heartbeats were missed.
  package var isUnreachable: Bool
  /// Whether it was unreachable for longer than the grace: plans go on without it until it is heard again.
  package var isLost: Bool
  /// What the newest heartbeat said; nil before the first.
  package var state: NodeStateDocument?
  /// What the newest heartbeat said while no operation ran: plans go by it, because in the middle of an apply instances
  /// stand that the node does not own yet.
  package var settled: NodeStateDocument?
  package var heardAt: Date?
  /// What was last pushed to it and verified.
  package var applied: NodeAssignment?
  /// What a push is bringing to it now.
  package var expected: NodeAssignment?
  /// Whether it has verified something of which it has not said yet what its GPUs and services look like.
  package var isWordDue = false
  /// What a push that was given up has brought to it: the node may carry it out yet.
  package var sent: NodeAssignment?
  /// Whether the node has said since that it works on nothing and that the newest it has accepted is not ``sent``: what
  /// runs goes on. Reported anew with each heartbeat, because what was sent may still be on its way.
  package var isSentIdle = false

  package init(_ spec: NodeSpec, named name: String, revision: Int, at time: Date) {
    self.name = name
    address = spec.address
    secret = spec.webhookSecret.map(NodeSecret.init)
    secretReference = spec.webhookSecretRef
    zone = spec.zone
    labels = spec.labels ?? [:]
    self.revision = revision
    createdAt = time
    updatedAt = time
    isDraining = false
    isUnreachable = false
    isLost = false
  }

  package init(
    name: String, address: String, secret: NodeSecret?, secretReference: String?, zone: String?,
    labels: [String: String], revision: Int, createdAt: Date, updatedAt: Date, isDraining: Bool, isUnreachable: Bool,
    isLost: Bool, state: NodeStateDocument?, heardAt: Date?, applied: NodeAssignment?
  ) {
    self.name = name
    self.address = address
    self.secret = secret
    self.secretReference = secretReference
    self.zone = zone
    self.labels = labels
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.isDraining = isDraining
    self.isUnreachable = isUnreachable
    self.isLost = isLost
    self.state = state
    settled = state
    self.heardAt = heardAt
    self.applied = applied
  }

  /// Takes over what another record declares; what the node says of itself stays.
  mutating func declare(_ other: NodeRecord) {
    (address, secret, secretReference) = (other.address, other.secret, other.secretReference)
    (zone, labels, isDraining, duty) = (other.zone, other.labels, other.isDraining, other.duty)
    (revision, createdAt, updatedAt) = (other.revision, other.createdAt, other.updatedAt)
  }

  /// What stands on the node as far as the controller knows: what it is being brought to, else what it has verified.
  /// Nil where the node has verified something else, or nothing.
  package var standing: [WantedGPU]? {
    if let expected { return expected.gpus }
    guard let applied, state?.verified?.version == applied.version else { return nil }
    return applied.gpus
  }

  /// Whether what the node has verified is what the controller has on record of it.
  var knowsItsState: Bool { state?.verified?.version == applied?.version }

  /// What stands on the node and is not being taken away, as far as the controller knows.
  package var certain: [WantedGPU] {
    guard let applied, state?.verified?.version == applied.version else { return [] }
    let changes = [expected, sent].compactMap(\.self)
    guard !changes.isEmpty else { return applied.gpus }
    return applied.gpus.map { gpu in
      WantedGPU(
        uuid: gpu.uuid,
        instances: gpu.instances.filter { instance in
          changes.allSatisfy { $0.instance(gpu: gpu.uuid, place: instance.place) == instance }
        })
    }
  }

  /// Whether the node has read back from its driver that exactly this stands, under whichever revision.
  package func hasVerified(_ gpus: [WantedGPU]) -> Bool {
    guard let applied, let verified = state?.verified else { return false }
    // Something else that is on its way there may be carried out yet.
    guard [expected, sent].allSatisfy({ $0 == nil || $0?.gpus == gpus }) else { return false }
    return verified.version == applied.version && verified.degraded == nil && applied.gpus == gpus
  }

  /// What a store keeps of it; the rest is of a controller that pushes to it.
  var stored: NodeRecord {
    var stored = self
    (stored.settled, stored.expected, stored.sent) = (state, nil, nil)
    (stored.isWordDue, stored.isSentIdle) = (false, false)
    return stored
  }

  /// Whether the two declare the same; a record from a registration has no drain and no status yet.
  func declaresSame(as other: NodeRecord) -> Bool {
    (address, secret, secretReference, zone, labels)
      == (other.address, other.secret, other.secretReference, other.zone, other.labels)
  }
}

/// What plans and clients are told of a node's reachability.
package enum NodeCondition: String, Hashable, Sendable, CaseIterable {
  /// Registered, never heard.
  case pending
  case ready
  /// Too many heartbeats were missed, but the grace is not over: what is planned there stays.
  case unreachable
  /// Unreachable for longer than the grace: plans go on without it.
  case lost
  /// Heard, and nothing new is planned there.
  case cordoned
  /// Heard, and kept out of plans until it is returned.
  case maintenance
  /// On its way out.
  case draining

  package init(of node: NodeRecord) {
    self.init(
      isDraining: node.isDraining, isHeard: node.state != nil, isLost: node.isLost, isUnreachable: node.isUnreachable,
      duty: node.duty)
  }

  /// - Parameter isHeard: whether the node has ever said something of itself.
  init(isDraining: Bool, isHeard: Bool, isLost: Bool, isUnreachable: Bool, duty: NodeDuty) {
    if isDraining {
      self = .draining
    } else if !isHeard {
      self = .pending
    } else if isLost {
      self = .lost
    } else if isUnreachable {
      self = .unreachable
    } else {
      switch duty {
      case .inService: self = .ready
      case .cordoned: self = .cordoned
      case .maintenance: self = .maintenance
      }
    }
  }
}

/// What an operator wants of a node. It is declared, and survives every restart.
package enum NodeDuty: String, Hashable, Sendable, CaseIterable {
  case inService = "in_service"
  /// What stands there stays, and nothing new comes.
  case cordoned
  /// Plans leave it out: the next one empties it. It stays registered.
  case maintenance
}
