import Synchronization

/// Joins the nodes to the endpoints that follow from them, which are made after the nodes.
final class TrafficWakes: Sendable {
  private struct Board: Sendable {
    weak var board: TrafficBoard?
  }

  private let board = Mutex(Board())

  func connect(_ board: TrafficBoard) { self.board.withLock { $0.board = board } }

  func ring() { board.withLock { $0.board }?.changed() }
}
