import ParvaWire
import Synchronization

/// Where another controller leads.
extension PlanPusher {
  /// Takes over what another controller has stored.
  func follow(_ batch: StoreBatch) async {
    for stored in batch.operations { if let document = FleetOperationDocument(stored) { board.add(document) } }
    for (id, progress) in batch.progress.sorted(by: { $0.key < $1.key }) where !board.follow(id, progress) {
      // One that had ended long ago goes on.
      if let document = try? await store.operation(id).flatMap(FleetOperationDocument.init), !document.status.isOver {
        board.add(document)
      }
    }
  }

  /// Sends nothing any more.
  func halt() { for task in state.withLock({ Array($0.tasks.values) }) { task.cancel() } }
}
