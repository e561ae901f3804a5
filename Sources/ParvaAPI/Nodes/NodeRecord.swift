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
  /// Whether too many heartbeats were missed.
  package var isUnreachable: Bool
  /// What the newest heartbeat said; nil before the first.
  package var state: NodeStateDocument?
  /// What the newest heartbeat said while no operation ran: plans go by it, because in the middle of an apply instances
  /// stand that the node does not own yet.
  package var settled: NodeStateDocument?
  package var heardAt: Date?
  /// What was last pushed to it and verified, as far as this process knows.
  package var applied: WantedNode?

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
  }

  package init(
    name: String, address: String, secret: NodeSecret?, secretReference: String?, zone: String?,
    labels: [String: String], revision: Int, createdAt: Date, updatedAt: Date, isDraining: Bool, isUnreachable: Bool,
    state: NodeStateDocument?, heardAt: Date?
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
    self.state = state
    settled = state
    self.heardAt = heardAt
  }

  /// The record with what stands on the node, where that is what this plan wants of it.
  func standing(by plan: PublishedPlan?) -> NodeRecord {
    guard let plan, let slices = plan.slices, state?.verified?.revision == plan.record.revision else { return self }
    var record = self
    record.applied = slices.wanted(name, revision: plan.record.revision)
    return record
  }

  /// Whether the two declare the same; a record from a registration has no drain and no status yet.
  func declaresSame(as other: NodeRecord) -> Bool {
    (address, secret, secretReference, zone, labels)
      == (other.address, other.secret, other.secretReference, other.zone, other.labels)
  }
}

/// What plans and clients are told of a node's reachability.
package enum NodeCondition: String, Hashable, Sendable {
  case pending, ready, unreachable, draining

  package init(of node: NodeRecord) {
    self =
      node.isDraining ? .draining : node.state == nil ? .pending : node.isUnreachable ? .unreachable : .ready
  }
}
