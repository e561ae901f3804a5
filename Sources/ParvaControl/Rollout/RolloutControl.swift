/// What an operator has asked of a roll-out that runs.
final class RolloutControl: Sendable {
  struct Wishes: Sendable, Equatable {
    var isPaused = false
    var isAborted = false
    /// Implies an abort: what stood before is to come back.
    var rollsBack = false
    /// Grows with every change.
    var serial = 0
  }

  private let board: WaitingBoard<Wishes>

  init(isPaused: Bool = false) { board = WaitingBoard(Wishes(isPaused: isPaused)) }

  var wishes: Wishes { board.read { $0 } }

  func change(_ body: (inout Wishes) -> Void) {
    board.change { wishes in
      body(&wishes)
      wishes.serial += 1
    }
  }

  /// The wishes as soon as they differ from those seen; as they are when the task is cancelled.
  func next(after seen: Int) async -> Wishes {
    await next(after: seen, within: .seconds(86_400))
  }

  func next(after seen: Int, within limit: Duration) async -> Wishes {
    await board.wait(for: limit) { ($0, $0.serial > seen) }
  }
}
