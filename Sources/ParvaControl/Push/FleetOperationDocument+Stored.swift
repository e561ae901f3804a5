import Foundation
import ParvaWire

/// Operations as the store keeps them: the document as it began, what has changed of its head, and the nodes that ended.
extension FleetOperationDocument {
  private struct Head: Codable {
    /// Nil in what older versions stored.
    var planRevision: Int?
    var status: Status
    var updatedAt: String
    var resumed: Int
    var rollout: Rollout
  }

  /// Nil where the document cannot be read.
  init?(_ stored: StoredOperation) {
    guard var document = try? JSONDecoder().decode(Self.self, from: stored.document) else { return nil }
    document.take(stored.progress)
    self = document
  }

  /// How it has come on since.
  mutating func take(_ progress: OperationProgress) {
    let decoder = JSONDecoder()
    if let head = try? decoder.decode(Head.self, from: progress.head) {
      (status, updatedAt, resumed) = (head.status, head.updatedAt, head.resumed)
      rollout = head.rollout
    }
    for (name, data) in progress.nodes {
      guard let index = nodeIndex(name), let node = try? decoder.decode(Node.self, from: data) else { continue }
      nodes[index] = node
    }
  }

  /// Where a node stands in the list, which is in order of name. O(log nodes).
  func nodeIndex(_ name: String) -> Int? {
    var (low, high) = (0, nodes.count)
    while low < high {
      let middle = (low + high) / 2
      if nodes[middle].name < name { low = middle + 1 } else { high = middle }
    }
    return low < nodes.count && nodes[low].name == name ? low : nil
  }

  func stored(at time: Date, _ claim: IdempotencyClaim?) throws(StoreError) -> StoredOperation {
    StoredOperation(
      id: id, planRevision: planRevision, createdAt: time, claim: claim, document: try Self.data(self),
      progress: OperationProgress(isOver: status.isOver))
  }

  /// What has changed: the head, and these nodes.
  func progress(of names: Set<String>) throws(StoreError) -> OperationProgress {
    var progress = OperationProgress(
      isOver: status.isOver,
      head: try Self.data(
        Head(planRevision: planRevision, status: status, updatedAt: updatedAt, resumed: resumed, rollout: rollout)))
    for name in names {
      if let index = nodeIndex(name) { progress.nodes[name] = try Self.data(nodes[index]) }
    }
    return progress
  }

  private static func data(_ value: some Encodable) throws(StoreError) -> Data {
    do {
      return try JSONEncoder().encode(value)
    } catch {
      throw StoreError(.failed, "an operation cannot be written: \(error)")
    }
  }
}
