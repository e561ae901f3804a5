package import Foundation

/// An operation as it was last stored.
package struct StoredOperation: Hashable, Sendable {
  package var id: String
  package var planRevision: Int
  package var createdAt: Date
  package var claim: IdempotencyClaim?
  /// Its wire document as it began; never written again.
  package var document: Data
  package var progress: OperationProgress

  package init(
    id: String, planRevision: Int, createdAt: Date, claim: IdempotencyClaim?, document: Data,
    progress: OperationProgress = OperationProgress()
  ) {
    self.id = id
    self.planRevision = planRevision
    self.createdAt = createdAt
    self.claim = claim
    self.document = document
    self.progress = progress
  }
}

/// What an operation's document has become since it began. It is small whatever the number of nodes.
package struct OperationProgress: Hashable, Sendable {
  package var isOver: Bool
  /// The members of the wire document that change, without the nodes; empty before the first change.
  package var head: Data
  /// The wire documents of nodes that have ended, by name; those stored before stay.
  package var nodes: [String: Data]

  package init(isOver: Bool = false, head: Data = Data(), nodes: [String: Data] = [:]) {
    self.isOver = isOver
    self.head = head
    self.nodes = nodes
  }
}
