package import ParvaServing
package import ParvaWire
import Synchronization

/// What has changed of an operation: all of it, or one of its nodes.
struct OperationNews: Encodable {
  struct Node: Encodable {
    var name: String
    var status: FleetOperationDocument.Node.Status
    var code: String?
    var message: String?
  }

  var id: String
  var planRevision: Int
  var status: FleetOperationDocument.Status
  var node: Node?

  init(_ document: FleetOperationDocument, node: FleetOperationDocument.Node? = nil) {
    (id, planRevision, status) = (document.id, document.planRevision, document.status)
    self.node = node.map { Node(name: $0.name, status: $0.status, code: $0.code, message: $0.message) }
  }
}

/// How operations stand, for those who count.
package struct OperationCount: Hashable, Sendable {
  /// Operations that are not over, by status.
  package var open: [FleetOperationDocument.Status: Int] = [:]
  /// Those that ended since this process began.
  package var ended: [FleetOperationDocument.Status: Int] = [:]
  /// Parts of roll-outs whose turn has not come, and those that nodes work on.
  package var waiting = 0
  package var running = 0
  /// Workloads that operations which are not over let fall short, as far as their ways tell.
  package var shortfalls = 0
  /// Seconds from the beginning of operations to their end, of those that ended since this process began.
  package var durations = OperationCount.noDurations

  package static let noDurations = Histogram(bounds: [1, 5, 15, 60, 300, 900, 3600])
}

/// Operations of this process as they are at the moment, and those who wait for them.
final class OperationBoard: Sendable {
  /// Operations kept in memory after their end; the store has older ones.
  static let kept = 64

  /// By age, oldest first.
  private let board = WaitingBoard([FleetOperationDocument]())
  private let events: EventLog
  private let onEnd: @Sendable (FleetOperationDocument) -> Void
  private let ended = Mutex(Ended())

  private struct Ended {
    var counts: [FleetOperationDocument.Status: Int] = [:]
    var durations = OperationCount.noDurations
    /// When this process heard of those that are not over.
    var began: [String: ContinuousClock.Instant] = [:]

    mutating func add(_ document: FleetOperationDocument) {
      counts[document.status, default: 0] += 1
      if let start = began.removeValue(forKey: document.id) { durations.add(start.duration(to: .now).seconds) }
    }
  }

  /// - Parameter onEnd: is told of operations that have ended here, while the board is held.
  init(_ events: EventLog, onEnd: @escaping @Sendable (FleetOperationDocument) -> Void = { _ in }) {
    (self.events, self.onEnd) = (events, onEnd)
  }

  subscript(id: String) -> FleetOperationDocument? { board.read { $0.last { $0.id == id } } }

  /// By age, oldest first.
  var running: [FleetOperationDocument] { board.read { $0.filter { !$0.status.isOver } } }

  func add(_ document: FleetOperationDocument) {
    board.change { operations in
      events.add("operation", of: OperationNews(document))
      ended.withLock { ended in
        if document.status.isOver { ended.add(document) } else { ended.began[document.id] = .now }
      }
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
      let before = operations[index].status
      let answer = body(&operations[index])
      let after = operations[index].status
      if after != before {
        events.add("operation", of: OperationNews(operations[index]))
        if after.isOver {
          ended.withLock { $0.add(operations[index]) }
          onEnd(operations[index])
        }
      }
      return answer
    }
  }

  /// Takes over how another controller has come on with an operation; false where it is not there.
  func follow(_ id: String, _ progress: OperationProgress) -> Bool {
    board.change { operations in
      guard let index = operations.lastIndex(where: { $0.id == id }) else { return false }
      let before = operations[index]
      operations[index].take(progress)
      let after = operations[index]
      for name in progress.nodes.keys.sorted() {
        if let place = after.nodeIndex(name), after.nodes[place].status != before.nodes[place].status {
          events.add("operation", of: OperationNews(after, node: after.nodes[place]))
        }
      }
      guard after.status != before.status else { return true }
      events.add("operation", of: OperationNews(after))
      ended.withLock { ended in
        if after.status.isOver { ended.add(after) } else { ended.began[id] = ended.began[id] ?? .now }
      }
      return true
    }
  }

  var counted: OperationCount {
    var count = OperationCount()
    (count.ended, count.durations) = ended.withLock { ($0.counts, $0.durations) }
    for document in running {
      count.shortfalls += document.rollout.shortfalls?.count ?? 0
      count.open[document.status, default: 0] += 1
      for node in document.nodes where !node.status.isOver {
        let isRunning = node.status != .pending
        count.running += isRunning ? 1 : 0
        count.waiting += max(0, (node.parts ?? 1) - (node.partsDone ?? 0) - (isRunning ? 1 : 0))
      }
    }
    return count
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
