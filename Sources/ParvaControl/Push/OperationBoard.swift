import ParvaWire

/// Operations of this process as they are at the moment, and those who wait for them.
final class OperationBoard: Sendable {
  /// Operations kept in memory after their end; the store has older ones.
  static let kept = 64

  /// By age, oldest first.
  private let board = WaitingBoard([FleetOperationDocument]())

  subscript(id: String) -> FleetOperationDocument? { board.read { $0.last { $0.id == id } } }

  /// By age, oldest first.
  var running: [FleetOperationDocument] { board.read { $0.filter { !$0.status.isOver } } }

  func add(_ document: FleetOperationDocument) {
    board.change { operations in
      operations.append(document)
      while operations.count > Self.kept, let old = operations.firstIndex(where: \.status.isOver) {
        operations.remove(at: old)
      }
    }
  }

  /// An operation that had ended goes on.
  func reopen(_ document: FleetOperationDocument) {
    board.change { operations in operations.removeAll { $0.id == document.id } }
    add(document)
  }

  /// Changes an operation in place; one that is over, or that is not there, stays as it is, and nil is answered.
  @discardableResult
  func update<Answer: Sendable>(_ id: String, _ body: (inout FleetOperationDocument) -> Answer) -> Answer? {
    board.change { operations in
      guard let index = operations.lastIndex(where: { $0.id == id }), !operations[index].status.isOver else {
        return nil
      }
      return body(&operations[index])
    }
  }

  /// The operation as soon as it is over, or as it is after `duration`.
  func wait(for id: String, _ duration: Duration) async -> FleetOperationDocument? {
    await board.wait(for: duration) { operations in
      let document = operations.last { $0.id == id }
      return (document, document?.status.isOver ?? true)
    }
  }

  /// Answers everybody who waits, now and from now on: the controller stops.
  func close() { board.close() }
}
